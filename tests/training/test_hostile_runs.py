"""Run folders that were tampered with, of every task: the right answer or one line, at once, and no warning."""

from __future__ import annotations

import json
import os
import random
import shutil
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import tomli_w
from tests.kills.cases import OLD_RUNS

import elman
from elman.cli.main import main
from elman.data.names import read_names, save_names
from elman.data.scaling import Scaler
from elman.errors import UserError
from elman.tasks.language import Settings as LanguageSettings
from elman.tasks.memory import Settings
from elman.training.tensor_files import read_tensors

EXPECTED = json.loads((OLD_RUNS / "expected.json").read_text(encoding="utf-8"))
ODD: list[Any] = [None, True, -1, 0, 1.5, 20_000, 10**18, 1e300, float("nan"), float("inf"), "", "x", "\x1b[31m"]
ODD += [[], {}, [[]], "999999999999D", 10**400]
RAW = ["[" * 100_000, '{"a":' * 100_000, "", "nul", "\0", "1" * 5000, '{"a": 1, "a": 2}']
CHANGES = 40
"""Of each file, drawn anew by a fixed seed from all places and odd values."""


@pytest.fixture(autouse=True)
def _data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(OLD_RUNS / "data", tmp_path / "data")
    monkeypatch.chdir(tmp_path)


@pytest.fixture(params=list(EXPECTED))
def run(request: pytest.FixtureRequest) -> Path:
    name: str = request.param
    return Path(shutil.copytree(OLD_RUNS / name, name))


