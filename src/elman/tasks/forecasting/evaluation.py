"""Forecasts beside what they must beat: the figures and tables of a part. W windows, F steps ahead, Y targets."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from elman.data.timeseries.scaling import FittedSeries
from elman.data.timeseries.timestamps import shown
from elman.data.timeseries.windows import Windows
from elman.metrics.baselines import MOST_WINDOWS, LinearOnLags, last_value, seasonal_naive, theta
from elman.metrics.forecasting import Forecasts, Values, coverage, errors
from elman.models.forecasting.line import Inputs, Line
from elman.training.report import Report, Table

NETWORK = "this network"
ALONE = "its anchor alone"
"""What the network is added to, by itself: shown beside it, and no baseline of its own."""
MEASURES = ("mae", "rmse", "mase", "smape")


@dataclass(frozen=True)
class Judged:
    """Forecasts of a part by several, and what came: (W, F, Y) each, in the targets' own units.

    Arguments:
        naive_error: (W, Y) what MASE divides by.
        by: forecasts by the name of who made them, the network's first.
    """

    truth: Values
    naive_error: Values
    by: dict[str, Forecasts]

    def errors(self, name: str, target: int | slice = slice(None)) -> dict[str, float]:
        """The measures of one of them, over all targets or for one."""
        chosen = slice(target, target + 1) if isinstance(target, int) else target
        point = self.by[name].point[..., chosen]
        return errors(point, self.truth[..., chosen], self.naive_error[..., chosen])

    def best_baseline(self, measure: str) -> tuple[str, float]:
        """The baseline with the least error, and that error."""
        found = {name: self.errors(name)[measure] for name in self.by if not name.startswith((NETWORK, ALONE))}
        best = min(found, key=found.__getitem__)
        return best, found[best]

    def metrics(self, prefix: str) -> dict[str, float]:
        """The network's measures, coverage and width, and for MAE and RMSE those of the best baseline."""
        own = self.errors(NETWORK) | coverage(self.by[NETWORK], self.truth)
        best = {f"best_baseline_{measure}": self.best_baseline(measure)[1] for measure in ("mae", "rmse")}
        return {f"{prefix}{name}": value for name, value in (own | best).items()}

    def told(self) -> str:
        """The MASE of each in one line, the best first."""
        found = sorted((self.errors(name)["mase"], name) for name in self.by)
        return ", ".join(f"{name} {error:.4g}" for error, name in found)

    def report(self, where: str, targets: Sequence[str], windows: Windows) -> Report:
        """Figures of the part `where`; tables of all forecasters by target and by step ahead, and of the forecasts.

        Arguments:
            windows: those that were forecast.
        """
        count, horizon, _ = self.truth.shape
        rows = tuple(
            (target, name, *(self.errors(name, number)[measure] for measure in MEASURES))
            for number, target in enumerate(targets)
            for name in self.by
        )
        title = f"{where}: {count:,} forecasts of {horizon} steps"
        table = Table("baselines", title, ("target", "forecast by", "MAE", "RMSE", "MASE", "sMAPE %"), rows)
        return Report(
            self.metrics(f"{where}_"), (table, self._by_step(where), self._forecasts(where, targets, windows))
        )

    def _forecasts(self, where: str, targets: Sequence[str], windows: Windows) -> Table:
        """Every row of the part once: the forecasts that do not overlap, counted from the last one of each series."""
        own, rows = self.by[NETWORK], []
        for number, chosen in apart(windows):
            series, origin = windows.series[number].raw, int(windows.places[chosen, 1])
            for step, target in np.ndindex(windows.horizon, len(targets)):
                place = chosen, step, target
                ends = [None if end is None else float(end[place]) for end in (own.lower, own.upper)]
                truth = float(self.truth[place])
                time = shown(series.times[origin + step])
                measured = None if np.isnan(truth) else truth
                rows.append((series.name, time, step + 1, targets[target], measured, float(own.point[place]), *ends))
        names = ("series", "time", "step", "target", "measured", "forecast", "lower", "upper")
        return Table("forecasts", f"{where}: forecasts that do not overlap", names, tuple(rows), only_file=True)

    def _by_step(self, where: str) -> Table:
        columns = [_mean(np.abs(forecasts.point - self.truth)) for forecasts in self.by.values()]
        own, names = self.by[NETWORK], [f"MAE of {name}" for name in self.by]
        if own.lower is not None and own.upper is not None:
            inside = (self.truth >= own.lower) & (self.truth <= own.upper)
            columns.append(_mean(np.where(np.isfinite(self.truth), inside, np.nan)))
            names.append("covered")
        rows = tuple((step, *map(float, row)) for step, row in enumerate(zip(*columns, strict=True), 1))
        return Table("steps", f"{where}: by steps ahead", ("step", *names), rows)


