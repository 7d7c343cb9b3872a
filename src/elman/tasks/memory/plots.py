"""The picture that explains a parity run: two clusters of states, and how each bit moves the state between them."""

from __future__ import annotations

import torch
from torch import Tensor

from elman.insight.fixed_points import FixedPoints
from elman.insight.plots.states import draw_dots, mark_points, solid_legend
from elman.insight.state_space import StateSpace
from elman.plotting.mpl import Axes, Figure
from elman.plotting.palette import BLUE, INK, VERMILLION
from elman.plotting.style import new_figure, styled
from elman.tasks.memory.parity_states import ParityStates


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
            draw_dots(axes, points[parity.real & (parity.odd == odd)], colour, name, marker)
        _moves(axes, points, moves & parity.real)
        axes.set_title(title)
        axes.set_xlabel("along the line from the even to the odd centre")
    left.set_ylabel("direction of largest variance across it")
    for axes, found in ((right, on_zero), (left, on_one)):
        if found is not None and len(found):
            mark_points(axes, seen(found.state), found)
    handles = {name: h for axes in (left, right) for h, name in zip(*axes.get_legend_handles_labels(), strict=True)}
    solid_legend(figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=5, markerscale=1.3))
    return figure


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
