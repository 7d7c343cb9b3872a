"""What a forecaster predicts for one series: as numbers, as text, as a table and a picture."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from elman.atomic_io import write_text
from elman.data.timeseries.roles import Roles
from elman.data.timeseries.scaling import FittedSeries
from elman.data.timeseries.timestamps import shown, times_after
from elman.data.timeseries.windows import ScaledSeries, Windows
from elman.errors import UserError, one_line_of, optional_imports
from elman.metrics.forecasting import Forecasts
from elman.plotting.forecast import Panel, Stretch, draw_forecasts
from elman.tasks.forecasting.outputs import stretch
from elman.training.task import Prediction

if TYPE_CHECKING:
    import pandas as pd
    from torch import nn

Ask = Callable[["nn.Module", Windows], Forecasts]
SHOWN_STEPS = 12


@dataclass(frozen=True)
class Continued:
    """A series (its times and targets so far) and how it goes on: F times and a stretch for each target."""

    series: ScaledSeries
    times: pd.Index
    stretches: dict[str, Stretch]


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
        stretches = {name: stretch(forecasts, number, target, times) for target, name in enumerate(targets)}
        found.append(Continued(one, times, stretches))
    return found


def _open_ended(series: ScaledSeries, ahead: int) -> ScaledSeries:
    """The series with rows of NaN for what is to come, since a window is cut with its future."""
    nothing = np.full((ahead, series.values.shape[1]), np.nan, np.float32)
    unknown = np.zeros((ahead, series.observed.shape[1]), dtype=np.bool_)
    observed = np.concatenate([series.observed, unknown])
    return ScaledSeries(np.concatenate([series.values, nothing]), series.known, series.raw, observed)


@dataclass(frozen=True)
class Forecast(Prediction):
    """How one series goes on, F steps.

    Attributes:
        input: the file's name.
        series: the name of the series in it; empty where it has one.
        times: F times.
        targets: by name, "forecast" and, with intervals, "lower" and "upper", F numbers each.
    """

    input: str
    series: str
    times: list[str]
    targets: dict[str, dict[str, list[float]]]
    continued: Continued = field(repr=False)
    roles: Roles = field(repr=False)
    level: float = field(repr=False)

    @classmethod
    def of(cls, name: str, continued: Continued, roles: Roles, level: float) -> Forecast:
        """The prediction that a continued series makes."""
        targets = {
            target: {
                "forecast": stretch.point.tolist(),
                **({} if stretch.lower is None else {"lower": stretch.lower.tolist()}),
                **({} if stretch.upper is None else {"upper": stretch.upper.tolist()}),
            }
            for target, stretch in continued.stretches.items()
        }
        times = [shown(time) for time in continued.times]
        return cls(name, continued.series.raw.name, times, targets, continued, roles, level)

    def show(self) -> str:
        """The first steps as lines of text, with their intervals."""
        lines = [one_line_of(" ".join(filter(None, [self.input, self.series])))]
        for name, target in self.targets.items():
            lines.append(f"  {one_line_of(name)}")
            digits = digits_of(target)
            rows = list(zip(self.times, target["forecast"], _ends(target, digits), strict=True))
            lines += [f"    {time}  {value:.{digits}g}{ends}" for time, value, ends in rows[:SHOWN_STEPS]]
            if len(rows) > SHOWN_STEPS:
                lines.append(f"    ... {len(rows) - SHOWN_STEPS} more")
        return "\n".join(lines)

    def write(self, path: str | Path) -> tuple[Path, ...]:
        """Write the forecast as `path`.csv, and draw it as `path`.svg and `path`.png."""
        return write_forecasts([self], Path(path))


def write_forecasts(forecasts: Sequence[Forecast], out: Path) -> tuple[Path, ...]:
    """Write the forecasts as `out`.csv and draw them as `out`.svg and `out`.png.

    Raises:
        UserError: the table would take the place of an input.
    """
    with optional_imports():
        import pandas as pd

    out = out.with_suffix("") if out.suffix.lower() in (".csv", ".svg", ".png") else out
    path = out.with_name(out.name + ".csv")
    for forecast in forecasts:
        if path.resolve() == Path(forecast.input).resolve():
            raise UserError(f"`out={out}` would write over the input {forecast.input}; choose another name")
    roles, parts = forecasts[0].roles, []
    continued = [forecast.continued for forecast in forecasts]
    for one in continued:
        columns: dict[str, Any] = {roles.series_id: one.series.raw.name} if roles.series_id else {}
        columns[roles.time] = one.times
        for name, one_stretch in one.stretches.items():
            columns[name] = one_stretch.point
            if one_stretch.lower is not None and one_stretch.upper is not None:
                columns |= {f"{name}_lower": one_stretch.lower, f"{name}_upper": one_stretch.upper}
        parts.append(pd.DataFrame(columns))
    write_text(path, pd.concat(parts).to_csv(index=False, lineterminator="\n"))
    return path, *draw_forecasts(_panels(continued), _title(continued), forecasts[0].level, out)


def _panels(continued: Sequence[Continued]) -> list[Panel]:
    panels = []
    for one in continued:
        seen = min(len(one.series.values), 4 * len(one.times))
        times = one.series.raw.times[len(one.series.values) - seen : len(one.series.values)]
        for target, (name, one_stretch) in enumerate(one.stretches.items()):
            label = f"{one.series.raw.name}: {name}" if one.series.raw.name else name
            panels.append(Panel(label, times, one.series.raw.values[-seen:, target], [one_stretch]))
    return panels


def _title(continued: Sequence[Continued]) -> str:
    one = continued[0]
    name, one_stretch = next(iter(one.stretches.items()))
    last, mean = one.series.raw.values[-1, 0], float(np.mean(one_stretch.point))
    way = "above" if mean > last else "below"
    present = shown(one.series.raw.times[len(one.series.values) - 1])
    steps = f"{name} in the {len(one.times)} steps after {present}"
    return f"{steps}: on average {mean:.4g}, {way} the last value {last:.4g}"


def digits_of(target: dict[str, list[float]]) -> int:
    """So many digits that an interval's width, or how the forecast varies, is seen: 6, or more on a high level."""
    point = np.array(target["forecast"])
    with np.errstate(invalid="ignore"):  # both ends may be infinite
        spread = np.subtract(target["upper"], target["lower"]) if "lower" in target else np.array([np.ptp(point)])
    spread, size = spread[np.isfinite(spread) & (spread > 0)], np.abs(point[np.isfinite(point)])
    if not len(spread) or not len(size) or not size.max() > 0:
        return 6
    return int(np.clip(math.ceil(math.log10(size.max() / np.median(spread))) + 3, 6, 15))


def _ends(target: dict[str, Any], digits: int) -> list[str]:
    if "lower" not in target:
        return [""] * len(target["forecast"])
    return [
        f"  ({low:.{digits}g} to {high:.{digits}g})" for low, high in zip(target["lower"], target["upper"], strict=True)
    ]