def apart(windows: Windows) -> Iterator[tuple[int, int]]:
    """Series and number of each window that does not overlap with the next one taken, from the last backwards."""
    for series in np.unique(windows.places[:, 0]).tolist():
        own = np.flatnonzero(windows.places[:, 0] == series)
        origins = windows.places[own, 1]
        for chosen in own[(origins.max() - origins) % windows.horizon == 0].tolist():
            yield series, chosen


def _mean(values: Values) -> Values:
    """(F,) the means of (W, F, Y) for each step ahead, over what was measured."""
    measured = np.isfinite(values)
    sums: Values = np.where(measured, values, 0).sum(axis=(0, 2))
    means: Values = sums / np.maximum(measured.sum(axis=(0, 2)), 1)
    return means


class Baselines:
    """The baselines, the line among them fitted on the training windows.

    Each series is divided by its naive error first, so that one line serves series of different sizes.

    Arguments:
        train: the training windows.
        recursive: fit the line one step ahead and feed it its own forecasts, as the network does.
    """

    def __init__(self, train: Windows, fitted: FittedSeries, *, recursive: bool) -> None:
        self._fitted = fitted
        self._recursive = recursive
        some = train.thinned(MOST_WINDOWS)
        sizes = naive_errors(some, fitted)[:, None]
        future = some.truth()[:, : 1 if recursive else None]
        measured = np.isfinite(future).all(axis=(1, 2))
        kept = measured if measured.any() else np.ones(len(some), dtype=bool)
        self._line = LinearOnLags((some.history() / sizes)[kept], np.nan_to_num(future / sizes)[kept])

    def __call__(self, windows: Windows) -> dict[str, Forecasts]:
        """Their forecasts for other windows, by name."""
        found = [self._forecast(piece) for piece in windows.pieces()]
        return {name: Forecasts(np.concatenate([one[name] for one in found])) for name in found[0]}

    def _forecast(self, windows: Windows) -> dict[str, Values]:
        history, horizon = windows.history(), windows.horizon
        sizes = naive_errors(windows, self._fitted)[:, None]
        return {
            "last value": last_value(history, horizon),
            f"season before ({self._fitted.season} steps)": seasonal_naive(history, horizon, self._fitted.season),
            "theta": theta(history, horizon, self._fitted.season),
            f"linear on {windows.window} lags": self._linear(history / sizes, horizon) * sizes,
        }

    def _linear(self, history: Values, horizon: int) -> Values:
        if not self._recursive:
            return self._line(history)
        steps = history
        for _ in range(horizon):
            steps = np.concatenate([steps, self._line(steps[:, -history.shape[1] :])], axis=1)
        return steps[:, -horizon:]


def line_forecasts(line: Line, windows: Windows, fitted: FittedSeries) -> Values:
    """(W, F, Y) what a line on scaled values says, in the targets' own units."""
    numbers = windows.places[:, 0]
    scaled = np.concatenate([line(Inputs.of(piece, len(fitted.roles.known))) for piece in windows.pieces()])
    found = np.empty(scaled.shape)
    for number in np.unique(numbers).tolist():
        scale = fitted.scales[windows.series[number].raw.name]
        found[numbers == number] = scale.in_units(scaled[numbers == number])
    return found


def naive_errors(windows: Windows, fitted: FittedSeries) -> NDArray[np.float64]:
    """(W, Y) what MASE divides by, for each window that of its series."""
    by_series = np.stack([fitted.scales[series.raw.name].naive_error for series in windows.series])
    return by_series[windows.places[:, 0]]