def places(value: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where in a JSON value something can be put."""
    yield place
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in list(inner)[:12]:
        yield from places(part, (*place, key))


def with_odd(value: Any, place: tuple[Any, ...], odd: Any) -> Any:
    """A copy of a JSON value with an odd value at a place."""
    if not place:
        return odd
    changed = value.copy()
    changed[place[0]] = with_odd(value[place[0]], place[1:], odd)
    return changed


def load_and_predict(run: Path) -> None:
    """What a stranger's run is asked for first."""
    try:
        for prediction in elman.load(run).predict(EXPECTED[run.name]["inputs"]):
            json.dumps(prediction.to_json(), allow_nan=False)
            prediction.show()
    except UserError as error:
        said = str(error)
        assert "\n" not in said


def test_odd_values_in_the_files_of_a_run(run: Path) -> None:
    chance = random.Random(run.name)
    for path in sorted(run.glob("*.json")):
        text = path.read_text(encoding="utf-8")
        value = json.loads(text)
        changes = [(place, odd) for place in places(value) for odd in ODD]
        drawn = chance.sample(changes, min(CHANGES, len(changes)))
        for content in RAW + [json.dumps(with_odd(value, *change)) for change in drawn]:
            path.write_text(content, encoding="utf-8")
            load_and_predict(run)
        path.write_text(text, encoding="utf-8")


def test_odd_values_in_the_settings(run: Path) -> None:
    chance = random.Random(run.name)
    path = run / "settings.toml"
    table = tomllib.loads(path.read_text(encoding="utf-8"))
    changes = [(name, odd) for name in table for odd in ODD if odd is not None and odd != 10**400]
    for name, odd in chance.sample(changes, CHANGES):
        path.write_text(tomli_w.dumps(table | {name: odd}), encoding="utf-8")
        load_and_predict(run)


@pytest.mark.parametrize(
    ("name", "file", "change"),
    [
        ("forecasting-direct", "series.json", {"naive_error": []}),
        ("forecasting-direct", "series.json", {"naive_error": [0.0]}),
        ("forecasting-direct", "series.json", {"naive_error": [-1.0]}),
        ("forecasting-direct", "series.json", {"naive_error": [1.0, 1.0]}),
        ("forecasting-direct", "series.json", {"mean": [1e300] * 3}),
        ("series-memory", "scaler.json", {"std": [1e300, 1.0]}),
        ("series-memory", "scaler.json", {"std": [1.0, 0.0]}),
        ("series-memory", "scaler.json", {"mean": [1.0]}),
    ],
)
def test_scales_that_no_run_has(name: str, file: str, change: dict[str, Any]) -> None:
    run = Path(shutil.copytree(OLD_RUNS / name, name))
    table = json.loads((run / file).read_text())
    scale = next(iter(table["scales"].values())) if "scales" in table else table
    scale |= change
    (run / file).write_text(json.dumps(table))
    with pytest.raises(UserError, match=f"{file} is damaged"):
        elman.load(run)


@pytest.mark.parametrize("step", ["foo", "", "0", "0D", "-1D", "1e999", "999999999999D", "nan"])
def test_steps_that_no_series_has(step: str) -> None:
    run = Path(shutil.copytree(OLD_RUNS / "forecasting-direct", "forecasting-direct"))
    table = json.loads((run / "series.json").read_text()) | {"frequency": step}
    (run / "series.json").write_text(json.dumps(table))
    with pytest.raises(UserError, match=r"series\.json is damaged"):
        elman.load(run)


@pytest.mark.parametrize("names", [[], ["a", ""], ["a", "a"], ["a", "\x1b[31m"], ["a", "\x9b"], ["a", "\ud800"]])
def test_names_that_no_run_has(names: list[str], tmp_path: Path) -> None:
    path = tmp_path / "names.json"
    with pytest.raises(UserError, match="correct the data"):
        save_names(path, names)
    assert not path.exists()
    path.write_text(json.dumps(names))
    with pytest.raises(UserError, match="is damaged"):
        read_names(path)


def test_names_and_scales_come_back_as_they_were(tmp_path: Path) -> None:
    save_names(tmp_path / "names.json", ["ä b", "-1", "ﬁ"])
    assert read_names(tmp_path / "names.json") == ("ä b", "-1", "ﬁ")
    import numpy as np

    scaler = Scaler(np.float32([1 / 3, -1e30]), np.float32([1e-6, 7]))
    scaler.save(tmp_path / "scaler.json")
    found = Scaler.load(tmp_path / "scaler.json")
    assert (found.mean == scaler.mean).all()
    assert (found.std == scaler.std).all()


@pytest.mark.parametrize(
    ("setting", "value"),
    [("hidden_size", 131_072), ("layers", 1000), ("embedding_size", 100_000), ("hidden_size", 10**18)],
)
def test_sizes_that_the_weights_do_not_have(setting: str, value: int) -> None:
    run = Path(shutil.copytree(OLD_RUNS / "language-words", "language-words"))
    table = tomllib.loads((run / "settings.toml").read_text()) | {setting: value}
    (run / "settings.toml").write_text(tomli_w.dumps(table))
    with pytest.raises(UserError, match=f"`{setting}` is {value}"):
        elman.load(run)


def test_a_size_that_is_that_of_another_weight(monkeypatch: pytest.MonkeyPatch) -> None:
    """The square of it is refused before it is allocated."""
    monkeypatch.setattr("elman.training.checks.sizes.SMALL", 16)
    monkeypatch.setattr("elman.training.checks.sizes.TEMPORARY", 1)
    run = Path(shutil.copytree(OLD_RUNS / "sentiment-words", "sentiment-words"))
    table = tomllib.loads((run / "settings.toml").read_text())
    tensors, _ = read_tensors(run / "model.safetensors")
    largest = max(size for tensor in tensors.values() for size in tensor.shape)
    (run / "settings.toml").write_text(tomli_w.dumps(table | {"hidden_size": largest}))
    with pytest.raises(UserError, match="one of its weights would have"):
        elman.load(run)


@pytest.mark.parametrize(
    ("name", "other", "said"),
    [
        (
            "language-words/vocabulary.json",
            "language-bpe/vocabulary.json",
            "is a vocabulary of bpe, and the run's is of words",
        ),
        ("translation-dot/source.vocabulary.json", "language-bpe/vocabulary.json", "it has no <pad>"),
        ("sentiment-characters/vocabulary.json", "language-characters/vocabulary.json", "it has no <pad>"),
        ("captioning/vocabulary.json", "language-words/vocabulary.json", "it has no <pad>"),
    ],
)
def test_a_vocabulary_of_another_run(name: str, other: str, said: str) -> None:
    run = Path(shutil.copytree(OLD_RUNS / Path(name).parent, "run"))
    shutil.copy(OLD_RUNS / other, run / Path(name).name)
    with pytest.raises(UserError, match=said):
        elman.load(run)


def test_a_model_that_no_memory_holds(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="the model is too large for the"):
        elman.train("parity", Settings(hidden_size=131_072, layers=1000), tmp_path / "run")


def test_the_lock_and_the_pictures_are_written_through_no_link(tmp_path: Path) -> None:
    run = Path(shutil.copytree(OLD_RUNS / "parity", "parity"))
    other, elsewhere = tmp_path / "other.txt", tmp_path / "elsewhere"
    other.write_text("mine")
    elsewhere.mkdir()
    (run / ".elman.lock").symlink_to(other)
    with pytest.raises(UserError, match=r"cannot write .*\.elman\.lock"):
        main_train(run)
    assert other.read_text() == "mine"
    (run / ".elman.lock").unlink()
    (run / "inspect").symlink_to(elsewhere)
    with pytest.raises(SystemExit) as stop:
        main(["inspect", "flow", str(run)])
    assert stop.value.code == 2
    assert not os.listdir(elsewhere)


def main_train(run: Path) -> None:
    from elman.tasks import task_module
    from elman.training.run_folder import RunFolder, settings_from

    folder = RunFolder(run)
    task, table = folder.read()
    elman.train(task, settings_from(task_module(task).Settings, table, folder.settings), run, resume=True)


def test_files_of_the_own_are_found_from_any_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = LanguageSettings(
        data=("data/rhyme.txt",), hidden_size=4, embedding_size=4, steps=2, warmup=0, chunk=8, batch_size=2
    )
    elman.train("language", settings, "run")
    elman.train("language", settings, "run", resume=True)  # a relative path is the same file
    monkeypatch.chdir("/")
    assert elman.load(tmp_path / "run").evaluate()["validation_loss"] > 0
    stored = tomllib.loads((tmp_path / "run" / "settings.toml").read_text())
    assert stored["data"] == [str(tmp_path / "data" / "rhyme.txt")]
