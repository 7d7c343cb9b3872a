"""The loss curve of a run, from its metrics.csv."""

from __future__ import annotations

from pathlib import Path

from elman.errors import UserError
from elman.plotting.palette import PALETTE
from elman.plotting.style import DASHES, MARKERS, new_figure, save_figure
from elman.training.monitoring.metrics_log import Row, read_metrics
from elman.training.report import figure as figure_of
from elman.training.run_folder import RunFolder


def draw_loss_curve(folder: RunFolder, metric: str, unit: str, *, higher_is_better: bool) -> tuple[Path, Path]:
    """Draw training loss and validation metric over the steps, as loss.svg and loss.png in the run folder.

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
    best = (max if higher_is_better else min)(range(len(values)), key=values.__getitem__)
    title = f"Best validation {metric} {figure_of(values[best])} at step {seen[best]:,.0f} of {steps[-1]:,.0f}"
    apart = metric != "loss"
    figure, axes = new_figure(title, rows=2 if apart else 1, height=6.0 if apart else 4.5, sharex=True)
    axes[0].plot(steps, losses, color=PALETTE[0], linestyle=DASHES[0], label="training loss")
    shown = axes[-1]
    shown.plot(seen, values, color=PALETTE[1], linestyle=DASHES[1], marker=MARKERS[0], label=f"validation {metric}")
    shown.plot(seen[best], values[best], color=PALETTE[1], marker="*", markersize=16, linestyle="", label="best")
    axes[0].set_ylabel(f"loss ({unit})")
    if apart:
        shown.set_ylabel(metric)
    for axis in axes:
        axis.legend()
    axes[-1].set_xlabel("optimiser steps")
    return save_figure(figure, folder.path / "loss")


def _column(rows: list[Row], name: str) -> tuple[list[float], list[float]]:
    kept = [row for row in rows if name in row]
    return [row["step"] for row in kept], [row[name] for row in kept]
