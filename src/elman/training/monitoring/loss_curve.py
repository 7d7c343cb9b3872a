"""The loss curve of a run, from its metrics.csv."""

from __future__ import annotations

import contextlib
from pathlib import Path

import numpy as np

from elman.errors import UserError
from elman.plotting.mpl import Axes
from elman.plotting.palette import PALETTE
from elman.plotting.style import DASHES, MARKERS, new_figure, save_figure
from elman.runtime.tensors import read_weights
from elman.training.monitoring.metrics_log import Row, read_metrics
from elman.training.report import figure as figure_of
from elman.training.run_folder import RunFolder

FLAT = 1e-4
"""A span of values this small, as a share of their size, is rounding: the title's digits do not show it."""


def draw_loss_curve(folder: RunFolder, metric: str, unit: str, *, higher_is_better: bool) -> tuple[Path, Path]:
    """Draw training loss and validation metric over the steps, as loss.svg and loss.png in the run folder.

    The best step is the one whose weights the folder holds. A single evaluation stands in the title, without a panel.

    Arguments:
        metric: the validation metric that decides; "loss" shares the axis of the training loss.
        unit: of the loss, for the axis: "nats per character".
        higher_is_better: whether the best value of the metric is the largest.
    """
    rows = read_metrics(folder.metrics)
    steps, losses = _column(rows, "loss")
    seen, values = _column(rows, f"validation_{metric}")
    if not (values and losses):
        raise UserError(f"{folder.metrics} has no rows to draw; the run itself is complete")
    best = _saved_step(folder, seen)
    if best is None:
        best = (max if higher_is_better else min)(range(len(values)), key=values.__getitem__)
    only = "Best validation" if len(values) > 1 else "Validation"
    title = f"{only} {metric} {figure_of(values[best])} at step {seen[best]:,.0f} of {steps[-1]:,.0f}"
    apart = metric != "loss" and len(values) > 1
    figure, axes = new_figure(title, rows=2 if apart else 1, height=6.0 if apart else 4.5, sharex=True)
    dash, dot = (DASHES[0], "") if len(losses) > 1 else ("", MARKERS[0])
    axes[0].plot(steps, losses, color=PALETTE[0], linestyle=dash, marker=dot, label="training loss")
    shown, name = axes[-1], f"validation {metric}"
    if len(values) > 1:
        shown.plot(seen, values, color=PALETTE[1], linestyle=DASHES[1], marker=MARKERS[0], label=name)
    if apart or metric == "loss":
        star = "best" if len(values) > 1 else name
        shown.plot(seen[best], values[best], color=PALETTE[1], marker="*", markersize=16, linestyle="", label=star)
    axes[0].set_ylabel(f"loss ({unit})")
    if apart:
        shown.set_ylabel(metric)
    for axis in axes:
        _without_rounding(axis)
        axis.legend()
    axes[-1].set_xlabel("optimiser steps")
    return save_figure(figure, folder.path / "loss")


def _saved_step(folder: RunFolder, seen: list[float]) -> int | None:
    """Which evaluation the weights in the folder are of; None where they do not say, or it is not in the table."""
    with contextlib.suppress(UserError, KeyError, TypeError, ValueError):
        return seen.index(float(read_weights(folder.weights)[1]["step"]))
    return None


def _without_rounding(axis: Axes) -> None:
    """Draw values flat that differ by rounding alone, and write no axis as an offset and the rest."""
    values = np.concatenate([np.asarray(line.get_ydata(), dtype=np.float64) for line in axis.lines])
    low, high = float(values.min()), float(values.max())
    size = max(abs(low), abs(high))
    if high - low <= FLAT * size:
        middle, room = (low + high) / 2, 0.05 * size or 1.0
        axis.set_ylim(middle - room, middle + room)
    axis.ticklabel_format(axis="y", useOffset=False)


def _column(rows: list[Row], name: str) -> tuple[list[float], list[float]]:
    kept = [row for row in rows if name in row]
    return [row["step"] for row in kept], [row[name] for row in kept]
