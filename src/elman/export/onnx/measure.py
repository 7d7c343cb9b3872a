"""What rounding the weights costs: the run's own metric on its validation part, of the run and of the file."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from elman.errors import UserError
from elman.export.trained import TrainedRun
from elman.training.task import Task

RUN, FILE = "run", "file"
MOST_LOST = 0.01
"""The share of the metric that may be lost, at most."""
SMALL = 1e-3
"""What may be lost of any metric: a loss of nearly nothing is allowed to double."""


def measured(run: TrainedRun, exported: nn.Module, task: Task[Any]) -> dict[str, float]:
    """The metric that decides which weights are best, on the validation part: of the run and of the exported file.

    Arguments:
        task: that of the exported file, which leaves to the graph what the graph does.

    Raises:
        UserError: the validation part cannot be read.
    """
    with torch.no_grad():
        return {RUN: _metric(run.task, run.model), FILE: _metric(task, exported)}


def _metric(task: Task[Any], model: nn.Module) -> float:
    """The metric; where evaluation in training would change the network, as it calibrates, by what only looks."""
    found = task.examine(model).metrics if task.calibrates else task.evaluate(model)
    return found[f"validation_{task.metric}"] if task.calibrates else found[task.metric]


def check_loss(task: Task[Any], found: dict[str, float], precision: str, others: str = "float16 or float32") -> None:
    """Raise a UserError where a file loses more than `MOST_LOST`, and more than `SMALL`; `others` lose less."""
    before, after = found[RUN], found[FILE]
    lost = before - after if task.higher_is_better else after - before
    if not lost <= max(SMALL, MOST_LOST * abs(before)):  # not a number is a loss, too
        raise UserError(
            f"`precision={precision}` loses too much: {task.metric} on the validation part is {after:.4g}, of the run"
            f" {before:.4g}, and at most {MOST_LOST:.0%} may be lost; choose {others}"
        )
