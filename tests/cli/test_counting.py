"""What predicts and measures for long counts its work on standard error; a terminal has one bar at a time."""

from __future__ import annotations

import io
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from tests.old_runs.test_old_runs import OLD_RUNS

import elman
from elman.cli import progress
from elman.cli.main import main
from elman.cli.progress import TerminalDisplay
from elman.training.progress import Display, use_display


class Recorder(Display):
    """Keeps what was counted: its name, how many there are, and how many were done in the end."""

    def __init__(self) -> None:
        self.counted: list[tuple[str, int, int]] = []

    @contextmanager
    def counting(self, description: str, total: int) -> Iterator[Callable[[int], None]]:
        """Count."""
        reached = [0]
        yield lambda done: reached.append(done)
        assert reached == sorted(reached)
        self.counted.append((description, total, reached[-1]))


@pytest.fixture
def recorder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Recorder]:
    """The display in use, beside a copy of the small runs."""
    shutil.copytree(OLD_RUNS, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    recorder = Recorder()
    use_display(recorder)
    yield recorder
    use_display(Display())


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("sentiment-words", "judging, sequences"),
        ("series-memory", "judging, sequences"),
        ("language-characters", "judging, pieces of text"),
        ("translation-dot", "translating, texts"),
        ("captioning", "captioning, pictures"),
        ("speech-strings", "transcribing, recordings"),
    ],
)
def test_evaluate_counts(name: str, what: str, recorder: Recorder) -> None:
    elman.load(name).evaluate()
    assert {counted for counted, _, _ in recorder.counted} == {what}
    assert all(total == done > 0 for _, total, done in recorder.counted)


def test_many_series_are_counted(recorder: Recorder) -> None:
    run = elman.load("series-memory")
    run.predict([np.zeros((5, 2), np.float32)] * 3)
    assert recorder.counted == [("reading, inputs", 3, 3), ("judging, series", 3, 3)]


def test_a_terminal_has_one_bar_at_a_time(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setattr(progress, "BAR_AFTER", -1.0)
    shown = TerminalDisplay()
    with shown.counting("outer", 200) as outer, shown.counting("inner", 300) as inner:
        inner(300)
        outer(200)
    with shown.training(10, 0, "sequences") as bar, shown.counting("judging", 200) as judging:
        judging(200)
        bar.step(10)
    with shown.counting("after", 200) as after:
        after(200)
    told = capsys.readouterr().err
    assert "outer" in told
    assert "after" in told
    assert "inner" not in told
    assert "judging" not in told


def test_files_are_written_though_the_reader_of_the_text_has_gone(
    recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Gone(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError

    monkeypatch.setattr(sys, "stdout", Gone())
    with pytest.raises(SystemExit) as ended:
        main(["predict", "forecasting-direct", "data/next.csv", "--out", "written"])
    assert ended.value.code == 1
    assert Path("written.csv").read_text().count("\n") > 1
    assert Path("written.png").exists()
