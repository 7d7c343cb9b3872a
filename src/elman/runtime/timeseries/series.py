"""Series as a forecaster reads them, from a table by its columns' names, or from an array of the target.

N rows of a series, G rows after its last value, F steps ahead, Y targets, P past covariates, K known-future ones.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from elman.errors import UserError
from elman.runtime.model import named
from elman.runtime.tables import number_of, read_columns
from elman.runtime.tensors import Flags, Floats, Integers
from elman.runtime.timeseries.fitted import LARGEST, Fitted, Scale, Values
from elman.runtime.timeseries.times import Times, calendar, is_number, on_grid, parse_times, shown, span

_THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2}(\.\d{3})+")
Table = Mapping[str, Sequence[Any]]


class Series(NamedTuple):
    """One series: scaled values (N, Y + P), known (N + F, K) with the calendar, and what was measured (N, Y)."""

    name: str
    scale: Scale
    values: Floats
    known: Floats
    observed: Flags
    last: Any
    """The time of its last row."""


def table_of(given: Any, fitted: Fitted, number: int) -> tuple[str, Table]:
    """A table, and what to call it, from the name of a file, a table (columns by name), or an array of the one target.

    Raises:
        UserError: it is none of these, or cannot be read.
    """
    if isinstance(given, str | Path):
        path = Path(given)
        if path.suffix.lower() not in (".csv", ".tsv"):
            raise UserError(f"cannot tell the format of {path}; give a .csv or .tsv file, or columns by name")
        return str(given), read_columns(path, (fitted.series_id,), fitted.thousands)
    if isinstance(given, Mapping) or hasattr(given, "columns"):
        columns = {str(name): given[name] for name in given}
        if not columns or len({len(column) for column in columns.values()}) > 1:
            raise UserError(f"input {number} has columns of different lengths, or none; give all alike")
        _check_thousands(columns, fitted)
        return "table", columns
    if not (hasattr(given, "__array__") or isinstance(given, list | tuple)):
        raise UserError(f"input {number} is {named(given)}; give a .csv file, columns by name, or an array")
    if len(fitted.targets) > 1 or fitted.past or fitted.known or fitted.series_id:
        raise UserError("this run reads several columns; give a .csv file, or a dictionary of columns by name")
    values = np.asarray(given).reshape(-1)
    if not is_number(fitted.frequency):
        raise UserError(
            f"this run reads dates; give a dictionary of the columns {fitted.time!r} and {fitted.targets[0]!r}"
        )
    return "table", {fitted.time: range(len(values)), fitted.targets[0]: values.tolist()}


def _check_thousands(table: Table, fitted: Fitted) -> None:
    """Raise a UserError where a text in a table has a mark of thousands: what files hold is read as a whole."""
    for name in fitted.thousands:
        for row, cell in enumerate(table.get(name, ()), 1):
            if isinstance(cell, str) and _THOUSANDS.fullmatch(cell.strip()):
                raise UserError(f"table row {row}, column {name!r}: {cell!r} has a mark of thousands; write it without")


def read_series(table: Table, source: str, fitted: Fitted, missing: str, window: int, ahead: int) -> list[Series]:
    """The series of a table, each long enough to look back on.

    Raises:
        UserError: a column is missing, a cell is no number, times do not lie on the run's step, a series was never seen
            in training, or has fewer rows than a window or too few known-future ones.
    """
    for name in (*(fitted.time_parts or (fitted.time,)), *filter(None, [fitted.series_id])):
        _column(table, name, source)
    times = parse_times(_time_cells(table, fitted), source, fitted.date_order)
    columns = [*fitted.measured, *fitted.known]
    cells = np.stack([_numbers(table, name, source) for name in columns], axis=1)
    if (np.abs(cells) > LARGEST).any():
        raise UserError(f"{source}: a number is too large to compute with; give numbers up to {LARGEST:g}")
    return [
        _one(
            name,
            times[rows],
            cells[rows],
            fitted,
            missing,
            window,
            ahead,
            f"{source}, series {name!r}" if name else source,
        )
        for name, rows in _groups(table, fitted.series_id)
    ]


def _one(
    name: str, times: Times, cells: Values, fitted: Fitted, missing: str, window: int, ahead: int, place: str
) -> Series:
    if name not in fitted.scales:
        seen = ", ".join(repr(known) for known in list(fitted.scales)[:8])
        raise UserError(f"{place} was never seen in training, which had {seen}")
    grid, positions = on_grid(times, fitted.frequency, place)
    wide = np.full((len(grid), cells.shape[1]), np.nan)
    wide[positions] = cells
    Y, measured = len(fitted.targets), len(fitted.measured)
    if missing == "refuse" and len(grid) > len(times):
        raise UserError(f"{place}: {len(grid) - len(times)} of {len(grid)} times are left out; fill them in")
    if missing != "refuse":
        has = np.isfinite(wide)
        first = int(np.where(has.any(axis=0), has.argmax(axis=0), 0).max(initial=0))
        grid, wide = grid[first:], wide[first:]
    has_target = np.isfinite(wide[:, :Y]).any(axis=1)
    count = (int(np.flatnonzero(has_target)[-1]) + 1 if has_target.any() else 0) if fitted.known else len(wide)
    if count < window:
        raise UserError(f"{place}: there are {count} rows, and a forecast looks back on {window}; give more")
    observed = np.isfinite(wide[:count, :Y])
    values = _without_empty(wide[:count, :measured], fitted.measured, grid, missing, place)
    known = _without_empty(wide[:, measured:], fitted.known, grid, missing, place)
    scale = fitted.scales[name]
    scaled, known_scaled = fitted.scaled(values, known, scale, place)
    given = len(grid) - count
    if given < ahead:
        if fitted.known:
            raise UserError(
                f"{place} has {given} rows after its last value ({shown(grid[count - 1])}), and the forecast of"
                f" {ahead} steps needs {', '.join(map(repr, fitted.known))} for each; add such rows, their target empty"
            )
        grid = np.concatenate([grid, span(grid[-1], fitted.frequency, ahead - given + 1)[1:]])
        known_scaled = np.zeros((len(grid), 0), np.float32)
    known_scaled = np.concatenate([known_scaled, calendar(grid, fitted.calendar)], axis=1)
    return Series(name, scale, scaled, known_scaled, observed, grid[count - 1])


def _groups(table: Table, series_id: str) -> list[tuple[str, Integers]]:
    """The rows of each series, the first seen first."""
    if not series_id:
        return [("", np.arange(len(next(iter(table.values())))))]
    names = [
        str(int(name)) if isinstance(name, float) and name.is_integer() else str(name) for name in table[series_id]
    ]
    rows: dict[str, list[int]] = {}
    for row, name in enumerate(names):
        rows.setdefault(name, []).append(row)
    return [(name, np.array(own)) for name, own in rows.items()]


def _time_cells(table: Table, fitted: Fitted) -> Sequence[Any]:
    if not fitted.time_parts:
        return table[fitted.time]
    by_name = {name.strip().lower(): [str(cell) for cell in table[name]] for name in fitted.time_parts}
    if {"year", "month"} <= set(by_name):
        parts = [by_name.get(part, ["1"] * len(by_name["year"])) for part in ("year", "month", "day")]
        clock = [by_name.get(part, ["0"] * len(by_name["year"])) for part in ("hour", "minute", "second")]
        rows = zip(*parts, *clock, strict=True)
        return [f"{y}-{int(m):02}-{int(d):02} {int(h):02}:{int(n):02}:{int(s):02}" for y, m, d, h, n, s in rows]
    return [" ".join(cells) for cells in zip(*by_name.values(), strict=True)]


def _column(table: Table, name: str, source: str) -> Sequence[Any]:
    if name not in table:
        has = ", ".join(repr(one) for one in list(table)[:8])
        raise UserError(f"{source} has no column {name!r}, which the run reads; it has {has}")
    return table[name]


def _numbers(table: Table, name: str, source: str) -> Values:
    """(N,) a column as numbers, NaN where a cell is empty; "column=text" is 1 where the column holds the text."""
    column, sign, text = name.partition("=")
    if name not in table and sign and column in table:
        cells = [str(cell) for cell in table[column]]
        return np.array([np.nan if not cell.strip() else float(cell == text) for cell in cells])
    found = _column(table, name, source)
    values = [_number(cell, f"{source} row {row}, column {name!r}") for row, cell in enumerate(found, 1)]
    return np.array(values, np.float64)


def _number(cell: Any, place: str) -> float:
    value = number_of(cell, place) if isinstance(cell, str) else float("nan") if cell is None else float(cell)
    if np.isinf(value):
        raise UserError(f"{place} is infinite; mend it")
    return value


def _without_empty(part: Values, names: Sequence[str], times: Times, missing: str, place: str) -> Values:
    """The cells (N, C) with none empty: refused, interpolated in time, or filled with the value before."""
    empty = np.isnan(part)
    if not empty.any():
        return part
    row, column = np.argwhere(empty)[0].tolist()
    where = f"{place}: the cell of column {names[column]!r} at {shown(times[row])}"
    if missing == "refuse":
        raise UserError(f"{where} is empty or NaN ({int(empty.sum())} such cells in all); mend it")
    places, filled = np.arange(len(part)), part.copy()
    for number in np.flatnonzero(empty.any(axis=0)).tolist():
        there = np.flatnonzero(~empty[:, number])
        if not len(there) or (missing == "previous" and there[0] > 0):
            raise UserError(f"{where} is empty and has no value before it to fill it with; take the column or row out")
        if missing == "interpolate":
            filled[:, number] = np.interp(places, there, part[there, number])
        else:
            filled[:, number] = part[there[np.searchsorted(there, places, side="right") - 1], number]
    return filled
