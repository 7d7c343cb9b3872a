"""Series as `RNNForecaster` takes them, as the tables that the task `forecasting` reads.

S series, N rows of one, Y targets, K covariates whose future is known.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from elman.errors import UserError, optional_imports
from elman.sklearn.frames import other_names

with optional_imports():
    import pandas as pd

if TYPE_CHECKING:
    from elman.data.timeseries.roles import Roles

TIME, SERIES = "time", "series"


@dataclass(frozen=True)
class SeriesTable:
    """A table with a row for each time of each series.

    Attributes:
        rows: the table.
        roles: settings of the task that say which column is what.
        kind: "one" series; "many" of a list; "panel", a 3-D array; or the user's own "frame".
        flat: whether a forecast of a series has one dimension: its target came without a dimension of its own.
    """

    rows: pd.DataFrame
    roles: dict[str, Any]
    kind: str
    flat: bool


def table_of(X: Any, y: Any, roles: dict[str, Any]) -> SeriesTable:
    """What `fit` was given as a table.

    Arguments:
        X: with y its covariates (N, K), checked; else the series: (N,), (N, Y), (S, N, Y), a list, or a frame.
        y: (N,), (N, Y), or None.
        roles: that the user named, for a frame.

    Raises:
        UserError: there is no series, or a role is named for what has no named columns.
    """
    own = any(roles.values())
    if y is None and isinstance(X, pd.DataFrame) and (own or dates_of(X) is None or not _all_numbers(X)):
        return SeriesTable(X, roles, "frame", flat=False)
    if own:
        named = ", ".join(f"`{name}`" for name, value in roles.items() if value)
        raise UserError(f"{named}: columns are named of a data frame that holds all of them; give `fit` one, without y")
    if y is not None:
        return _with_covariates(X, y)
    if isinstance(X, list | tuple) and len(X) and not np.isscalar(X[0]):
        shapes = {np.shape(one) for one in X}
        if len(shapes) > 1 or len(next(iter(shapes))) > 1 or hasattr(X[0], "index"):
            return _several(X, "many")
    if np.ndim(X) == 3:
        return _several(list(np.asarray(X)), "panel")
    values, index = _values(X, "the series"), dates_of(X)
    names = _names_of(X) or target_names(values)
    rows = pd.DataFrame({TIME: _times(index, len(values)), **_columns(values, names)})
    return SeriesTable(rows, {"time": (TIME,), "target": names}, "one", flat=np.ndim(X) == 1)


def target_names(values: NDArray[np.float64]) -> tuple[str, ...]:
    """What the targets (N, Y) are called."""
    return ("y",) if values.shape[1] == 1 else tuple(f"y{number}" for number in range(values.shape[1]))


def covariate_names(count: int) -> tuple[str, ...]:
    """What K covariates are called."""
    return tuple(f"x{number}" for number in range(count))


def rows_to_come(X: Any, values: NDArray[np.float64], history: pd.DataFrame, frequency: str) -> pd.DataFrame:
    """The rows after a history, their targets empty, as far as covariates reach.

    Arguments:
        X: the covariates as they were given; their dates are taken where they have some.
        values: (F, K) of X.
        frequency: the step between rows.
    """
    from elman.data.timeseries.timestamps import times_after

    last = history[TIME].iloc[-1]
    index = dates_of(X)
    if index is not None and not isinstance(last, np.integer | int):
        times: Any = _times(index, len(values))
    else:
        times = times_after(last, frequency, len(values))
    return pd.DataFrame({TIME: times, **_columns(values, covariate_names(values.shape[1]))})


def continued(history: pd.DataFrame, found: Sequence[Any], roles: Roles, future: pd.DataFrame | None) -> pd.DataFrame:
    """A history with the forecasts behind it, as if they had come.

    Arguments:
        found: forecasts of the task, one a series.
        future: rows of covariates for the times that were forecast.
    """
    parts = [history]
    for one in found:
        columns = {name: stretch.point for name, stretch in one.continued.stretches.items()}
        rows = pd.DataFrame({roles.time: one.continued.times, **columns})
        if roles.series_id:
            rows[roles.series_id] = one.series
        if future is not None:
            for name in roles.known:
                rows[name] = future[name].to_numpy()[: len(rows)]
        parts.append(rows)
    return pd.concat(parts, ignore_index=True)


def _with_covariates(X: Any, y: Any) -> SeriesTable:
    targets = _values(y, "y")
    covariates = np.asarray(X, dtype=np.float64)
    index = dates_of(X) if dates_of(X) is not None else dates_of(y)
    names, known = target_names(targets), covariate_names(covariates.shape[1])
    columns = {**_columns(targets, names), **_columns(covariates, known)}
    rows = pd.DataFrame({TIME: _times(index, len(targets)), **columns})
    return SeriesTable(rows, {"time": (TIME,), "target": names, "known": known}, "one", flat=np.ndim(y) == 1)


def _several(series: Sequence[Any], kind: str) -> SeriesTable:
    parts, names = [], None
    frames = all(isinstance(one, pd.DataFrame) and _names_of(one) for one in series)
    for number, one in enumerate(series):
        values = _values(one, f"series {number}")
        if names is not None and len(names) != values.shape[1]:
            raise UserError(f"series {number} has {values.shape[1]} targets, and series 0 has {len(names)}")
        own = tuple(one.columns) if frames else target_names(values)
        if names is not None and own != names:
            raise UserError(f"series {number} has {other_names(own, names)}; give every frame those of the first")
        names = own
        times = _times(dates_of(one), len(values))
        parts.append(pd.DataFrame({SERIES: str(number), TIME: times, **_columns(values, names)}))
    roles = {"time": (TIME,), "target": names, "series_id": SERIES}
    return SeriesTable(pd.concat(parts, ignore_index=True), roles, kind, flat=np.ndim(series[0]) == 1)


def _values(given: Any, what: str) -> NDArray[np.float64]:
    """(N, Y) float64; NaN is the task's own business."""
    try:
        values = np.asarray(given, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise UserError(f"{what} holds something that is no number; give numbers alone") from error
    if values.ndim not in (1, 2) or not values.size:
        raise UserError(
            f"{what} has shape {values.shape}, with no steps or of too many dimensions; give (N,) or (N, Y)"
        )
    return values.reshape(len(values), -1)


def _all_numbers(frame: pd.DataFrame) -> bool:
    return all(pd.api.types.is_numeric_dtype(kind) for kind in frame.dtypes) and _names_of(frame) is not None


def _names_of(given: Any) -> tuple[str, ...] | None:
    """The names of a series or of a frame's columns, where each has one of its own."""
    names = tuple(given.columns) if isinstance(given, pd.DataFrame) else (getattr(given, "name", None),)
    good = all(isinstance(name, str) and name not in (TIME, SERIES) for name in names) and len(set(names)) == len(names)
    return names if good else None


def dates_of(given: Any) -> pd.Index | None:
    """The dates of a series or frame, where its index holds dates."""
    index = getattr(given, "index", None)
    return index if isinstance(index, pd.DatetimeIndex | pd.PeriodIndex) else None


def _times(index: pd.Index | None, count: int) -> Any:
    if index is None:
        return np.arange(count)
    return index.to_timestamp() if isinstance(index, pd.PeriodIndex) else index


def _columns(values: NDArray[np.float64], names: Sequence[str]) -> dict[str, NDArray[np.float64]]:
    return dict(zip(names, values.T, strict=True))
