"""Two processes with half of every batch each learn what one process learns from the whole."""

from __future__ import annotations

import signal
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from tests.forking import fork_elman
from tests.kills.cases import OTHER_SOURCES, make_cases
from tests.training.distributed import share_cases
from tests.training.distributed.launching import (
    ELMAN,
    SETTINGS,
    TORCHRUN,
    TRAIN,
    TWO,
    end,
    own_lines,
    run,
    start,
    start_forked,
    wait_for,
)
from tests.training.same_files import assert_same_files

import elman.training_run
from elman.training.monitoring.metrics_log import read_metrics

NOISE = {"dropout": 0.0, "recurrent_dropout": 0.0, "word_dropout": 0.0, "teacher_forcing": 1.0}
"""What each process draws for itself."""
CLOCKS = ("seconds", "per_second")


@pytest.mark.slow
def test_every_task(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(elman.training_run, "finish", lambda task, folder: None)
    names = []
    for name, case in make_cases(tmp_path).items():
        if name in OTHER_SOURCES:
            continue
        settings = case.settings
        calm = {field: value for field, value in NOISE.items() if hasattr(settings, field)}
        settings = replace(settings, **calm, device="cpu", watch=0, log_every=1, eval_every=3, steps=6)
        elman.training_run.train(case.task, settings, tmp_path / "alone" / name)
        names.append(name)
    errors = run(start_forked((*TWO, share_cases.__file__, "alone", "together"), tmp_path))
    assert "Warning" not in errors
    for name in names:
        one, two = tmp_path / "alone" / name, tmp_path / "together" / name
        assert {path.name for path in two.iterdir()} == {path.name for path in one.iterdir()}
        alone, together = read_metrics(one / "metrics.csv"), read_metrics(two / "metrics.csv")
        assert len(alone) == len(together) == 6
        for left, right in zip(alone, together, strict=True):
            assert left.keys() == right.keys()
            # rounding grows from step to step; a share that was lost, or counted twice, shows at the first
            tolerance = 1e-5 if left["step"] <= 2 else 3e-3
            for key in (key for key in left if not key.endswith(CLOCKS)):
                assert right[key] == pytest.approx(left[key], rel=tolerance, abs=1e-6, nan_ok=True), (name, key, left)


@pytest.mark.slow
def test_micro_batches_on_two_processes(folder: Path) -> None:
    train = ("--data", "rhyme.txt", *SETTINGS, "--steps", "30", "--dropout", "0")
    one = (*ELMAN[2:], *train, "--batch-size", "16", "--out", "run")
    said = own_lines(run(fork_elman(*one, folder=folder)))
    (folder / "run").rename(folder / "one")
    parts = ("--batch-size", "4", "--gradient-accumulation-steps", "4")
    two = (*TWO, *ELMAN, *train, *parts, "--out", "run")
    assert len(own_lines(run(start_forked(two, folder)))) == len(said)
    (folder / "run").rename(folder / "two")
    alone, together = read_metrics(folder / "one" / "metrics.csv"), read_metrics(folder / "two" / "metrics.csv")
    assert [row["step"] for row in alone] == [row["step"] for row in together]
    for left, right in zip(alone, together, strict=True):
        for name in {"loss", "lr", "grad_norm", "validation_loss"} & left.keys():
            assert name in right
            assert right[name] == pytest.approx(left[name], rel=1e-5), (left["step"], name)


@pytest.mark.slow
def test_stopped_by_signals_all_save_and_go_on(whole: Path, folder: Path) -> None:
    saved, words = folder / "run" / "last.safetensors", TRAIN
    for number in (signal.SIGINT, signal.SIGTERM):
        before = saved.stat().st_mtime_ns if saved.exists() else 0
        process = start_forked((*TWO, *words), folder)
        wait_for(saved, process, before)
        process.send_signal(number)
        code, errors = end(process)
        assert code != 0
        stopped = [line for line in own_lines(errors) if "stopped at step" in line]
        assert len(stopped) == 1, errors
        assert "saved in run" in stopped[0]
        words = (*ELMAN, "--out", "run", "--resume")
    run(start_forked((*TWO, *words), folder))
    assert_same_files(whole, folder / "run")


@pytest.mark.slow
def test_what_one_refuses_is_one_line(folder: Path) -> None:
    """Whatever it is of: the settings, the data, the folder; and in the middle of a training, as a user starts it."""
    for words, message in (
        (("--data", "nowhere.txt", "--out", "run"), "nowhere.txt"),
        (("--data", "rhyme.txt", "--out", "run", "--batch-size", "15"), "--batch-size is 15 for 2 processes"),
        (("--data", "rhyme.txt", "--out", "rhyme.txt"), "is a file"),
        (("--data", "rhyme.txt", "--out", "run", "--lr", "1e30", "--clip-norm", "0"), "is not finite"),
    ):
        command = (*TWO, *ELMAN, *SETTINGS, *words)
        as_a_user = message == "is not finite"
        code, errors = end(start((*TORCHRUN, *command), folder) if as_a_user else start_forked(command, folder))
        assert code != 0
        assert sum(line.startswith("Traceback") for line in errors.splitlines()) == 1, errors  # the launcher's own
        said = [line for line in own_lines(errors) if "text to model" not in line and "training into" not in line]
        assert len(said) == 1, errors
        assert message in said[0]


@pytest.mark.slow
def test_one_process_in_place_of_two_is_said(folder: Path) -> None:
    launcher = ("accelerate.commands.launch", "--cpu", "--num_processes=2", "--num_machines=1", "--mixed_precision=no")
    command = (sys.executable, "-m", *launcher, "--dynamo_backend=no", *ELMAN, "--data", "rhyme.txt", *SETTINGS)
    said = own_lines(run(start((*command, "--steps", "5", "--out", "run"), folder)))
    assert any("torchrun --nproc-per-node 2" in line for line in said)
