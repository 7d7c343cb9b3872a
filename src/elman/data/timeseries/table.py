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
from elman.data.timeseries.dates import DateOrder, parse_times
from elman.data.timeseries.roles import Roles, encode, time_column
from elman.data.timeseries.sizes import check_size
from elman.data.timeseries.timestamps import asked_frequency, check_order, find_frequency, full_times, shown
from elman.errors import UserError, optional_imports

if TYPE_CHECKING:
    import pandas as pd

Missing = Literal["refuse", "interpolate", "previous"]
Values = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class TimeSeries:
    """One series without gaps.

    Arguments:
        name: what the column of ids calls it, "" where there is one series only.
        times: (N + G,) of its rows and of those after its last value.
        values: (N, Y + P) targets, then past covariates.
        known: (N + G, K).
        observed: (N, Y) whether a target was measured; None where all were. Others are filled in and count nowhere.
    """

    name: str
    times: pd.Index
    values: Values
    known: Values
    observed: Flags | None = None

    def __len__(self) -> int:
        return len(self.values)

    def measured(self, targets: int) -> Flags:
        """(N, Y) whether each target was measured."""
        return np.ones((len(self), targets), dtype=np.bool_) if self.observed is None else self.observed


@dataclass(frozen=True)
class SeriesTable:
    """What a table holds: its series in the order in which they begin there, their step, and the order of its dates."""

    series: list[TimeSeries]
    frequency: str
    date_order: DateOrder


def read_series(
    table: pd.DataFrame,
    roles: Roles,
    source: str,
    *,
    missing: Missing = "refuse",
    frequency: str = "",
    date_order: DateOrder = "auto",
    notes: list[str] | None = None,
) -> SeriesTable:
    """The series of a table.

    Where there are known-future columns, the rows after a series' last target are its future. A series begins where
    each of its columns has a value, since what comes later may not fill what lies before.

    Arguments:
        missing: what becomes of empty cells and of times that are left out: refused; interpolated on the line between
            their neighbours; or filled with the value before.
        frequency: the step, where it is not to be found from the times.
        date_order, notes: see `elman.data.timeseries.dates.parse_times`.

    Raises:
        UserError: times out of order, twice, or missing; cells that are no number or empty.
    """
    for name in (*(roles.time_parts or (roles.time,)), *filter(None, [roles.series_id])):
        known_column(name, list(table.columns), Path(source))
    times, date_order = parse_times(time_column(table, roles), source, date_order, notes)
    columns = (*roles.measured, *roles.known)
    cells = numbers(encode(table, roles), columns, source)
    _check_sizes(cells, columns, source)
    groups = _groups(table, roles.series_id, source)
    places = {name: f"{source}, series {name!r}" if name else source for name, _ in groups}
    notes = [] if notes is None else notes
    if all(len(rows) > 1 and (times[rows][1:] < times[rows][:-1]).all() for _, rows in groups):
        groups = [(name, rows[::-1]) for name, rows in groups]
        notes.append(f"{source}: the newest row stands first; the rows are read in reverse")
    for name, rows in groups:
        check_order(times[rows], rows, places[name])
    if frequency:
        frequency = asked_frequency(frequency, times, source)
    else:
        name, rows = max(groups, key=lambda group: len(group[1]))
        frequency = find_frequency(times[rows], places[name])
    series = [_one(name, times, cells, rows, roles, frequency, missing, places[name], notes) for name, rows in groups]
    return SeriesTable(series, frequency, date_order)


def _one(
    name: str,
    times: pd.Index,
    cells: Values,
    rows: NDArray[np.int64],
    roles: Roles,
    frequency: str,
    missing: Missing,
    place: str,
    notes: list[str],
) -> TimeSeries:
    grid, wide = _on_grid(times[rows], cells[rows], rows, frequency, missing, place)
    targets, measured = len(roles.targets), len(roles.measured)
    if missing != "refuse" and (first := _first_whole(wide)):
        if first >= len(wide):
            raise UserError(f"{place} has no row up to which every column has a value; leave a column out")
        notes.append(f"{place} begins at {shown(grid[first])}: before, a column has no value yet")
        grid, wide = grid[first:], wide[first:]
    count = _observed(wide[:, :targets]) if roles.known else len(wide)
    observed = np.isfinite(wide[:count, :targets])
    values = _without_empty(wide[:count, :measured], roles.measured, grid, missing, place)
    known = _without_empty(wide[:, measured:], roles.known, grid, missing, place)
    return TimeSeries(name, grid, values, known, None if observed.all() else observed)


def _first_whole(wide: Values) -> int:
    """The first row by which every column has had a value."""
    has = np.isfinite(wide)
    begins = np.where(has.any(axis=0), has.argmax(axis=0), 0)  # an empty column is refused elsewhere
    return int(begins.max(initial=0))


def _check_sizes(cells: Values, columns: Sequence[str], source: str) -> None:
    check_size(cells, source, lambda at: f"{source} row {at[0] + 1}, column {columns[at[1]]!r}")


def _groups(table: pd.DataFrame, series_id: str, source: str) -> list[tuple[str, NDArray[np.int64]]]:
    """The rows of each series, the first seen first."""
    if not series_id:
        return [("", np.arange(len(table)))]
    with optional_imports():
        import pandas as pd

    column = table[series_id]
    missing = (column.isna() | (column.astype(str) == "")).to_numpy()
    if missing.any():
        row = int(missing.argmax()) + 1
        raise UserError(f"{source} row {row} has no {series_id!r}; say which series it belongs to")
    if pd.api.types.is_float_dtype(column) and (column == column.round()).all():
        column = column.astype("int64")  # 1, 2, 3, which an empty cell elsewhere had made 1.0, 2.0, 3.0
    names = column.astype(str).to_numpy()
    codes, found = pd.factorize(names)  # in order of appearance
    order = np.argsort(codes, kind="stable")
    ends = np.cumsum(np.bincount(codes))
    return [(str(name), part) for name, part in zip(found, np.split(order, ends[:-1]), strict=True)]


def _on_grid(
    times: pd.Index, cells: Values, rows: NDArray[np.int64], frequency: str, missing: Missing, place: str
) -> tuple[pd.Index, Values]:
    """Times without a gap, and a row of cells for each, NaN where the table has none."""
    grid, positions = full_times(times, frequency, rows, place)
    if len(grid) == len(times):
        return grid, cells.copy()
    if missing == "refuse":
        before = int(np.argmax(np.diff(positions) > 1))
        raise UserError(
            f"{place}: {len(grid) - len(times)} of {len(grid)} times are left out, the first"
            f" {shown(grid[positions[before] + 1])} after row {rows[before] + 1}; fill them in, or train with"
            " `missing=interpolate` or `missing=previous`"
        )
    wide = np.full((len(grid), cells.shape[1]), np.nan)
    wide[positions] = cells
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
