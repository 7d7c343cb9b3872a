"""Pictures of a state space: trajectories, fixed points and their eigenvalues; and how parity is held."""

from __future__ import annotations

from typing import Any

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from torch import Tensor

from elman.insight.palette import BLUE, GREEN, GREY, INK, PURPLE, VERMILLION
from elman.insight.parity_view import ParityStates
from elman.insight.slow_points import FixedPoints
from elman.insight.state_space import StateSpace
from elman.insight.style import new_figure, plain, series, styled

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
    _dots(axes, space.points[space.real], GREY, "visited states")
    for b in range(min(TRAJECTORIES, space.h.shape[1])):
        line = space.points[: min(STEPS, int(space.lengths[b])), b]
        style = {**series(b), "marker": "", "linewidth": 1.2, "alpha": 0.8}
        axes.plot(*line.T.numpy(), label=f"trajectories, {len(line)} steps" if b == 0 else None, **style)
        first: dict[str, Any] = {"marker": ">", "color": style["color"], "markersize": 9, "linestyle": ""}
        axes.plot(*line[0].numpy(), label="starts" if b == 0 else None, **first)
    if points is not None:
        _mark(axes, space.project(points.state), points)
        _eigenvalues(more[0], points)
    _label(axes, space)
    _solid(axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=2))
    return figure


@styled
def plot_parity(
    space: StateSpace,
    parity: ParityStates,
    on_zero: FixedPoints | None = None,
    on_one: FixedPoints | None = None,
) -> Figure:
    """Draw the two clusters, and what a one and a zero do to the state.

    The view is along the line through the two centres and the direction of largest variance across it.

    Arguments:
        on_zero, on_one: fixed points under a constant input of zeros, and of ones.
    """
    figure, (left, right) = new_figure(parity.finding, 1, 2, height=6.2, sharex=True, sharey=True)
    across = _axes_through(space, parity)
    middle = parity.centres.mean(0)

    def seen(h: Tensor) -> Tensor:
        return (h[..., : len(middle)] - middle) @ across.T

    points, ones = seen(space.h), _ones(parity)
    for axes, moves, title in ((left, ones, "A 1 is read"), (right, ~ones, "A 0 is read")):
        for odd, name, colour, marker in ((False, "even so far", BLUE, "o"), (True, "odd so far", VERMILLION, "^")):
            _dots(axes, points[parity.real & (parity.odd == odd)], colour, name, marker)
        _moves(axes, points, moves & parity.real)
        axes.set_title(title)
        axes.set_xlabel("along the line from the even to the odd centre")
    left.set_ylabel("direction of largest variance across it")
    for axes, found in ((right, on_zero), (left, on_one)):
        if found is not None and len(found):
            _mark(axes, seen(found.state), found)
    handles = {name: h for axes in (left, right) for h, name in zip(*axes.get_legend_handles_labels(), strict=True)}
    _solid(figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=5, markerscale=1.3))
    return figure


def _dots(axes: Axes, points: Tensor, colour: str, name: str, marker: str = ".") -> None:
    some = points[torch.linspace(0, len(points) - 1, min(DOTS, len(points))).round().long()] if len(points) else points
    size = 30 if marker == "." else 14
    across, up = some.T.numpy()
    axes.scatter(across, up, s=size, color=colour, marker=marker, alpha=0.5, linewidths=0, label=name, zorder=3)


def _mark(axes: Axes, places: Tensor, points: FixedPoints) -> None:
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


def _solid(legend: Legend) -> None:
    """Show the signs of a legend without the transparency of the crowd."""
    for handle in legend.legend_handles:
        if handle is not None:
            handle.set_alpha(1.0)


def _label(axes: Axes, space: StateSpace) -> None:
    first, second = (f"{share:.0%} of the variance" for share in space.explained)
    axes.set(
        title=plain(f"States of {space.name}"), xlabel=f"1st component ({first})", ylabel=f"2nd component ({second})"
    )


def _axes_through(space: StateSpace, parity: ParityStates) -> Tensor:
    """Give the direction from centre to centre, and that of largest variance at right angles to it, (2, H)."""
    along = parity.centres[1] - parity.centres[0]
    along = along / along.norm().clamp_min(1e-300)
    rest = space.h[parity.real] - parity.centres.mean(0)
    rest = rest - (rest @ along)[:, None] * along
    return torch.stack((along, torch.linalg.eigh(rest.T @ rest)[1][:, -1]))


def _ones(parity: ParityStates) -> Tensor:
    before = torch.cat((torch.zeros_like(parity.odd[:1]), parity.odd[:-1]))
    return before != parity.odd


def _moves(axes: Axes, points: Tensor, which: Tensor, most: int = 40) -> None:
    """Draw some of the moves that end at the steps in `which` (T, B) as arrows."""
    places = which[1:].nonzero()
    places = (
        places[torch.linspace(0, len(places) - 1, min(most, len(places))).round().long()] if len(places) else places
    )
    for k, (t, b) in enumerate(places.tolist()):
        start, end = (tuple(points[at, b].tolist()) for at in (t, t + 1))
        line = {"arrowstyle": "-|>", "color": INK, "alpha": 0.45, "linewidth": 0.9, "connectionstyle": "arc3,rad=0.15"}
        axes.annotate("", end, start, arrowprops=line)
        if k == 0:
            axes.plot([], [], color=INK, linewidth=0.9, linestyle="-", label="moves by one bit")
