"""A picture of the unrolled network: a column for each step, values going forward, gradients coming back."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from elman.errors import UserError
from elman.insight.unrolled import Unrolled
from elman.plotting.mpl import Axes, Figure, Line2D, Rectangle
from elman.plotting.palette import GREY, INK, PALETTE, VERMILLION
from elman.plotting.style import DIVERGING, blank_figure, labels, plain, series, styled

COLUMNS = 7  # steps side by side
MOST = 70  # steps in one picture
_ROW = 1.0  # inches


@dataclass(frozen=True)
class _Row:
    """A kind of node that every step has."""

    label: str
    values: list[Tensor | None]  # at each step a vector (N,), or none
    gradients: list[Tensor | None]
    feeds: tuple[int, ...]  # the rows that it passes on to, at the same step
    carries: int  # +1: passes on to the next step, -1: to the one before, 0: to none


@styled
def plot_unrolled(unrolled: Unrolled, *, forward_to: int | None = None, backward_from: int | None = None) -> Figure:
    """Draw the network as many times as there are steps.

    Each node shows its vector as a strip, blue below zero and vermillion above, or as numbers where there are
    three or fewer; the strip under it, with a norm in italics, is its gradient. Dashed arrows are the weights
    that all steps share; below stands what each step contributes to their gradient.

    Arguments:
        forward_to: show values up to this step (from 1) only: the forward pass, one step at a time.
        backward_from: show gradients from this step on only: the backward pass, which begins at the last
            step; T + 1 for none.

    Raises:
        UserError: too many steps for a picture.
    """
    T = unrolled.steps
    if T > MOST:
        raise UserError(f"{T} steps do not fit into a picture: unroll at most {MOST}")
    forward_to = T if forward_to is None else forward_to
    backward_from = 1 if backward_from is None else backward_from
    rows, bands = _rows(unrolled), math.ceil(T / COLUMNS)
    heights = [(len(rows) + 0.4) * _ROW] * bands + [3.0]
    figure = blank_figure(_title(unrolled, forward_to, backward_from), height=sum(heights) + 1.2)
    *networks, below = figure.subplots(bands + 1, 1, squeeze=False, height_ratios=heights)[:, 0]
    for band, axes in enumerate(networks):
        steps = range(band * COLUMNS, min((band + 1) * COLUMNS, T))
        _network(axes, unrolled, rows, steps, (forward_to, backward_from))
    _contributions(below, unrolled, backward_from)
    figure.legend(handles=_legend(), loc="outside lower center", ncols=4)
    return figure


def frames(unrolled: Unrolled) -> Iterator[Figure]:
    """Draw the passes one step at a time: T pictures going forward, then T coming back."""
    T = unrolled.steps
    for t in range(1, T + 1):
        yield plot_unrolled(unrolled, forward_to=t, backward_from=T + 1)
    for t in range(T, 0, -1):
        yield plot_unrolled(unrolled, backward_from=t)


def _rows(unrolled: Unrolled) -> list[_Row]:
    """List the rows from the input up to the cost."""
    ways = 1 + any(layer.reverse for layer in unrolled.layers)
    depth, at = len(unrolled.layers) // ways, [unrolled.output_row(t) for t in range(unrolled.steps)]
    top = 1 + len(unrolled.layers)
    levels = [tuple(range(1 + k * ways, 1 + (k + 1) * ways)) for k in range(depth)] + [(top,)]
    found = [_Row("x", list(unrolled.x), list(unrolled.grad_x), levels[0], 0)]
    for n, layer in enumerate(unrolled.layers):
        way = -1 if layer.reverse else 1
        found.append(
            _Row(
                f"h\n{unrolled.short_name(layer)}".strip(),
                list(layer.h),
                list(layer.grad_h),
                levels[n // ways + 1],
                way,
            )
        )
    y = [None if k is None else unrolled.y[k] for k in at]
    found.append(_Row("y", y, [None if k is None else unrolled.grad_y[k] for k in at], (top + 1,), 0))
    costs = [None if k is None else unrolled.costs[k : k + 1] for k in at]
    return [*found, _Row("C", costs, [None] * len(at), (), 0)]


def _title(unrolled: Unrolled, forward_to: int, backward_from: int) -> str:
    T = unrolled.steps
    if forward_to < T:
        return f"Forward pass, after step {forward_to} of {T}"
    if backward_from > T:
        return f"Forward pass: C = {unrolled.cost:.4g} over {T} steps"
    if backward_from > 1:
        return f"Backward pass, down to step {backward_from} of {T}"
    layer = unrolled.layers[0]
    norms = layer.grad_h.norm(dim=-1)
    last = int(norms.nonzero().max()) if bool(norms.any()) else T - 1  # past the last cost there is no gradient
    trend = f"the norm of dC/dh is {float(norms[0]):.2g} at step 1 and {float(norms[last]):.2g} at step {last + 1}"
    return f"C = {unrolled.cost:.4g} over {T} copies of one network; in {layer.name} {trend}"


def _network(axes: Axes, unrolled: Unrolled, rows: list[_Row], steps: range, shown: tuple[int, int]) -> None:
    wide = max(4, min(unrolled.steps, COLUMNS))
    axes.set(xlim=(-1.25, wide - 0.4), ylim=(-0.8, len(rows) - 0.5))
    axes.axis("off")
    for r, row in enumerate(rows):
        axes.text(-1.25, r + 0.1, plain(row.label), ha="left", va="center", fontsize=11, fontweight="bold")
        limits = [
            max((float(v.abs().max()) for v in each if v is not None), default=1.0)
            for each in (row.values, row.gradients)
        ]
        for column, t in enumerate(steps):
            if row.values[t] is not None:
                _node(axes, row, column, r, t, limits, shown)
                _arrows(axes, rows, r, column, t, shown[1])
    tokens = labels([token.strip() or token for token in unrolled.tokens])
    for column, t in enumerate(steps):
        name = f"t = {t + 1}" + (f":  {tokens[t]}" if tokens else "")
        axes.text(column, -0.78, name, ha="center", va="bottom", fontsize=11)


def _node(axes: Axes, row: _Row, x: int, r: int, t: int, limits: list[float], shown: tuple[int, int]) -> None:
    value, gradient = row.values[t], row.gradients[t]
    _strip(axes, x, r + 0.1, 0.3, value if t < shown[0] else None, limits[0], INK)
    if gradient is not None and t + 1 >= shown[1]:
        _strip(axes, x, r - 0.18, 0.2, gradient, limits[1], VERMILLION)
        if len(gradient) > 3:
            norm = f"‖{float(gradient.norm()):.2g}‖"
            place: dict[str, Any] = {"ha": "right", "va": "top", "style": "italic", "fontsize": 9}
            axes.text(x + 0.4, r - 0.22, norm, color=VERMILLION, **place)


def _strip(axes: Axes, x: float, y: float, height: float, vector: Tensor | None, limit: float, ink: str) -> None:
    """Draw a vector in a box centred at x, from y upwards: numbers if they are few, else coloured cells."""
    left, width = x - 0.4, 0.8
    axes.add_patch(Rectangle((left, y), width, height, facecolor="white", edgecolor=GREY, linewidth=1))
    if vector is None:
        return
    if len(vector) <= 3:
        text = " ".join(f"{v + 0.0:.2g}" for v in vector.tolist())
        axes.text(x, y + height / 2, text, ha="center", va="center", fontsize=9 if len(vector) < 3 else 8, color=ink)
        return
    rows = 1 if len(vector) <= 20 else math.ceil(len(vector) / 24)
    columns = math.ceil(len(vector) / rows)
    cells = torch.full((rows * columns,), math.nan, dtype=torch.float64)
    cells[: len(vector)] = vector
    across, up = torch.linspace(left, left + width, columns + 1), torch.linspace(y + height, y, rows + 1)
    limit = limit or 1.0
    grid = (across.numpy(), up.numpy(), cells.reshape(rows, columns).numpy())
    axes.pcolormesh(*grid, cmap=DIVERGING, vmin=-limit, vmax=limit)
    axes.add_patch(Rectangle((left, y), width, height, fill=False, edgecolor=GREY, linewidth=1))


def _arrows(axes: Axes, rows: list[_Row], r: int, x: int, t: int, backward_from: int) -> None:
    """Draw where a node passes its value on to: up, and to the next step (or the one before)."""
    row = rows[r]
    line: dict[str, Any] = {"arrowstyle": "-|>", "color": GREY, "shrinkA": 0, "shrinkB": 0}
    line["linestyle"] = "-" if row.label == "y" else "dashed"
    for above in row.feeds:
        if rows[above].values[t] is None:
            continue
        if above == r + 1:
            foot = above + (-0.18 if rows[above].gradients[t] is not None and t + 1 >= backward_from else 0.1)
            axes.annotate("", (x - 0.24, foot), (x - 0.24, r + 0.4), arrowprops=line)
        else:  # around the row between, on the right
            bend = {**line, "connectionstyle": "arc3,rad=0.25"}
            axes.annotate("", (x + 0.4, above + 0.15), (x + 0.4, r + 0.35), arrowprops=bend)
    if row.carries and 0 <= t - row.carries < len(row.values):
        start, end = x - 0.6 * row.carries, x - 0.4 * row.carries
        axes.annotate("", (end, r + 0.25), (start, r + 0.25), arrowprops=line)


def _contributions(axes: Axes, unrolled: Unrolled, backward_from: int) -> None:
    """Draw what each step contributes to the gradient of the weights that all share."""
    steps = torch.arange(1, unrolled.steps + 1)
    matrices = [weight for weight in unrolled.weights if weight.value.dim() == 2]
    for k, weight in enumerate(matrices):
        norms = torch.where(steps >= backward_from, weight.by_step, math.nan)
        name = f"{weight.name}: sum ‖{float(weight.gradient.norm()):.2g}‖"
        axes.plot(steps, norms, label=plain(name), **series(k))
    axes.set_title("What each step contributes to the gradient of the weights that all share")
    axes.set(xlabel="step t", ylabel="norm of dC/dW at t", xlim=(0.5, unrolled.steps + 0.5))
    axes.set_ylim(bottom=0)
    if unrolled.steps <= 20:
        axes.set_xticks(steps.tolist())
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.25), ncols=2)


def _legend() -> list[Line2D]:
    return [
        Line2D([], [], color=GREY, linestyle="dashed", label="weights, shared by all steps"),
        Line2D([], [], linestyle="", marker="s", color=PALETTE[0], label="below zero"),
        Line2D([], [], linestyle="", marker="s", color=VERMILLION, label="above zero"),
        Line2D(
            [],
            [],
            linestyle="",
            marker="$1$",
            color=VERMILLION,
            markersize=12,
            label="gradient (norm of dC/d·)",
        ),
    ]
