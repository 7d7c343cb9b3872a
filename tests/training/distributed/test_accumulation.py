"""Micro-batches: their gradient is that of the large batch, in every task, whatever the lengths; resumed to the bit."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from tests.tasks.test_shares import NAMES, RUNS
from tests.training.distributed.launching import TEXT
from tests.training.same_files import assert_same_files

import elman
from elman.errors import UserError
from elman.tasks import language, memory, task_module
from elman.training.distributed.accumulation import backward
from elman.training.monitoring.metrics_log import read_metrics
from elman.training.optim import start_accelerator
from elman.training.run_folder import RunFolder, settings_from
from elman.training.signals import Interrupt, Interrupted


def gradients(task: Any, step: int) -> tuple[list[torch.Tensor], float, int]:
    torch.manual_seed(0)
    model = task.build_model().eval()  # nothing is dropped
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    loss = backward(task, model, parameters, step, (), start_accelerator(task.settings))
    found = [p.grad if p.grad is not None else torch.zeros_like(p) for p in parameters]
    return found, float(loss.total), loss.count


@pytest.mark.parametrize("name", [*NAMES, "language-words", "speech-class", "sentiment-characters", "adding"])
def test_the_gradient_is_that_of_the_large_batch(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(RUNS)
    kind, table = RunFolder(Path(name)).read()
    module = task_module(kind)
    settings = settings_from(module.Settings, table, Path(name))
    split = replace(settings, batch_size=settings.batch_size // 4, gradient_accumulation_steps=4)
    for step in (0, 2):
        large, total, count = gradients(module.Task.load(Path(name), settings), step)
        small, same_total, same_count = gradients(module.Task.load(Path(name), split), step)
        assert same_count == count
        # the same terms in another order: a bound on the rounding of a sum of so many
        eps = 100 * count * torch.finfo(torch.float32).eps
        assert same_total == pytest.approx(total, rel=eps)
        size = max(float(one.abs().max()) for one in large)
        for one, other in zip(large, small, strict=True):
            assert float((one - other).abs().max()) <= eps * size


def train(out: Path, text: Path, **changes: Any) -> Path:
    settings: dict[str, Any] = {
        "data": (str(text),), "steps": 40, "chunk": 16, "hidden_size": 16, "embedding_size": 8, "dropout": 0.0,
        "warmup": 5, "eval_every": 10, "checkpoint_every": 10, "log_every": 1, "threads": 1, "device": "cpu",
    }  # fmt: skip
    resume = changes.pop("resume", False)
    elman.train("language", language.Settings(**settings | changes), out, resume=resume)
    return out


@pytest.fixture
def text(tmp_path: Path) -> Path:
    path = tmp_path / "rhyme.txt"
    path.write_text(TEXT, encoding="utf-8")
    return path


def test_the_loss_curve_is_that_of_the_large_batch(text: Path, tmp_path: Path) -> None:
    """Two epochs, so that the carried states of all streams begin again; the norm is clipped in most steps."""
    large = train(tmp_path / "large", text, batch_size=16, clip_norm=0.3)
    small = train(tmp_path / "small", text, batch_size=4, gradient_accumulation_steps=4, clip_norm=0.3)
    one, other = read_metrics(large / "metrics.csv"), read_metrics(small / "metrics.csv")
    assert len(one) == len(other) == 40
    assert any(row["grad_norm"] > 0.3 for row in one)
    for left, right in zip(one, other, strict=True):
        assert right["lr"] == left["lr"]
        for name in {"loss", "grad_norm", "validation_loss"} & left.keys():
            assert right[name] == pytest.approx(left[name], rel=1e-4), (left["step"], name)
    carried = (load_file(folder / "last.safetensors")["carry/0"] for folder in (large, small))
    assert torch.allclose(*carried, atol=1e-3)


def test_a_resumed_run_is_the_same_to_the_bit(text: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parts = {"batch_size": 4, "gradient_accumulation_steps": 3, "dropout": 0.2}
    whole = train(tmp_path / "whole", text, **parts)
    step = iter(range(1, 1000))
    monkeypatch.setattr(Interrupt, "asked", property(lambda self: next(step) == 17))
    with pytest.raises(Interrupted, match="stopped at step 17"):
        train(tmp_path / "run", text, **parts)
    monkeypatch.undo()
    run = train(tmp_path / "run", text, **parts, resume=True)
    assert_same_files(whole, run)
    with pytest.raises(UserError, match="gradient_accumulation_steps=3"):
        train(tmp_path / "run", text, **parts | {"gradient_accumulation_steps": 2}, resume=True)


def test_what_fits_no_step_is_refused() -> None:
    with pytest.raises(UserError, match="at least 1"):
        memory.Settings(gradient_accumulation_steps=0)
    with pytest.raises(UserError, match="together they must be at most"):
        memory.Settings(batch_size=1 << 20, gradient_accumulation_steps=1 << 20)
