"""The counters of a run: how far it is, what it lost lately, what was best."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.utils import reduce
from torch import Tensor, nn

from elman.errors import UserError, optional_imports
from elman.training.lr_schedule import BestTracker
from elman.training.report import figure

SHOWN = 5
"""Metrics in the line of an evaluation, at most; metrics.csv has all."""
LARGEST = 1e15
"""No counter of a run is larger."""


@dataclass
class Window:
    """Sums since the last row of metrics.csv."""

    loss: float = 0.0
    count: int = 0
    seconds: float = 0.0


@dataclass
class TrainState:
    """The counters of a run, kept in its checkpoint."""

    judge: BestTracker
    step: int = 0
    window: Window = field(default_factory=Window)
    grad_norm: float = 0.0
    seconds: float = 0.0  # of training steps, without evaluation and start-up


def saved_state(header: dict[str, Any], path: Path) -> TrainState:
    """The counters of a checkpoint's header.

    Raises:
        UserError: one is missing, of another type, not finite, or none that a run can have.
    """
    with optional_imports():
        import msgspec

    damaged = f"{path} is damaged: its header is not that of a checkpoint"
    try:
        state = msgspec.convert(header, TrainState)
    except (msgspec.ValidationError, OverflowError, UnicodeEncodeError) as error:
        raise UserError(f"{damaged} ({str(error)[:120]}); restore it from a copy") from error
    judge, window = state.judge, state.window
    sizes = (state.grad_norm, state.seconds, window.seconds)
    counts = (judge.best_step, judge.evaluations_since, judge.drops, window.count)
    if not (
        all(0 <= size < LARGEST for size in sizes)
        and all(0 <= count < LARGEST for count in counts)
        and abs(window.loss) < LARGEST**2
        and (judge.best is None or abs(judge.best) < LARGEST)
        and 0 <= judge.best_step <= state.step < LARGEST
    ):
        raise UserError(f"{damaged} (a counter that no run has); restore it from a copy")
    return state


def accumulate(pending: list[tuple[Tensor, Tensor, int]], state: TrainState, accelerator: Accelerator) -> None:
    """Add the losses of the steps since last time to the window, and stop if one was not finite."""
    if not pending:
        return
    totals = torch.stack([total for total, _, _ in pending])
    if accelerator.num_processes > 1:
        totals = reduce(totals, "sum")
    first = state.step - len(pending)
    for index, (total, (_, norm, count)) in enumerate(zip(totals.tolist(), pending, strict=True)):
        size = float(norm)
        if not (math.isfinite(total) and math.isfinite(size)):
            what = "loss" if not math.isfinite(total) else "gradient"
            raise not_finite(what, first + index + 1, first + index, state)
        state.grad_norm = size
        state.window.loss += total
        state.window.count += count
    pending.clear()


def check_weights(parameters: list[nn.Parameter], state: TrainState) -> None:
    """Stop before weights that are not finite take a good checkpoint's place."""
    if not bool(torch.nn.utils.get_total_norm(parameters).isfinite()):
        raise not_finite("weights' size", state.step, state.step, state)


class NotFiniteError(UserError):
    """Training has blown up.

    Attributes:
        updates: of the weights, before it; none where the first loss or gradient was not finite.
    """

    updates: int = 0


def not_finite(what: str, step: int, updates: int, state: TrainState) -> NotFiniteError:
    """What happened when training has blown up; what to do depends on the run's settings."""
    norm = f"; the last gradient norm was {state.grad_norm:.3g}" if updates else ""
    error = NotFiniteError(f"the {what} is not finite at step {step}{norm}")
    error.updates = updates
    return error


def window_metrics(state: TrainState, rate: float, unit: str) -> dict[str, float]:
    """The row for metrics.csv since the last one; starts a new window."""
    window, state.window = state.window, Window()
    state.seconds += window.seconds
    loss, speed = window.loss / window.count, window.count / max(window.seconds, 1e-9)
    return {
        "loss": loss,
        "lr": rate,
        "grad_norm": state.grad_norm,
        f"{unit}_per_second": speed,
        "seconds": state.seconds,
    }


def evaluation_line(state: TrainState, metric: str, metrics: dict[str, float], before: float | None) -> str:
    """One line about an evaluation: the metrics of the validation part, and the best so far.

    Arguments:
        before: the best of the evaluations before this one; none where it is the first. What is better than that in
            digits alone that are not shown is not called better.
    """
    own = {name: value for name, value in metrics.items() if not name.startswith("best_baseline")}  # it stays the same
    first = {name: value for name, value in own.items() if name in (metric, "loss")} | own
    shown = "  ".join(f"{name} {figure(value)}" for name, value in list(first.items())[:SHOWN])
    best = figure(state.judge.best or 0.0)
    if state.judge.evaluations_since:
        ending = f"  best {metric} {best} at {state.judge.best_step}"
    else:
        ending = "" if before is not None and figure(before) == best else "  best so far"
    return f"step {state.step:>6}  validation {shown}{ending}"
