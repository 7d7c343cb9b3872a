"""`elman describe` as it is typed, and the first line of a training."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import numpy as np
import pytest
import soundfile

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


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ([5] * 100, "'v' is constant in the training part"),
        ([0] * 85 + [*range(15)], "'v' is constant in the training part"),
        ([1, 2, 3], "the training part has 1 rows, too few to learn from"),
    ],
)
def test_no_command_that_fails(
    values: list[int], says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = "".join(f"{number},{value}\n" for number, value in enumerate(values))
    (tmp_path / "a.csv").write_text("t,v\n" + rows)
    code, out, err = run(capsys, "describe", str(tmp_path / "a.csv"))
    assert (code, err) == (0, "")
    assert "elman train" not in out
    assert f"note: training cannot begin: the series: {says}" in out
    code, out, _ = run(capsys, "describe", str(tmp_path / "a.csv"), "--json")
    told = json.loads(out)
    assert (code, told["command"]) == (0, None)
    assert says in told["notes"][-1]


def test_a_recording_without_sound_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("low", "high"):
        (tmp_path / name).mkdir()
        for number in range(4):
            samples = np.sin(np.arange(4000) * (0.1 if name == "low" else 0.4))
            soundfile.write(
                tmp_path / name / f"{number}.wav", samples[: 0 if (name, number) == ("low", 2) else None], 8000
            )
    code, out, _ = run(capsys, "describe", str(tmp_path))
    assert code == 0
    assert "2.wav has no sound in it (0 samples)" in out
    assert "elman train" not in out


def test_a_file_named_as_an_option(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("-dash.csv").write_text("t,v\n" + "".join(f"{t},{t % 7}\n" for t in range(100)))
    _, out, _ = run(capsys, "describe", "./-dash.csv")
    assert out.splitlines()[-1] == "train: elman train forecasting --data ./-dash.csv --out runs/dash"


def test_of_a_large_table_of_numbers_the_beginning_is_weighed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("elman.cli.description.command.MOST_NUMBERS", 2_000)
    rows = "".join(f"{n},{n % 7},{n % 5}.5\n" for n in range(1_000))
    path = tmp_path / "numbers.csv"
    path.write_text(f"step,load,heat\n{rows}")
    code, out, _ = run(capsys, "describe", str(path), "--json")
    told = json.loads(out)
    assert code == 0
    assert f"{path}: the first 2.0 kB of {len(path.read_text()) / 1000:.1f} kB are described" in told["notes"]
    assert told["command"][:3] == ["elman", "train", "forecasting"]


def test_a_column_of_texts_that_is_not_called_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = "".join(f"{n},the food of day {n} was fine,{n % 2}\n" for n in range(40))
    (tmp_path / "a.csv").write_text("id,remarks,score\n" + rows)
    code, out, err = run(capsys, "describe", str(tmp_path / "a.csv"), "--task", "sentiment", "--label-column", "score")
    assert (code, err) == (0, "")
    assert "--text-column remarks --label-column score" in out.splitlines()[-1]
    (tmp_path / "one.csv").write_text("comments\n" + "".join(f"the food of day {n} was fine\n" for n in range(400)))
    code, out, err = run(capsys, "describe", str(tmp_path / "one.csv"))
    assert (code, err) == (0, "")
    assert "elman train language" in out
    code, out, err = run(capsys, "describe", str(tmp_path / "one.csv"), "--task", "sentiment")
    assert code == 2
    assert "its only column is 'comments', and texts with labels take two" in err


def test_fields_of_json_that_are_called_otherwise(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "a.jsonl"
    rows = [{"id": n, "remarks": f"the food of day {n}", "queue": "ab"[n % 2], "level": n % 3} for n in range(40)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    code, _, err = run(capsys, "describe", str(path))
    assert code == 2
    assert "no field is called text; its first line has 'id', 'remarks', 'queue', 'level'" in err
    assert "number" not in err
    command = err.strip().split(": elman ")[-1]
    assert command == f"describe {path} --text-column remarks --label-column queue"
    assert run(capsys, *command.split())[0] == 0
