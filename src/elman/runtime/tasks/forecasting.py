"""Runs of the task `forecasting`: how series go on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from elman.errors import UserError, one_line_of
from elman.runtime.model import Model
from elman.runtime.predictions import Prediction
from elman.runtime.recurrent import Shape, Weights
from elman.runtime.timeseries.calibration import Windows, widened
from elman.runtime.timeseries.fitted import Fitted
from elman.runtime.timeseries.forecaster import DirectForecaster, Layout, RecursiveForecaster
from elman.runtime.timeseries.series import read_series, table_of
from elman.runtime.timeseries.times import shown, span

SHOWN_STEPS = 12


class Forecast(Prediction):
    """How one series goes on: F times, and for each target "forecast" and, with intervals, "lower" and "upper"."""

    input: str
    series: str
    times: list[str]
    targets: dict[str, dict[str, list[float]]]

    def __str__(self) -> str:
        lines = [one_line_of(" ".join(filter(None, [self.input, self.series])))]
        for name, target in self.targets.items():
            lines.append(f"  {one_line_of(name)}")
            rows = list(zip(self.times, *target.values(), strict=True))
            lines += [f"    {time}  {_with_ends(numbers)}" for time, *numbers in rows[:SHOWN_STEPS]]
            if len(rows) > SHOWN_STEPS:
                lines.append(f"    ... {len(rows) - SHOWN_STEPS} more")
        return "\n".join(lines)


class ForecastingModel(Model):
    """A forecaster, with the roles and scales of its series."""

    task, takes = "forecasting", "names of .csv files, or tables, with the run's columns"

    def build(self, weights: Weights) -> None:
        """Roles, scales, and a direct or a recursive forecaster."""
        s, fitted = self.settings, Fitted.load(self.folder / "series.json")
        self.fitted = fitted
        self.mode = s.text("mode", "direct", ("direct", "recursive"))
        self.window, self.horizon = s.integer("window", 0, 1), s.integer("horizon", 0, 1, 100_000)
        segment = s.integer("segment", 1, 1) if self.mode == "direct" else 1
        if self.window % segment:
            raise UserError(f"{s.path} is damaged: `segment` does not divide `window`; restore it from a copy")
        self.missing = s.text("missing", "refuse", ("refuse", "interpolate", "previous"))
        self.recent = s.text("calibrate", "recent", ("recent", "validation", "none")) == "recent"
        intervals = s.text("intervals", "auto", ("auto", "quantile", "gaussian", "none"))
        anchor = s.text("anchor", "auto", ("auto", "none", "last", "season", "line"))
        sizes = len(fitted.targets), len(fitted.past), fitted.known_size, len(fitted.known)
        self.layout = Layout(
            *sizes, self.window, self.horizon, segment, "last" if anchor == "auto" else anchor, fitted.season,
            s.text("combine", "none", ("auto", "anchor", "none")) == "anchor",
            {"auto": "gaussian" if self.mode == "recursive" else "quantile"}.get(intervals, intervals),
            s.number("level", 0.8, 1e-9, 1 - 1e-9),
        )  # fmt: skip
        kind = RecursiveForecaster if self.mode == "recursive" else DirectForecaster
        self.model = kind(weights, self.layout, Shape.of(s))

    def is_one(self, inputs: Sequence[Any]) -> bool:
        """A list of numbers is one series."""
        return bool(inputs) and all(isinstance(one, int | float) for one in inputs)

    def options(self) -> dict[str, Any]:
        """Steps to forecast, of a recursive run; 0: as in training."""
        return {"horizon": 0}

    def answer(self, inputs: list[Any], options: dict[str, Any]) -> Sequence[Forecast]:
        """How the series of each table go on, one prediction a series."""
        asked = options["horizon"]
        if self.mode == "direct" and asked not in (0, self.horizon):
            raise UserError(f"`horizon={asked}`: a direct run forecasts {self.horizon} steps; leave it out")
        ahead, found = asked or self.horizon, []
        if ahead > 100_000:
            raise UserError(f"`horizon` is {ahead:,}; it must be at most 100,000")
        for number, given in enumerate(inputs, 1):
            source, table = table_of(given, self.fitted, number)
            found += self._continued(source, table, ahead)
        return found

    def _continued(self, source: str, table: Any, ahead: int) -> list[Forecast]:
        fitted = self.fitted
        series = read_series(table, source, fitted, self.missing, self.window, ahead)
        places = np.array([[number, len(one.values)] for number, one in enumerate(series)])
        parts = widened(self.model, Windows(series, self.window, ahead, places), recent=self.recent)
        found = []
        for number, one in enumerate(series):
            times = [shown(time) for time in span(one.last, fitted.frequency, ahead + 1)[1:]]
            ends = zip(("forecast", "lower", "upper"), parts, strict=True)
            units = {name: fitted.in_units(part[number], one.scale) for name, part in ends if part is not None}
            targets = {
                target: {name: part[:, column].tolist() for name, part in units.items()}
                for column, target in enumerate(fitted.targets)
            }
            found.append(Forecast(source, one.name, times, targets))
        return found


def _with_ends(numbers: list[float]) -> str:
    point, *ends = (f"{number:.6g}" for number in numbers)
    return f"{point}  ({ends[0]} to {ends[1]})" if ends else point


MODEL = ForecastingModel
