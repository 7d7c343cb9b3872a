"""`elman describe` as it is typed, and the first line of a training."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest

from elman.cli.main import main


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    code: int | str | None = 0
    try:
        main([*words])
    except SystemExit as end:
        code = end.code
    out, err = capsys.readouterr()
    return int(code or 0), out, err


@pytest.fixture
def reviews(tmp_path: Path) -> Path:
    path = tmp_path / "my reviews.csv"
    path.write_text("text,label\n" + "".join(f"it was {w} {n},{w}\n" for n in range(20) for w in ("good", "bad")))
    return path


def test_the_command_it_gives_trains(
    reviews: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    code, out, _ = run(capsys, "describe", str(reviews))
    assert code == 0
    command = shlex.split(out.strip().splitlines()[-1].removeprefix("train: "))
    assert command[:3] == ["elman", "train", "sentiment"]
    code, out, err = run(capsys, *command[1:], "--steps", "2", "--members", "1", "--folds", "0", "--eval-every", "2")
    assert code == 0, err
    first = err.splitlines()[0]
    assert "40 texts; 2 classes (bad 20, good 20)" in first
    assert "text 'text', label 'label'" in first


def test_json(reviews: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "describe", str(reviews), "--json")
    told = json.loads(out)
    assert code == 0
    assert told["task"] == "sentiment"
    assert told["facts"]["classes"] == {"bad": 20, "good": 20}
    assert told["command"][:2] == ["elman", "train"]


def test_a_table_that_cannot_be_trained_on_shows_its_columns(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.csv").write_text("date,v\n2020-01-05,1\n2020-01-03,2\n2020-01-09,3\n")
    code, out, err = run(capsys, "describe", str(tmp_path / "a.csv"))
    assert code == 2
    assert "dates" in out
    assert "sort the rows by time" in err


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ([], "nothing to describe"),
        (["nowhere.csv"], "there is no file or folder nowhere.csv"),
        (["sst2", "--task", "parity"], "makes its data"),
        (["sst2", "--series-id", "x"], "--series-id is not for labelled text"),
        (["sst2", "--task", "sentimant"], "did you mean sentiment?"),
        (["sst2", "fsdd"], "there is no file sst2"),
    ],
)
def test_mistakes(words: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run(capsys, "describe", *words)
    assert code == 2
    assert says in err
    assert len(err.strip().splitlines()) == 1
