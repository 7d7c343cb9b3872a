"""Parity, learned by a tiny network from short strings, holds for long ones."""

import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

import elman
from elman.errors import UserError
from elman.run import load
from elman.tasks.memory.settings import Settings
from elman.training_run import train


@pytest.mark.slow
def test_learns_what_goes_on_for_ever(tmp_path: Path) -> None:
    settings = Settings(steps=1000, eval_every=500, threads=1)
    train("parity", settings, tmp_path / "run")
    run = load(tmp_path / "run")
    metrics = run.evaluate()
    assert metrics["accuracy_at_length_40"] == 1.0
    assert metrics["accuracy_at_length_100"] >= 0.99
    assert metrics["accuracy_at_length_1000"] >= 0.8
    answers = run.predict(["1000010101", "100011", "0", "1"])
    assert [answer.answer for answer in answers] == ["YES", "NO", "YES", "NO"]
    assert (tmp_path / "run" / "accuracy.svg").stat().st_size > 1000
    with pytest.raises(UserError, match="place 3"):
        run.predict(["10x1"])
    with pytest.raises(UserError, match="nothing to predict"):
        run.predict([])


def test_help_is_quick_and_imports_no_torch() -> None:
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "elman", "--help"], capture_output=True, text=True, check=True
    )
    assert time.perf_counter() - start < 5  # a loaded machine; benchmarks measure it
    imported = {line.rsplit("|", 1)[-1].strip() for line in done.stderr.splitlines()}
    assert not imported & {"torch", "numpy", "pandas", "matplotlib", "accelerate"}
    assert "train" in done.stdout
    assert elman.__version__


def test_fixed_trains_the_output_layer_alone(tmp_path: Path) -> None:
    from elman.tasks.memory.task import Task

    settings = Settings(problem="copy", fixed=True, max_length=3, steps=2, batch_size=2, threads=1)
    train("parity", settings, tmp_path / "run")
    torch.manual_seed(settings.seed)
    before = Task.new(settings).build_model().state_dict()
    after = load(tmp_path / "run").model.state_dict()
    changed = {name for name, value in after.items() if not torch.equal(value, before[name])}
    assert changed == {"output.weight", "output.bias"}
