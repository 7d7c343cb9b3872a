"""What the training part teaches of each series: the scale of its columns, and how hard it is to forecast.

N rows, Y targets, P past covariates, K known-future ones.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from elman.atomic_io import write_text
from elman.data.io.json_files import read_json
from elman.data.timeseries.dates import DateOrder
from elman.data.timeseries.roles import Roles
from elman.data.timeseries.sizes import LARGEST
from elman.data.timeseries.table import TimeSeries, Values
from elman.data.timeseries.timestamps import Feature, check_frequency, shown
from elman.errors import UserError

Transform = Literal["none", "log", "sqrt"]
Array = NDArray[np.float32]
_LONGEST_SEASON = 1_000_000
FEWEST_ROWS = 2
_ROUNDING = 8 * float(np.finfo(np.float64).eps)
"""A column whose values differ by no more than this share of their size holds one value and its rounding."""


@dataclass(frozen=True)
class SeriesScale:
    """The scale of one series.

    Everything is float64 here: a small variation on a large level has no place in float32.

    Arguments:
        transform: what is done to the targets first.
        mean, std: (Y + P + K,) of the columns, after that; what is taken away, and what is divided by.
        naive_error: (Y,) mean absolute error of the seasonal naive forecast inside the training part, by which MASE
            divides (Hyndman and Koehler 2006, section 3), in the targets' own units; where the season repeats itself
            without any error, that of the last value.
    """

    transform: Transform
    mean: Values
    std: Values
    naive_error: Values

    @classmethod
    def fit(cls, series: TimeSeries, rows: int, roles: Roles, transform: Transform, season: int) -> SeriesScale:
        """From the first `rows` rows of a series.

        Raises:
            UserError: a target is constant there, or cannot be transformed.
        """
        place = f"series {series.name!r}" if series.name else "the series"
        targets = series.values[:, : len(roles.targets)]
        low = {"none": -np.inf, "log": np.nextafter(0, 1), "sqrt": 0.0}[transform]
        if (targets < low).any():
            row, column = np.argwhere(targets < low)[0].tolist()
            raise UserError(
                f"{place}: {roles.targets[column]!r} is {targets[row, column]:g} at {shown(series.times[row])}, which"
                f" `transform={transform}` cannot take; choose another"
            )
        part = _measured(series, rows, roles)
        for column, name in enumerate(roles.targets):
            if rows < FEWEST_ROWS:
                raise UserError(f"{place}: the training part has {rows} rows, too few to learn from; give more")
            if _is_constant(part[:, column]):
                raise UserError(
                    f"{place}: {name!r} is constant in the training part ({part[0, column]:g} in all {rows} rows);"
                    " there is nothing to learn; take it out"
                )
        columns = _transformed(series, roles, transform)[:rows]
        columns[:, : len(roles.targets)][np.isnan(part)] = np.nan  # what was filled in teaches nothing
        mean, std = np.nanmean(columns, axis=0), np.nanstd(columns, axis=0)
        small = [name for name, size in zip(roles.targets, std, strict=False) if size < 1 / LARGEST]
        if small:
            raise UserError(f"{place}: {small[0]!r} varies by less than {1 / LARGEST:g}, too little to compute with")
        std[[_is_constant(column) for column in columns.T]] = 1.0  # a covariate that never changes
        return cls(transform, mean, std, _naive_error(part, season if rows > season else 1))

    def scaled(self, series: TimeSeries, roles: Roles) -> tuple[Array, Array]:
        """values (N, Y + P) and known (N + G, K) of a series, scaled.

        Raises:
            UserError: a value lies so far from the training part's that its scaled form is no number.
        """
        measured = len(roles.measured)
        mean, std = self.mean, self.std
        values = (_transformed(series, roles, self.transform)[:, :measured] - mean[:measured]) / std[:measured]
        known = (series.known - mean[measured:]) / std[measured:]
        with np.errstate(over="ignore"):  # to infinity, which is refused
            numbers = values.astype(np.float32), known.astype(np.float32)
        if any(np.isinf(part).any() for part in numbers):
            raise UserError(
                "a value lies so far from those of the training part that it cannot be scaled; look for one that is"
                " far larger than the others"
            )
        return numbers

    def in_units(self, scaled: Array) -> Values:
        """Targets (..., Y) in their own units again; a monotone map, so that quantiles stay quantiles."""
        count = scaled.shape[-1]
        values = scaled.astype(np.float64) * self.std[:count] + self.mean[:count]
        if self.transform == "log":
            with np.errstate(over="ignore"):  # a forecast above all numbers is infinite, and is shown so
                return np.exp(values)
        return np.square(np.maximum(values, 0)) if self.transform == "sqrt" else values


@dataclass(frozen=True)
class FittedSeries:
    """All that a run must remember of its series, so that it can go on with them.

    Arguments:
        frequency: the step between rows.
        season: steps.
        calendar: the features that are made from the times.
        scales: by the name of the series.
        date_order: which of day and month stands first in its dates, where these leave a choice.
        thousands: columns whose points stand between thousands.
    """

    roles: Roles
    frequency: str
    season: int
    calendar: tuple[Feature, ...]
    transform: Transform
    scales: dict[str, SeriesScale]
    date_order: DateOrder = "auto"
    thousands: tuple[str, ...] = ()

    def scale_of(self, name: str, source: str) -> SeriesScale:
        """The scale of the series called `name`.

        Raises:
            UserError: it was not in the training part.
        """
        if name not in self.scales:
            seen = ", ".join(repr(known) for known in list(self.scales)[:8])
            raise UserError(f"{source}: series {name!r} was never seen in training, which had {seen}")
        return self.scales[name]

    def save(self, path: Path) -> None:
        """Write everything as JSON."""
        table = asdict(self) | {
            "scales": {
                name: {
                    "mean": scale.mean.tolist(),
                    "std": scale.std.tolist(),
                    "naive_error": scale.naive_error.tolist(),
                }
                for name, scale in self.scales.items()
            }
        }
        write_text(path, json.dumps(table, ensure_ascii=False, indent=1) + "\n")

    @classmethod
    def load(cls, path: Path) -> FittedSeries:
        """Read what `save` wrote.

        Raises:
            UserError: the file is missing or damaged.
        """
        saved = read_json(path, _Saved, "roles and scales of series")
        columns = len(saved.roles.measured) + len(saved.roles.known)
        try:
            check_frequency(saved.frequency)
            scales = {name: _scale(entry, saved.transform, columns) for name, entry in saved.scales.items()}
            for scale in scales.values():
                _check_naive(scale.naive_error, len(saved.roles.targets))
            if not (saved.roles.targets and scales and 1 <= saved.season <= _LONGEST_SEASON):
                raise ValueError("it has no target, no scale, or no season")
        except ValueError as error:
            raise UserError(f"{path} is damaged ({error}); restore it from a copy") from error
        rest = saved.date_order, saved.thousands
        return cls(saved.roles, saved.frequency, saved.season, saved.calendar, saved.transform, scales, *rest)


@dataclass(frozen=True)
class _SavedScale:
    mean: list[float]
    std: list[float]
    naive_error: list[float]


@dataclass(frozen=True)
class _Saved:
    roles: Roles
    frequency: str
    season: int
    calendar: tuple[Feature, ...]
    transform: Transform
    scales: dict[str, _SavedScale]
    date_order: DateOrder = "auto"
    thousands: tuple[str, ...] = ()


def fit_series(
    series: Sequence[TimeSeries],
    rows: Sequence[int],
    roles: Roles,
    frequency: str,
    season: int,
    calendar: tuple[Feature, ...],
    transform: Transform,
    date_order: DateOrder = "auto",
) -> FittedSeries:
    """Scales from the first `rows` rows of each series, which are its training part; those that have none get none.

    Of several series, one that is constant there gets none.
    """
    scales = {}
    for one, count in zip(series, rows, strict=True):
        if count <= 0:
            continue
        if len(series) > 1 and any(_is_constant(column) for column in _measured(one, count, roles).T):
            continue
        scales[one.name] = SeriesScale.fit(one, count, roles, transform, season)
    if not scales:
        raise UserError("every series is constant in its training part; there is nothing to learn")
    return FittedSeries(roles, frequency, season, calendar, transform, scales, date_order)


def _measured(series: TimeSeries, rows: int, roles: Roles) -> Values:
    """(rows, Y) the first targets, NaN where none was measured."""
    count = len(roles.targets)
    return np.where(series.measured(count), series.values[:, :count], np.nan)[:rows]


def _is_constant(values: Values) -> bool:
    """Whether values (NaN left out) are one and the same but for rounding."""
    values = values[~np.isnan(values)]
    return not len(values) or bool(np.ptp(values) <= _ROUNDING * np.abs(values).max())


def _naive_error(targets: Values, lag: int) -> Values:
    """(Y,) mean |y(t) - y(t - lag)| over targets (N, Y) with NaN where none was measured, else that of the last value.

    Where neither has an error above 0 (every other value is missing, say), the standard deviation stands in.
    """
    found: Values = np.nanstd(targets, axis=0)
    for distance in (1, lag):
        differences = np.abs(targets[distance:] - targets[:-distance])
        some = np.isfinite(differences).any(axis=0)
        error = np.nanmean(np.where(some, differences, 0), axis=0) if len(differences) else np.zeros(len(found))
        found = np.where(error > _ROUNDING * np.nanmax(np.abs(targets), axis=0), error, found)
    return found


def _transformed(series: TimeSeries, roles: Roles, transform: Transform) -> Values:
    """(N, Y + P + K) with the targets transformed; the covariates as they are."""
    columns = np.concatenate([series.values, series.known[: len(series)]], axis=1)
    targets = columns[:, : len(roles.targets)]
    if transform == "log":
        columns[:, : len(roles.targets)] = np.log(targets)
    elif transform == "sqrt":
        columns[:, : len(roles.targets)] = np.sqrt(targets)
    return columns


def _check_naive(errors: Values, targets: int) -> None:
    if errors.shape != (targets,) or not (np.isfinite(errors).all() and (errors > 0).all()):
        raise ValueError(f"its naive errors are not {targets} numbers above 0")


def _scale(entry: _SavedScale, transform: Transform, columns: int) -> SeriesScale:
    mean, std = np.array(entry.mean), np.array(entry.std)
    naive = np.array(entry.naive_error)
    if mean.shape != (columns,) or std.shape != (columns,):
        raise ValueError(f"it scales {len(mean)} columns of {columns}")
    within = np.isfinite(naive).all() and (np.abs(mean) <= LARGEST).all() and (std <= LARGEST).all()
    if not (within and (std > 0).all()):  # nan is in none
        raise ValueError("a scale is not finite, or not above 0")
    return SeriesScale(transform, mean, std, naive)
