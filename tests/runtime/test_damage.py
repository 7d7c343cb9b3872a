"""What is wrong with a run or an input is one line that says what, where, and what to do."""

from __future__ import annotations

import contextlib
import json
import random
import shutil
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from elman.errors import UserError
from elman.runtime import load
from tests.old_runs.test_old_runs import EXPECTED, OLD_RUNS
from tests.runtime.test_runs import LOADED

FILES = [
    (name, path.name)
    for name in LOADED
    for path in sorted((OLD_RUNS / name).iterdir())
    if path.name not in ("metrics.csv", "last.safetensors")
]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(OLD_RUNS, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(("name", "file"), FILES)
def test_a_damaged_file_is_one_line(name: str, file: str, here: Path) -> None:
    whole, generator = (here / name / file).read_bytes(), random.Random(f"{name} {file}")
    for turn in range(40):
        raw = bytearray(whole)
        if turn % 4 == 0:
            del raw[generator.randrange(len(raw)) :]
        elif turn % 4 == 1:
            raw[generator.randrange(len(raw))] ^= 1 << generator.randrange(8)
        elif turn % 4 == 2:
            at = generator.randrange(len(raw))
            raw[at:at] = bytes(generator.choices(b'0123456789-[]{}",:.eE\\u', k=5))
        else:
            at = generator.randrange(len(raw))
            raw[at : at + generator.randrange(1, 9)] = b""
        (here / name / file).write_bytes(raw)
        with contextlib.suppress(UserError):  # nothing else; and a changed setting may still allow an answer
            load(name).predict(EXPECTED[name]["inputs"])


def header_of(path: Path, change: dict[str, Any]) -> None:
    raw = path.read_bytes()
    size = int.from_bytes(raw[:8], "little")
    header = {**json.loads(raw[8 : 8 + size]), **change}
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + raw[8 + size :])


@pytest.mark.parametrize(
    "entry",
    [
        {"dtype": "F32", "shape": [1 << 40], "data_offsets": [0, 1 << 42]},
        {"dtype": "F32", "shape": [-1, -4], "data_offsets": [0, 16]},
        {"dtype": "F32", "shape": [1 << 20, 1 << 20, 0], "data_offsets": [0, 0]},
        {"dtype": "F99", "shape": [4], "data_offsets": [0, 16]},
        {"dtype": "F32", "shape": 4, "data_offsets": [0, 16]},
        {"shape": [4]},
        [],
    ],
)
def test_a_header_that_lies_takes_no_memory(entry: Any, here: Path) -> None:
    header_of(here / "parity" / "model.safetensors", {"output.bias": entry})
    tracemalloc.start()
    with pytest.raises(UserError, match=r"is damaged|does not fit|has changed"):
        load("parity")
    assert tracemalloc.get_traced_memory()[1] < 1 << 22
    tracemalloc.stop()


@pytest.mark.parametrize("header", ["[1]", "3", "{}", "[[]"])
def test_metadata_that_are_none_are_one_line(header: str, here: Path) -> None:
    header_of(here / "parity" / "model.safetensors", {"__metadata__": {"elman": header}})
    with pytest.raises(UserError, match=r"model.safetensors is damaged \("):
        load("parity")


def test_a_name_that_is_no_text_is_one_line(here: Path) -> None:
    path = here / "parity" / "model.safetensors"
    size = int.from_bytes(path.read_bytes()[:8], "little")
    entry = json.loads(path.read_bytes()[8 : 8 + size])["output.bias"]
    header_of(path, {"output.bias": entry | {"data_offsets": [0, 0], "shape": [0]}, "\ud800": entry})
    with pytest.raises(UserError, match="is damaged"):
        load("parity")


