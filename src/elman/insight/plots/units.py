"""A picture of the units that track something: the unit beside what it tracks, along a passage."""

from __future__ import annotations

import torch

from elman.errors import UserError
from elman.insight.hidden_units import Units
from elman.plotting.mpl import Figure
from elman.plotting.palette import BLUE, VERMILLION
from elman.plotting.style import DASHES, labels, new_figure, styled

MOST = 75  # tokens whose names can be read side by side


@styled
def plot_units(units: Units, start: int = 0, count: int = 60) -> Figure:
    """Draw, for each track, the unit that follows it most closely; of a text of a few tokens nothing is said of that.

    Arguments:
        start, count: the passage to show, in tokens.

    Raises:
        UserError: nothing to show.
    """
    best = units.best()
    stop = min(start + min(count, MOST), len(units.tokens))
    if not best or not 0 <= start < stop:
        raise UserError(
            f"nothing to draw: {len(best)} tracks change in this text, and it has {len(units.tokens)} tokens"
        )
    track, (unit, r) = next(iter(best.items()))
    title = f"Of {units.h.shape[1]} units in {units.layer}, unit {unit} follows {track} most closely "
    title += f"(r = {r:+.2f} over {len(units.tokens)} tokens)"
    if units.too_short:
        title = f"{units.h.shape[1]} units in {units.layer}: {units.too_short}"
    figure, panels = new_figure(title, len(best), height=1.1 + 1.7 * len(best), sharex=True)
    places = torch.arange(start, stop).numpy()
    for axes, (name, (unit, r)) in zip(panels, best.items(), strict=True):
        values = units.tracks[name][start:stop]
        low, high = float(units.tracks[name].min()), float(units.tracks[name].max())
        scaled = (values - low) / (high - low) * 2 * units.limit - units.limit
        axes.step(places, scaled.numpy(), where="mid", color=VERMILLION, linestyle=DASHES[1], label=name)
        axes.plot(
            places,
            units.h[start:stop, unit].numpy(),
            color=BLUE,
            linestyle="-",
            label=f"unit {unit}" + ("" if units.too_short else f", r = {r:+.2f}"),
        )
        axes.set_ylim(-1.1 * units.limit, 1.1 * units.limit)
        axes.set_ylabel("h")
        axes.set_title(f"{name}, drawn from {low:g} (bottom) to {high:g} (top)", fontsize=11)
        axes.legend(loc="center left", bbox_to_anchor=(1, 0.5))
        axes.grid(visible=False, axis="x")
    panels[-1].set_xticks(places, labels(units.tokens[start:stop]), fontsize=9, family="DejaVu Sans Mono")
    panels[-1].tick_params(axis="x", length=0)
    panels[-1].set_xlabel(f"text, tokens {start} to {stop - 1}")
    if any(len(token) > 1 for token in units.tokens[start:stop]):
        panels[-1].tick_params(axis="x", labelrotation=90)
    return figure
