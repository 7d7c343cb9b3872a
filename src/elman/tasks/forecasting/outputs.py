"""Forecasts of a held-out part beside the true values, as panels of a picture."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from elman.data.timeseries.windows import Windows
from elman.metrics.forecasting import Forecasts
from elman.plotting.forecast import Panel, Stretch

if TYPE_CHECKING:
    import pandas as pd
    from torch import nn

Ask = Callable[["nn.Module", Windows], Forecasts]
SHOWN_STEPS = 12
MOST_JUDGED = 20_000
"""Windows that are judged when training ends, where no setting says how many: of a million that takes minutes."""


def panels_of_part(windows: Windows, ask: Ask, model: nn.Module, targets: Sequence[str], count: int) -> list[Panel]:
    """For each target of the first series the last `count` forecasts that do not overlap, and the true values."""
    places = windows.places[windows.places[:, 0] == windows.places[0, 0]]
    chosen = places[::-1][:: windows.horizon][:count][::-1]
    some = Windows(windows.series, windows.window, windows.horizon, windows.targets, chosen)
    forecasts = ask(model, some)
    raw = windows.series[chosen[0, 0]].raw
    begin = max(0, int(chosen[0, 1]) - windows.horizon)
    end = int(chosen[-1, 1]) + windows.horizon
    panels = []
    for target, name in enumerate(targets):
        stretches = [
            stretch(forecasts, number, target, raw.times[origin : origin + windows.horizon])
            for number, origin in enumerate(chosen[:, 1].tolist())
        ]
        shown = f"{raw.name}: {name}" if len(windows.series) > 1 else name
        panels.append(Panel(shown, raw.times[begin:end], raw.values[begin:end, target], stretches))
    return panels


def stretch(forecasts: Forecasts, window: int, target: int, times: pd.Index) -> Stretch:
    """The forecast of one window and target at its times, with the ends of its interval where there are any."""
    ends = [None if part is None else part[window, :, target] for part in (forecasts.lower, forecasts.upper)]
    return Stretch(times, forecasts.point[window, :, target], *ends)


def compared(own: float, other: float) -> str:
    """How an error compares with another one: "5% less than", "4.2 times"; a perfect other one has no share to name."""
    if other == 0:
        return "as good as" if own == 0 else "more than"
    if own >= 3 * other:
        return f"{own / other:.3g} times"
    return f"{abs(own / other - 1):.0%} {'less' if own <= other else 'more'} than"