def test_tensors_that_share_their_place_are_refused(here: Path) -> None:
    path = here / "parity" / "model.safetensors"
    raw = path.read_bytes()
    header = json.loads(raw[8 : 8 + int.from_bytes(raw[:8], "little")])
    sizes: dict[int, list[str]] = {}
    for name, entry in header.items():
        if name != "__metadata__":
            sizes.setdefault(entry["data_offsets"][1] - entry["data_offsets"][0], []).append(name)
    one, other = next(names for names in sizes.values() if len(names) > 1)[:2]
    header_of(path, {one: header[one] | {"data_offsets": header[other]["data_offsets"]}})
    with pytest.raises(UserError, match="its tensors do not fill it one after the other"):
        load("parity")


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b'["a\\nb", "c"]', "which has a control character"),
        (b'["\\ud800", "c"]', "which has a control character"),
        (b'\xef\xbb\xbf["a", "c"]', "BOM"),
        ('["a", "c"]'.encode("utf-16"), "invalid start byte"),
        (b'["a", NaN]', "NaN is no JSON"),
    ],
)
def test_names_that_elman_does_not_write_are_refused(raw: bytes, reason: str, here: Path) -> None:
    (here / "sentiment-words" / "classes.json").write_bytes(raw)
    with pytest.raises(UserError, match=reason):
        load("sentiment-words")


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("language-characters", {"normalizer": {"type": "Lowercase"}}),
        ("language-words", {"added_tokens": None}),
        ("language-words", {"added_tokens": [{"id": True, "content": "<unk>"}]}),
        ("language-words", {"added_tokens": [{"id": 0, "content": "the"}]}),
        ("language-bpe", {"merges": [["qq", "zz"]]}),
    ],
)
def test_vocabularies_that_elman_does_not_write_are_refused(name: str, change: dict[str, Any], here: Path) -> None:
    path = here / name / "vocabulary.json"
    saved = json.loads(path.read_text())
    load(name)
    if "merges" in change:
        saved["model"] |= change
    path.write_text(json.dumps({**saved, **({} if "merges" in change else change)}))
    with pytest.raises(UserError, match=r"vocabulary.json is damaged"):
        load(name)


@pytest.mark.parametrize(
    ("name", "given", "message"),
    [
        ("parity", "10x", "'x' at place 3 of '10x' is neither 0 nor 1"),
        ("parity", 7, "input 1 of 1 is '7', of type int"),
        ("parity", [], "nothing to predict"),
        ("sentiment-words", ["good", " "], "text 2 of 2 is empty"),
        ("sentiment-words", "\udce9", "input 1 of 1 is not UTF-8"),
        ("series-memory", np.zeros((3, 5)), "has 5 channels where the training part has 2"),
        ("series-memory", np.zeros((0, 2)), "has no steps"),
        ("series-memory", np.array([[np.nan, 1.0]]), "the value of step 1, channel 1 is missing"),
        ("series-memory", "nothing.csv", "there is no file nothing.csv"),
        ("speech-class", "data/one.csv", "is no WAV file"),
        ("speech-class", np.zeros(100), "is silent"),
        ("speech-class", np.full(100, np.nan), "samples that are no numbers"),
        ("captioning", [0.5, 0.5], "numbers for a picture, and the run's have"),
        ("forecasting-direct", {"a": [1]}, "has no column"),
        ("forecasting-direct", "data/one.csv", "has two columns called"),
        ("forecasting-direct", 3, "input 1 is '3', of type int"),
    ],
)
def test_a_wrong_input_is_said(name: str, given: Any, message: str, here: Path) -> None:
    with pytest.raises(UserError) as error:
        load(name).predict(given)
    assert message in str(error.value)


@pytest.mark.parametrize("options", [{"opinion": 3}, {"length": 3}, {"opinion": None}])
def test_a_wrong_option_is_said(options: dict[str, Any], here: Path) -> None:
    with pytest.raises(UserError, match=r"`(opinion|length)` is"):
        load("sentiment-words").predict("good", **options)


def test_no_run_is_said(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"holds no run \(no settings.toml in it\)"):
        load(tmp_path)


def test_marks_of_thousands_that_training_had_are_refused(here: Path) -> None:
    path = here / "forecasting-direct" / "series.json"
    saved = json.loads(path.read_text())
    (target, *_) = saved["roles"]["targets"]
    path.write_text(json.dumps({**saved, "thousands": [target]}))
    table = {saved["roles"]["time"]: ["1", "2"], **{key: ["999", "1.000"] for key in saved["roles"]["targets"]}}
    table |= {key: ["1", "2"] for key in (*saved["roles"]["past"], *saved["roles"]["known"])}
    table |= {saved["roles"]["series_id"]: ["a", "a"]} if saved["roles"]["series_id"] else {}
    with pytest.raises(UserError, match=f"row 2, column '{target}': '1.000' has a mark of thousands; write it without"):
        load("forecasting-direct").predict(table)
