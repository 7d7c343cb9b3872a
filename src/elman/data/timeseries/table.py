"""Series in time from a table: one row a time, one column a variable, several series told apart by a column.

N rows of a series, G rows after its last value, Y targets, P past covariates, K known-future ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from elman.data.io.columns import known_column
from elman.data.io.tables import numbers
from elman.data.timeseries.timestamps import (
    asked_frequency,
    check_order,
    find_frequency,
    full_times,
    parse_times,
    shown,
)
from elman.errors import UserError

if TYPE_CHECKING:
    import pandas as pd

Missing = Literal["refuse", "interpolate", "previous"]
Values = NDArray[np.float64]


@dataclass(frozen=True)
class Roles:
    """Which column is what.

    Arguments:
        time: the column of times.
        targets: Y columns to forecast.
        past: P covariates, known up to the present.
        known: K covariates whose future is known, such as holidays or prices.
        series_id: the column that tells several series apart, or "".
    """

    time: str
    targets: tuple[str, ...]
    past: tuple[str, ...] = ()
    known: tuple[str, ...] = ()
    series_id: str = ""

    def __post_init__(self) -> None:
        named = [self.time, *self.targets, *self.past, *self.known, *([self.series_id] if self.series_id else [])]
        twice = next((name for name in named if named.count(name) > 1), None)
        if twice is not None:
            raise UserError(f"column {twice!r} has two roles; a column is the time, a target or one sort of covariate")

    @property
    def measured(self) -> tuple[str, ...]:
        """Targets and past covariates: what is read up to the present."""
        return self.targets + self.past


@dataclass(frozen=True)
class TimeSeries:
    """One series without gaps.

    Arguments:
        name: what the column of ids calls it, "" where there is one series only.
        times: (N + G,) of its rows and of those after its last value.
        values: (N, Y + P) targets, then past covariates.
        known: (N + G, K).
    """

    name: str
    times: pd.Index
    values: Values
    known: Values

    def __len__(self) -> int:
        return len(self.values)


def roles_of(
    columns: Sequence[str],
    source: str,
    *,
    time: str,
    targets: Sequence[str],
    past: Sequence[str],
    known: Sequence[str],
    series_id: str,
) -> Roles:
    """The roles of a table's columns: the first is the time and the last the target, where nothing else is said.

    Raises:
        UserError: a column that was named is not there (suggests the near one), or one has two roles.
    """
    path = Path(source)
    for name in (*targets, *past, *known, *filter(None, (time, series_id))):
        known_column(name, columns, path)
    taken = {*past, *known, series_id}
    when = time or next(name for name in columns if name not in taken)
    if not targets:
        free = [name for name in columns if name not in taken and name != when]
        if not free:
            raise UserError(f"{source} has no column left to forecast; name it with `target`")
        targets = free[-1:]
    return Roles(when, tuple(targets), tuple(past), tuple(known), series_id)


def read_series(
    table: pd.DataFrame, roles: Roles, source: str, *, missing: Missing = "refuse", frequency: str = ""
) -> tuple[list[TimeSeries], str]:
    """The series of a table in the order in which they begin there, and the step they share.

    Where there are known-future columns, the rows after a series' last target are its future.

    Arguments:
        missing: what becomes of empty cells and of times that are left out: refused; interpolated on the line between
            their neighbours; or filled with the value before.
        frequency: the step, where it is not to be found from the times.

    Raises:
        UserError: times out of order, twice, or missing; cells that are no number or empty.
    """
    for name in (roles.time, *filter(None, [roles.series_id])):
        known_column(name, list(table.columns), Path(source))
    times = parse_times(table[roles.time], source)
    columns = (*roles.measured, *roles.known)
    cells = numbers(table, columns, source)
    series = []
    for name, rows in _groups(table, roles.series_id, source):
        place = f"{source}, series {name!r}" if name else source
        check_order(times[rows], rows, place)
        frequency = asked_frequency(frequency, times, place) if frequency else find_frequency(times[rows], place)
        grid, filled = _on_grid(times[rows], cells[rows], rows, frequency, missing, place)
        count = _observed(filled[:, : len(roles.targets)]) if roles.known else len(filled)
        measured = len(roles.measured)
        values = _without_empty(filled[:count, :measured], roles.measured, grid, missing, place)
        known = _without_empty(filled[:, measured:], roles.known, grid, missing, place)
        series.append(TimeSeries(name, grid, values, known))
    return series, frequency


def _groups(table: pd.DataFrame, series_id: str, source: str) -> list[tuple[str, NDArray[np.int64]]]:
    """The rows of each series, the first seen first."""
    if not series_id:
        return [("", np.arange(len(table)))]
    column = table[series_id]
    missing = (column.isna() | (column.astype(str) == "")).to_numpy()
    if missing.any():
        row = int(missing.argmax()) + 1
        raise UserError(f"{source} row {row} has no {series_id!r}; say which series it belongs to")
    names = column.astype(str).to_numpy()
    return [(name, np.flatnonzero(names == name)) for name in dict.fromkeys(names.tolist())]


def _on_grid(
    times: pd.Index, cells: Values, rows: NDArray[np.int64], frequency: str, missing: Missing, place: str
) -> tuple[pd.Index, Values]:
    """Times without a gap, and a row of cells for each, NaN where the table has none."""
    grid = full_times(times, frequency, place)
    if len(grid) == len(times):
        return grid, cells.copy()
    lost = grid.difference(times)
    if missing == "refuse":
        after = int(times.searchsorted(lost[0]))
        raise UserError(
            f"{place}: {len(lost)} of {len(grid)} times are left out, the first {shown(lost[0])} after row"
            f" {rows[after - 1] + 1}; fill them in, or train with `missing=interpolate` or `missing=previous`"
        )
    wide = np.full((len(grid), cells.shape[1]), np.nan)
    wide[grid.get_indexer(times)] = cells
    return grid, wide


def _observed(targets: Values) -> int:
    """How many rows there are up to the last one that has a target."""
    has = np.isfinite(targets).any(axis=1)
    return int(np.flatnonzero(has)[-1]) + 1 if has.any() else 0


def _without_empty(part: Values, names: Sequence[str], times: pd.Index, missing: Missing, place: str) -> Values:
    """The cells (N, C) with none empty."""
    empty = np.isnan(part)
    if not empty.any():
        return part
    row, column = np.argwhere(empty)[0].tolist()
    where = f"{place}: the cell of column {names[column]!r} at {shown(times[row])}"
    if missing == "refuse":
        raise UserError(
            f"{where} is empty or NaN ({int(empty.sum())} such cells in all); mend it, or train with"
            " `missing=interpolate` or `missing=previous`"
        )
    places = np.arange(len(part))
    filled = part.copy()
    for number in np.flatnonzero(empty.any(axis=0)).tolist():
        there = np.flatnonzero(~empty[:, number])
        if not len(there) or (missing == "previous" and there[0] > 0):
            raise UserError(f"{where} is empty and has no value before it to fill it with; take the column or row out")
        if missing == "interpolate":
            filled[:, number] = np.interp(places, there, part[there, number])
        else:
            filled[:, number] = part[there[np.searchsorted(there, places, side="right") - 1], number]
    return filled
