"""Small runs of every task, exported: predictions, metrics and texts are the run's own; what is wrong is one line."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import elman
from elman.errors import UserError
from elman.export.onnx.file import SUM, Facts, read_checked
from elman.export.onnx.running.session import Session
from tests.export.onnx.graphs import APART
from tests.old_runs.test_old_runs import EXPECTED, OLD_RUNS, as_json, command

ROUNDED = ("sentiment-words", "language-characters", "forecasting-direct", "translation-dot")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the small runs as the working folder: settings name their data from there."""
    shutil.copytree(OLD_RUNS, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def assert_alike(got: Any, want: Any, where: str = "") -> None:
    """The same labels and texts, and numbers within what is promised."""
    assert type(got) is type(want), where
    if isinstance(want, dict):
        assert got.keys() == want.keys(), where
        for name, value in want.items():
            assert_alike(got[name], value, f"{where}/{name}")
    elif isinstance(want, list):
        assert len(got) == len(want), where
        for number, (one, other) in enumerate(zip(got, want, strict=True)):
            assert_alike(one, other, f"{where}/{number}")
    elif isinstance(want, float):
        assert got == pytest.approx(want, rel=APART, abs=APART), where
    else:
        assert got == want, where


def said(capsys: pytest.CaptureFixture[str], *words: str) -> list[Any]:
    """What a command prints as JSON, line by line."""
    command(*words, "--json")
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


@pytest.mark.parametrize("name", EXPECTED)
def test_a_file_predicts_and_measures_as_its_run(name: str, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    facts = said(capsys, "export", name, "--to", "onnx", "--out", "taken/away.onnx")[0]
    assert facts["difference"] <= APART
    assert facts["bytes"] == (here / "taken/away.onnx").stat().st_size
    run = elman.load(name)
    inputs = EXPECTED[name]["inputs"]
    want = [as_json(one) for one in run.predict(inputs)], as_json(run.evaluate())
    shutil.rmtree(name)  # the file is all there is
    got = said(capsys, "predict", "taken/away.onnx", *inputs)
    assert_alike(got, want[0])
    (figures,) = said(capsys, "evaluate", "taken/away.onnx")
    assert_alike({key: figures[key] for key in want[1]}, want[1])
    assert (figures["run"], figures["task"]) == ("taken/away.onnx", EXPECTED[name]["task"])
    assert [one.name for one in (here / "taken").iterdir()] == ["away.onnx"]


def test_a_language_model_goes_on_as_its_run(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    texts = []
    command("export", "language-words", "--to", "onnx")
    capsys.readouterr()
    for place in ("language-words", "language-words/model.onnx"):
        command("sample", place, "--prompt", "four", "--length", "30", "--samples", "2", "--temperature", "0.5")
        texts.append(capsys.readouterr().out)
    assert texts[0] == texts[1]


def test_the_metadata_are_all_that_another_program_needs(here: Path) -> None:
    """onnxruntime alone: words by the vocabulary of the metadata, probabilities by the names of the classes there."""
    run = elman.load("sentiment-words")
    path = run.export().path
    from onnxruntime import InferenceSession
    from tokenizers import Tokenizer

    session = InferenceSession(path)
    metadata = session.get_modelmeta().custom_metadata_map
    tokenizer = Tokenizer.from_str(metadata["elman.file.vocabulary.json"])
    classes = json.loads(metadata["elman.file.classes.json"])
    ids = np.array(tokenizer.encode("the food was good").ids)[:, None]
    (shares,) = session.run(["probabilities"], {"x": ids})
    (want,) = run.predict("the food was good")
    assert dict(zip(classes, shares[0], strict=True)) == pytest.approx(want.probabilities, abs=APART)  # type: ignore[attr-defined]


def test_series_go_in_as_they_were_measured(here: Path) -> None:
    """The scale is inside the graph."""
    run = elman.load("series-memory")
    session = Session(read_checked(run.export().path), "the file")
    values = np.random.default_rng(0).normal(size=(9, 2), scale=5).astype(np.float32)[:, : run.task.channels]  # type: ignore[attr-defined]
    (shares,) = session(["probabilities"], x=values[:, None])
    (want,) = run.predict([values])
    assert shares[0].tolist() == pytest.approx(list(want.probabilities.values()), abs=APART)  # type: ignore[attr-defined]


@pytest.mark.parametrize("precision", ["float16", "int8"])
@pytest.mark.parametrize("name", ROUNDED)
def test_rounded_weights_are_measured(name: str, precision: str, here: Path) -> None:
    run = elman.load(name)
    done = run.export("onnx", here / "small.onnx", precision)
    facts = Facts.read(Session(read_checked(done.path), "the file").metadata, done.path)
    assert facts.measured == dict(done.measured)
    assert facts.precision == precision
    again = elman.load(done.path).examine().metrics
    assert again[f"validation_{run.task.metric}"] == pytest.approx(done.measured["file"], abs=APART)


def test_what_rounding_loses_is_refused(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("elman.export.onnx.measure.MOST_LOST", -1.0)
    monkeypatch.setattr("elman.export.onnx.measure.SMALL", -1.0)
    with pytest.raises(UserError, match="`precision=int8` loses too much: loss on the validation part is"):
        elman.load("language-characters").export("onnx", "small.onnx", "int8")
    assert not (here / "small.onnx").exists()


def test_rounding_is_not_measured_on_data_that_are_gone(here: Path) -> None:
    (here / "data/rhyme.txt").unlink()
    with pytest.raises(UserError, match=r"rhyme\.txt"):
        elman.load("language-characters").export("onnx", "small.onnx", "int8")
    assert not (here / "small.onnx").exists()
    elman.load("language-characters").export("onnx", "small.onnx")  # float32 needs none


def refused(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """The one line that a command ends with, and exit code 2."""
    with pytest.raises(SystemExit) as end:
        elman_main(words)
    assert end.value.code == 2
    shown = capsys.readouterr()
    assert not shown.out
    (line,) = shown.err.splitlines()
    return line


def elman_main(words: tuple[str, ...]) -> None:
    from elman.cli.main import main

    main(words)


def test_damage_is_seen(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    elman.load("parity").export("onnx", "parity.onnx")
    whole = (here / "parity.onnx").read_bytes()
    rng = np.random.default_rng(0)
    for place in (*rng.integers(0, len(whole), 40).tolist(), 0, len(whole) - 1, whole.rfind(SUM.encode())):
        harmed = bytearray(whole)
        harmed[place] ^= 1 << int(rng.integers(8))
        (here / "harmed.onnx").write_bytes(harmed)
        line = refused(capsys, "predict", "harmed.onnx", "101")
        assert "harmed.onnx" in line
    for length in (1, 50, len(whole) // 2, len(whole) - 1):
        (here / "harmed.onnx").write_bytes(whole[:length])
        assert "harmed.onnx" in refused(capsys, "evaluate", "harmed.onnx")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("predict", "none.onnx", "101"), "there is no file none.onnx"),
        (("predict", "empty.onnx", "101"), "empty.onnx is empty"),
        (("evaluate", "text.onnx"), "text.onnx was not exported by elman"),
        (("predict", "parity.onnx", "101", "--weights", "last"), "parity.onnx holds the best weights alone"),
        (("inspect", "unroll", "parity.onnx", "--input", "101"), "parity.onnx is an exported file"),
        (("inspect", "flow", "parity.onnx"), "parity.onnx is an exported file"),
        (("sample", "parity.onnx"), "parity.onnx is a run of the task parity, not language"),
        (("export", "parity.onnx", "--to", "onnx"), "this is an exported file already"),
        (("export", "parity", "--to", "onnx", "--out", "data"), "--out data is a folder"),
        (("export", "parity", "--to", "onnx", "--out", "parity.bin"), "does not end in .onnx"),
        (("export", "parity", "--to", "onnx", "--out", "text.onnx"), "is there already, and elman did not export it"),
        (("export", "parity", "--to", "onxn"), "did you mean"),
        (("export", "nothing", "--to", "onnx"), "nothing holds no run"),
        (("export", "parity", "--to", "onnx", "--precision", "int4"), "int4"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_mistakes_are_one_line(
    words: tuple[str, ...], says: str, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    elman.load("parity").export("onnx", "parity.onnx")
    (here / "empty.onnx").touch()
    (here / "text.onnx").write_text("no graph")
    before = sorted(here.rglob("*"))
    assert says in refused(capsys, *words)
    assert sorted(here.rglob("*")) == before


def test_a_file_of_another_version_says_so(here: Path) -> None:
    facts = Facts.read(Session(read_checked(elman.load("parity").export().path), "it").metadata, Path("it"))
    later = facts.metadata("9.1") | {"elman.format": "2"}
    with pytest.raises(UserError, match=r"x\.onnx was exported by elman 9\.1, not by this version"):
        Facts.read(later, Path("x.onnx"))


@pytest.mark.parametrize("name", ["../out.json", "a/b.json", "run.py"])
def test_no_file_of_the_metadata_lands_elsewhere(name: str, here: Path) -> None:
    facts = Facts.read(Session(read_checked(elman.load("parity").export().path), "it").metadata, Path("it"))
    with pytest.raises(UserError, match="it keeps a file"):
        Facts.read(facts.metadata("0") | {f"elman.file.{name}": "{}"}, Path("x.onnx"))


def test_a_network_of_the_users_own_is_named(here: Path) -> None:
    run = elman.load("parity")
    run.model = torch.nn.Linear(2, 3)
    with pytest.raises(UserError, match="the network of the task parity is of the class Linear"):
        run.export()
    assert not (here / "parity/model.onnx").exists()
