"""A picture of the remedies: who learns, and how far each one's gradient reaches."""

from __future__ import annotations

from typing import Any

import torch

from elman.insight.remedies.compare import Comparison
from elman.plotting.mpl import Axes, Figure
from elman.plotting.palette import GREY
from elman.plotting.style import new_figure, series, styled

_FLOOR = 1e-12  # of the gradient at distance 0: less is drawn at the bottom


@styled
def plot_remedies(comparison: Comparison) -> Figure:
    """Draw the validation loss by step (median and range over the seeds) and the gradient flow after training."""
    figure, (left, right) = new_figure(comparison.finding, 1, 2, height=6.4)
    treated = [remedy for remedy in comparison.runs if remedy != "none"]
    styles = {remedy: series(k) for k, remedy in enumerate(treated)}
    for remedy in comparison.runs:
        style = styles.get(remedy, {"color": GREY, "linestyle": "-", "marker": "*"})
        _losses(left, comparison, remedy, style)
        _flow(right, comparison, remedy, style)
    left.axhline(comparison.problem.chance, color=GREY, linewidth=1, linestyle="-", label="chance")
    left.axhline(comparison.problem.solved, color=GREY, linewidth=1, linestyle=":", label="solved")
    left.set(title=f"Learning: {comparison.problem.name}", xlabel="optimiser steps", yscale="log")
    left.set_ylabel("validation loss")
    right.set(title="Gradient after training", xlabel="distance back from the loss (steps)", yscale="log")
    right.set_ylabel("share of the gradient that is left")
    right.set_ylim(bottom=_FLOOR)
    handles, names = left.get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=5)
    return figure


def _losses(axes: Axes, comparison: Comparison, remedy: str, style: dict[str, Any]) -> None:
    runs = comparison.runs[remedy]
    steps = sorted({step for run in runs for step in run.losses})
    if not steps:
        axes.plot([], [], label=f"{remedy} (never finite)", **style)
        return
    values = torch.tensor([[run.losses.get(step, torch.nan) for run in runs] for step in steps])
    axes.plot(steps, values.nanquantile(0.5, dim=-1).numpy(), label=remedy, markersize=5, markevery=0.2, **style)
    low, high = values.nan_to_num(torch.inf).amin(-1), values.nan_to_num(-torch.inf).amax(-1)
    axes.fill_between(steps, low.numpy(), high.numpy(), color=style["color"], alpha=0.12, linewidth=0)


def _flow(axes: Axes, comparison: Comparison, remedy: str, style: dict[str, Any]) -> None:
    flows = [run.flow_after for run in comparison.runs[remedy] if len(run.flow_after)]
    if flows:
        middle = torch.stack(flows).nanquantile(0.5, dim=0).clamp_min(_FLOOR)
        axes.plot(range(len(middle)), middle.numpy(), markersize=5, markevery=0.2, **style)
