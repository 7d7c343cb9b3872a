"""Every task and kind of source: resumed to the same bits, used from any folder, never resumed with other data."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.kills.cases import OLD_RUNS, OTHER_SOURCES, Case, make_cases
from tests.kills.harness import compare, files_of, predictions

import elman
import elman.training.loop
import elman.training_run
from elman.errors import UserError

NAMES = [path.name for path in sorted(OLD_RUNS.iterdir()) if (path / "settings.toml").exists()] + list(OTHER_SOURCES)
STOPPED_AT = 13


class Killed(BaseException):
    """Stands for SIGKILL: nothing is saved any more."""


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Case]]:
    """All cases, in a folder with their data, which is the working folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("sources"))
        patch.setattr(elman.training_run, "finish", lambda task, folder: None)  # plots take longer than the training
        yield make_cases(Path())


def case_of(cases: dict[str, Case], name: str) -> Case:
    if name not in cases:
        pytest.skip("the network that sees pictures is not in the cache (ELMAN_DATA)")
    return cases[name]


def train_until(case: Case, out: Path, stop: int) -> None:
    """Train, and end as if killed before step `stop`."""
    rate = elman.training.loop.learning_rate

    def killed(settings: Any, step: int, drops: int) -> float:
        if step == stop:
            raise Killed
        return rate(settings, step, drops)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(elman.training.loop, "learning_rate", killed)
        with pytest.raises(Killed):
            elman.train(case.task, case.settings, out)


@pytest.mark.parametrize("name", NAMES)
def test_resumes_to_the_same_bits(name: str, cases: dict[str, Case], monkeypatch: pytest.MonkeyPatch) -> None:
    case, whole, out = case_of(cases, name), Path(f"whole-{name}").absolute(), Path(f"out-{name}").absolute()
    elman.train(case.task, case.settings, whole)
    for stop in (3, STOPPED_AT) if name in ("captioning", "sentiment-words") else (STOPPED_AT,):
        shutil.rmtree(out, ignore_errors=True)
        train_until(case, out, stop)
        elman.train(case.task, case.settings, out, resume=True)
        compare(files_of(out), files_of(whole))
        assert predictions(case, out) == predictions(case, whole)
    monkeypatch.chdir("/")
    assert elman.load(out).evaluate()


def scaled(path: Path) -> None:
    arrays = dict(np.load(path))
    np.savez(path, **{name: value * 2 if value.dtype.kind == "f" else value for name, value in arrays.items()})


def swapped(path: Path, one: str, other: str) -> None:
    text = path.read_text(encoding="utf-8").replace(one, "\0").replace(other, one).replace("\0", other)
    path.write_text(text, encoding="utf-8")


def repainted(path: Path) -> None:
    from PIL import Image

    Image.new("RGB", (40, 30), "orange").save(path)


CHANGES: dict[str, tuple[Any, str]] = {
    "language-characters": (lambda data: swapped(data / "rhyme.txt", "o", "e"), "training text"),
    "sentiment-words": (lambda data: swapped(data / "reviews.csv", ",good", ",bad"), "training part"),
    "sentiment-characters": (lambda data: (data / "moods" / "sad" / "0.txt").write_text("yes"), "part"),
    "series-memory": (lambda data: scaled(data / "waves.npz"), "training part"),
    "speech-class": (lambda data: shutil.copy(data / "tones" / "1.wav", data / "tones" / "3.wav"), "part"),
    "speech-characters": (lambda data: shutil.copy(data / "tones" / "1.wav", data / "tones" / "3.wav"), "part"),
    "translation-table": (lambda data: swapped(data / "pairs.tsv", "x", "y"), "training part"),
    "captioning": (lambda data: scaled(data / "seen.npz"), "features of the training part"),
    "captioning-features": (lambda data: swapped(data / "captions.csv", "wall", "floor"), "training part"),
    "captioning-pictures": (lambda data: repainted(data / "pictures" / "red.png"), "folder of pictures"),
    "forecasting-direct": (lambda data: swapped(data / "shops.csv", "49.3", "50.3"), "series"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_other_data_are_refused(name: str, cases: dict[str, Case], tmp_path: Path) -> None:
    case, out, (change, part) = case_of(cases, name), tmp_path / "run", CHANGES[name]
    here = tmp_path / "data"
    shutil.copytree("data", here)
    moved = {
        name: tuple(one.replace("data/", f"{here}/") for one in value)
        if isinstance(value, tuple)
        else value.replace("data/", f"{here}/")
        for name in case.settings.own_sources()
        if (value := getattr(case.settings, name))
    }
    case = replace(case, settings=replace(case.settings, **moved, steps=4, checkpoint_every=2))
    train_until(case, out, 3)
    change(here)
    with pytest.raises(UserError, match=f"the data have changed since .*{part} is another") as error:
        elman.train(case.task, case.settings, out, resume=True)
    assert "\n" not in str(error.value)
    (out / "data.json").unlink()
    elman.train(case.task, case.settings, out, resume=True)
