"""Pictures of a state space: trajectories, fixed points and their eigenvalues; and how parity is held."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from elman.insight.fixed_points import FixedPoints
from elman.insight.state_space import StateSpace
from elman.plotting.mpl import Axes, Figure, Legend
from elman.plotting.palette import BLUE, GREEN, GREY, INK, PURPLE, VERMILLION
from elman.plotting.style import new_figure, plain, series, styled

TRAJECTORIES = 3  # drawn as lines; the other states are dots
STEPS = 25  # of each
DOTS = 4000  # drawn at most

_POINTS: dict[str, tuple[str, str]] = {
    "stable": ("o", BLUE),
    "saddle": ("D", VERMILLION),
    "unstable": ("X", PURPLE),
    "slow": ("s", GREEN),
}


@styled
def plot_states(space: StateSpace, points: FixedPoints | None = None) -> Figure:
    """Draw trajectories in the two principal components, with fixed points, and their eigenvalues beside them."""
    counts = points.summary if points is not None else ""
    shares = f"two directions hold {sum(space.explained):.0%} of the variance of {space.name}"
    title = f"{counts}: {shares}" if counts else shares[0].upper() + shares[1:]
    figure, (axes, *more) = new_figure(title, 1, 2 if points is not None else 1, height=5.6)
    draw_dots(axes, space.points[space.real], GREY, "visited states")
    for b in range(min(TRAJECTORIES, space.h.shape[1])):
        line = space.points[: min(STEPS, int(space.lengths[b])), b]
        style = {**series(b), "marker": "", "linewidth": 1.2, "alpha": 0.8}
        axes.plot(*line.T.numpy(), label=f"trajectories, {len(line)} steps" if b == 0 else None, **style)
        first: dict[str, Any] = {"marker": ">", "color": style["color"], "markersize": 9, "linestyle": ""}
        axes.plot(*line[0].numpy(), label="starts" if b == 0 else None, **first)
    if points is not None:
        mark_points(axes, space.project(points.state), points)
        _eigenvalues(more[0], points)
    _label(axes, space)
    solid_legend(axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=2))
    return figure


def draw_dots(axes: Axes, points: Tensor, colour: str, name: str, marker: str = ".") -> None:
    """Draw states, (N, 2) in the plane of the components, as dots: a spread of at most `DOTS` of them."""
    some = points[torch.linspace(0, len(points) - 1, min(DOTS, len(points))).round().long()] if len(points) else points
    size = 30 if marker == "." else 14
    across, up = some.T.numpy()
    axes.scatter(across, up, s=size, color=colour, marker=marker, alpha=0.5, linewidths=0, label=name, zorder=3)


def mark_points(axes: Axes, places: Tensor, points: FixedPoints) -> None:
    """Mark fixed and slow points at their places, (K, 2) in the plane of the components, by their kind."""
    named: set[str] = set()
    for place, kind in zip(places, points.kinds, strict=True):
        marker, colour = _POINTS[kind]
        name = kind if kind == "slow" else f"{kind} fixed"
        label = None if kind in named else f"{name} point"
        named.add(kind)
        style: dict[str, Any] = {"markeredgecolor": INK, "markeredgewidth": 1.6, "markersize": 12, "linestyle": ""}
        axes.plot(*place.numpy(), marker=marker, color=colour, label=label, zorder=5, **style)


def _eigenvalues(axes: Axes, points: FixedPoints) -> None:
    angle = torch.linspace(0, 2 * torch.pi, 200)
    axes.plot(angle.cos().numpy(), angle.sin().numpy(), color=GREY, linestyle="-", linewidth=1, label="unit circle")
    named: set[str] = set()
    for values, kind in zip(points.eigenvalues, points.kinds, strict=True):
        marker, colour = _POINTS[kind]
        label = None if kind in named else f"at {kind} points"
        named.add(kind)
        axes.scatter(
            values.real.numpy(), values.imag.numpy(), s=30, marker=marker, color=colour, label=label, alpha=0.7
        )
    axes.set_aspect("equal", adjustable="datalim")
    axes.set(title="Eigenvalues of dF/ds there", xlabel="real part (no unit)", ylabel="imaginary part (no unit)")
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=2)


def solid_legend(legend: Legend) -> None:
    """Show the signs of a legend without the transparency of the crowd."""
    for handle in legend.legend_handles:
        if handle is not None:
            handle.set_alpha(1.0)


def _label(axes: Axes, space: StateSpace) -> None:
    first, second = (f"{share:.0%} of the variance" for share in space.explained)
    axes.set(
        title=plain(f"States of {space.name}"), xlabel=f"1st component ({first})", ylabel=f"2nd component ({second})"
    )
