"""Forecasts to look at: of a held-out part against what came, and of what nobody knows yet, as table and picture."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from elman.atomic_io import write_text
from elman.data.timeseries.scaling import FittedSeries
from elman.data.timeseries.table import Roles
from elman.data.timeseries.timestamps import shown, times_after
from elman.data.timeseries.windows import ScaledSeries, Windows
from elman.errors import UserError
from elman.metrics.forecasting import Forecasts
from elman.plotting.forecast import Panel, Stretch, draw_forecasts

if TYPE_CHECKING:
    import pandas as pd
    from torch import nn

Ask = Callable[["nn.Module", Windows], Forecasts]
SHOWN_STEPS = 12


def panels_of_part(windows: Windows, ask: Ask, model: nn.Module, targets: Sequence[str], count: int) -> list[Panel]:
    """For each target of the first series the last `count` forecasts that do not overlap, and what came."""
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
            _stretch(forecasts, number, target, raw.times[origin : origin + windows.horizon])
            for number, origin in enumerate(chosen[:, 1].tolist())
        ]
        panels.append(Panel(name, raw.times[begin:end], raw.values[begin:end, target], stretches))
    return panels


def _stretch(forecasts: Forecasts, window: int, target: int, times: pd.Index) -> Stretch:
    ends = [None if part is None else part[window, :, target] for part in (forecasts.lower, forecasts.upper)]
    return Stretch(times, forecasts.point[window, :, target], *ends)


@dataclass(frozen=True)
class Continued:
    """A series (its times and targets so far) and how it goes on: F times and a stretch for each target."""

    series: ScaledSeries
    times: pd.Index
    stretches: dict[str, Stretch]

    def as_dictionary(self) -> dict[str, Any]:
        """The forecast in plain lists, for JSON."""
        targets = {
            name: {
                "forecast": stretch.point.tolist(),
                **({} if stretch.lower is None else {"lower": stretch.lower.tolist()}),
                **({} if stretch.upper is None else {"upper": stretch.upper.tolist()}),
            }
            for name, stretch in self.stretches.items()
        }
        return {"series": self.series.raw.name, "times": [shown(time) for time in self.times], "targets": targets}


def continue_series(
    series: Sequence[ScaledSeries], ask: Ask, model: nn.Module, window: int, ahead: int, fitted: FittedSeries
) -> list[Continued]:
    """What follows on the last window of each series, `ahead` steps."""
    targets = fitted.roles.targets
    places = np.array([[number, len(one.values)] for number, one in enumerate(series)])
    forecasts = ask(model, Windows([_open_ended(one, ahead) for one in series], window, ahead, len(targets), places))
    found = []
    for number, one in enumerate(series):
        times = times_after(one.raw.times[len(one.values) - 1], fitted.frequency, ahead)
        stretches = {name: _stretch(forecasts, number, target, times) for target, name in enumerate(targets)}
        found.append(Continued(one, times, stretches))
    return found


def _open_ended(series: ScaledSeries, ahead: int) -> ScaledSeries:
    """The series with rows of NaN for what is to come, since a window is cut with its future."""
    nothing = np.full((ahead, series.values.shape[1]), np.nan, np.float32)
    return ScaledSeries(np.concatenate([series.values, nothing]), series.known, series.raw)


def write_forecast(
    continued: Sequence[Continued], roles: Roles, level: float, out: Path, source: Path
) -> tuple[Path, ...]:
    """Write the forecasts as `out`.csv and draw them as `out`.svg and `out`.png.

    Raises:
        UserError: the table would take the place of the input.
    """
    import pandas as pd

    path = out.with_name(out.name + ".csv")
    if path.resolve() == source.resolve():
        raise UserError(f"--out {out} would write over the input {source}; choose another name")
    parts = []
    for one in continued:
        columns: dict[str, Any] = {roles.series_id: one.series.raw.name} if roles.series_id else {}
        columns[roles.time] = one.times
        for name, stretch in one.stretches.items():
            columns[name] = stretch.point
            if stretch.lower is not None and stretch.upper is not None:
                columns |= {f"{name}_lower": stretch.lower, f"{name}_upper": stretch.upper}
        parts.append(pd.DataFrame(columns))
    write_text(path, pd.concat(parts).to_csv(index=False, lineterminator="\n"))
    return path, *draw_forecasts(_panels(continued), _title(continued), level, out)


def _panels(continued: Sequence[Continued]) -> list[Panel]:
    panels = []
    for one in continued:
        seen = min(len(one.series.values), 4 * len(one.times))
        times = one.series.raw.times[len(one.series.values) - seen : len(one.series.values)]
        for target, (name, stretch) in enumerate(one.stretches.items()):
            label = f"{one.series.raw.name}: {name}" if one.series.raw.name else name
            panels.append(Panel(label, times, one.series.raw.values[-seen:, target], [stretch]))
    return panels


def _title(continued: Sequence[Continued]) -> str:
    one = continued[0]
    name, stretch = next(iter(one.stretches.items()))
    last, mean = one.series.raw.values[-1, 0], float(np.mean(stretch.point))
    way = "above" if mean > last else "below"
    present = shown(one.series.raw.times[len(one.series.values) - 1])
    steps = f"{name} in the {len(one.times)} steps after {present}"
    return f"{steps}: on average {mean:.4g}, {way} the last value {last:.4g}"


def show_forecast(prediction: dict[str, Any]) -> str:
    """A forecast as lines of text: the first steps, and where the rest lies."""
    head = " ".join(filter(None, [prediction["input"], prediction["series"]]))
    lines = [head]
    for name, target in prediction["targets"].items():
        lines.append(f"  {name}")
        rows = list(zip(prediction["times"], target["forecast"], _ends(target), strict=True))
        lines += [f"    {time}  {value:.6g}{ends}" for time, value, ends in rows[:SHOWN_STEPS]]
        if len(rows) > SHOWN_STEPS:
            lines.append(f"    ... {len(rows) - SHOWN_STEPS} more")
    if prediction["written"]:
        lines.append("  written: " + ", ".join(prediction["written"]))
    return "\n".join(lines)


def _ends(target: dict[str, Any]) -> list[str]:
    if "lower" not in target:
        return [""] * len(target["forecast"])
    return [f"  ({low:.6g} to {high:.6g})" for low, high in zip(target["lower"], target["upper"], strict=True)]
