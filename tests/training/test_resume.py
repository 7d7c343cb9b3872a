"""A run that was killed and resumed ends with the same weights, to the bit, as one that was not."""

import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.forking import Forked, fork_elman
from tests.training.same_files import assert_same_files

SETTINGS = (
    "--steps 60 --batch-size 8 --chunk 16 --hidden-size 24 --embedding-size 8 --dropout 0.2 --eval-every 20 "
    "--checkpoint-every 10 --log-every 5 --threads 1 --layers 2 --recurrent-dropout 0.1"
).split()


def start(*arguments: str) -> Forked:
    return fork_elman(*arguments, folder=Path())


def run(*arguments: str) -> tuple[int | None, str]:
    process = start(*arguments)
    _, errors = process.communicate(timeout=300)
    return process.returncode, errors


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("text") / "rhyme.txt"
    path.write_text("one for sorrow, two for joy,\nthree for a girl, four for a boy.\n" * 60, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def whole(text: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As a user starts it; the others are forked."""
    out = tmp_path_factory.mktemp("whole") / "run"
    command = [sys.executable, "-m", "elman", "train", "language", "--data", str(text), "--out", str(out), *SETTINGS]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return out


def assert_same_run(one: Path, other: Path) -> None:
    assert_same_files(one, other)
    speed = {"chars_per_second", "seconds"}
    assert rows_without(one / "metrics.csv", speed) == rows_without(other / "metrics.csv", speed)


def rows_without(path: Path, names: set[str]) -> list[dict[str, float]]:
    from elman.training.monitoring.metrics_log import read_metrics

    return [{name: value for name, value in row.items() if name not in names} for row in read_metrics(path)]


def wait_for_checkpoint(process: Forked, out: Path) -> None:
    deadline = time.monotonic() + 120
    while not (out / "last.safetensors").exists():
        assert process.poll() is None, process.communicate(1)[1]
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_killed_and_resumed(text: Path, whole: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    process = start("train", "language", "--data", str(text), "--out", str(out), *SETTINGS)
    wait_for_checkpoint(process, out)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=120)
    assert process.returncode == -signal.SIGKILL
    code, errors = run("train", "language", "--out", str(out), "--resume")
    assert code == 0, errors
    assert_same_run(whole, out)


def test_interrupted_and_resumed(text: Path, whole: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    process = start("train", "language", "--data", str(text), "--out", str(out), *SETTINGS)
    wait_for_checkpoint(process, out)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=120)
    if process.returncode == 0:
        pytest.fail("the run was over before the signal came; give it more steps")
    assert process.returncode == 130
    assert errors.count("\n") == 3  # what was read, that it began, and where it stopped
    assert f"saved in {out}" in errors
    command = errors.strip().split("; go on with: elman ")[1]
    code, errors = run(*shlex.split(command))
    assert code == 0, errors
    assert_same_run(whole, out)


def test_resuming_a_finished_run_changes_nothing(whole: Path) -> None:
    before = (whole / "last.safetensors").read_bytes()
    code, errors = run("train", "language", "--out", str(whole), "--resume")
    assert code == 0, errors
    assert (whole / "last.safetensors").read_bytes() == before


def test_refuses_other_settings(whole: Path) -> None:
    code, errors = run("train", "language", "--out", str(whole), "--resume", "--hidden-size", "32")
    assert code == 2
    assert errors.startswith("elman: ")
    assert errors.count("\n") == 1
    assert "--hidden-size 24, not 32" in errors
