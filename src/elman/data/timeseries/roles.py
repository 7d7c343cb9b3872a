"""Which column of a table of series is what: times, targets, covariates, names; and covariates of texts as numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from elman.data.io.columns import known_column
from elman.data.timeseries.dates import LOOKED_AT, are_dates
from elman.errors import UserError, optional_imports
from elman.runtime.text.decimal_marks import no_number

if TYPE_CHECKING:
    import pandas as pd

PARTS = ("year", "month", "day", "hour", "minute", "second")
"""Columns that make a time together."""
_GERMAN = {"jahr": "year", "monat": "month", "tag": "day", "stunde": "hour"}
_MONTHS = (
    ("january", "januar", "jänner", "jan", "jän"), ("february", "februar", "feb"),
    ("march", "märz", "mar", "mär", "mrz"), ("april", "apr"),
    ("may", "mai"), ("june", "juni", "jun"), ("july", "juli", "jul"), ("august", "aug"),
    ("september", "sept", "sep"), ("october", "oktober", "oct", "okt"), ("november", "nov"),
    ("december", "dezember", "dec", "dez"),
)  # fmt: skip
_MONTH_OF = {name: number for number, names in enumerate(_MONTHS, 1) for name in names}
_CLOCK = r"\s*([01]?\d|2[0-3]):[0-5]\d(:[0-5]\d([.,]\d+)?)?(\s*[AaPp][Mm])?\s*"
MOST_CATEGORIES = 50
"""Different texts of a covariate, at most."""


@dataclass(frozen=True)
class Roles:
    """Which column is what.

    Arguments:
        time: the column of times; what several columns that make one time are called together.
        targets: Y columns to forecast.
        past: P covariates, known up to the present; "column=text" is 1 where the column holds the text.
        known: K covariates whose future is known, such as holidays or prices.
        series_id: the column that tells several series apart, or "".
        time_parts: the columns that make the time, where there are several.
    """

    time: str
    targets: tuple[str, ...]
    past: tuple[str, ...] = ()
    known: tuple[str, ...] = ()
    series_id: str = ""
    time_parts: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        times = self.time_parts or (self.time,)
        named = [*times, *self.targets, *self.past, *self.known, *([self.series_id] if self.series_id else [])]
        twice = next((name for name in named if named.count(name) > 1), None)
        if twice is not None:
            raise UserError(f"column {twice!r} has two roles; a column is the time, a target or one sort of covariate")

    @property
    def measured(self) -> tuple[str, ...]:
        """Targets and past covariates: what is read up to the present."""
        return self.targets + self.past


def roles_of(
    table: pd.DataFrame,
    source: str,
    *,
    time: Sequence[str],
    targets: Sequence[str],
    past: Sequence[str],
    known: Sequence[str],
    series_id: str,
    notes: list[str] | None = None,
) -> Roles:
    """The roles of a table's columns; what is not said is found, and added to `notes` where there was a choice.

    The time is the first column of dates, with one of times of day where days stand more than once; else the columns
    year, month, ... together, else the first column, if its numbers rise, or are whole and fall. The target is the last
    column of numbers.

    Raises:
        UserError: a column that was named is not there (suggests the near one), one has two roles, or the time or the
            target cannot be told.
    """
    path, columns = Path(source), list(table.columns)
    notes = [] if notes is None else notes
    for name in (*time, *targets, *past, *known, *filter(None, [series_id])):
        known_column(name, columns, path)
    taken = {*targets, *past, *known, *filter(None, [series_id])}
    times = tuple(time) or _times(table, [name for name in columns if name not in taken], source, series_id, notes)
    if not targets:
        free = [name for name in columns if name not in taken and name not in times]
        numbers = [name for name in free if _is_mostly_numbers(table[name])]
        if not numbers:
            why = f"only texts, such as {free[0]!r}" if free else "no other column"
            raise UserError(f"{source} has no column left to forecast ({why}); name it with `target`")
        if len(numbers) > 1:
            notes.append(f"{source}: {numbers[-1]!r} is forecast, the last column of numbers; `target` names others")
        targets = numbers[-1:]
    parts = times if len(times) > 1 else ()
    return Roles(" ".join(times), tuple(targets), tuple(past), tuple(known), series_id, parts)


def _times(table: pd.DataFrame, free: Sequence[str], source: str, series_id: str, notes: list[str]) -> tuple[str, ...]:
    dated = [name for name in free if _is_date(table[name])]
    clocks = [name for name in dated if _is_clock(table[name])]
    dates = next((name for name in dated if name not in clocks), next(iter(dated), None))
    small = {part_of(name): name for name in reversed(free)}
    found: tuple[str, ...]
    if dates is not None:
        clock = next((name for name in clocks if name != dates), None)
        found = (dates,) if clock is None or not _tells_apart(table, clock, [dates, series_id]) else (dates, clock)
    elif "year" in small and "month" in small:
        together = [part in small for part in PARTS]
        found = tuple(small[part] for part in PARTS[: together.index(False) if False in together else None])
    elif free and _is_number(table[free[0]]) and (series_id or _goes_one_way(table[free[0]])):
        return (free[0],)
    else:
        looked = f"; {free[0]!r}, the first column, neither holds dates nor rises or falls" if free else ""
        raise UserError(f"{source}: no column of times is found{looked}; name it with `time`")
    if found != tuple(free[:1]):
        notes.append(f"{source}: the time is {' '.join(map(repr, found))}; another is named with `time`")
    return found


def _tells_apart(table: pd.DataFrame, clock: str, columns: Sequence[str]) -> bool:
    """Whether rows that are alike in some columns all differ in their times of day."""
    alike = [name for name in columns if name]
    return bool(table.duplicated(alike).any()) and not bool(table.duplicated([*alike, clock]).any())


def _is_clock(column: pd.Series) -> bool:
    """Whether a column holds times of day: 7:05, 23:59:59."""
    cells = column.dropna().astype(str).head(LOOKED_AT)
    return bool(len(cells)) and bool(cells.str.fullmatch(_CLOCK).all())


def part_of(name: str) -> str:
    """What part of a time a column is by its name, in English: Year, Jahr; else the name in small letters."""
    small = name.strip().lower()
    return _GERMAN.get(small, small)


def _month(cell: Any) -> Any:
    """The number of a month that is written by its name, English or German; else the cell."""
    return _MONTH_OF.get(cell.strip().rstrip(".").lower(), cell) if isinstance(cell, str) else cell


def time_column(table: pd.DataFrame, roles: Roles) -> pd.Series:
    """The times of a table as one column: its own, or made of several, such as year, month, day and hour.

    Columns that are called otherwise are put side by side: a date and a time of day.
    """
    with optional_imports():
        import pandas as pd

    if not roles.time_parts:
        return table[roles.time]
    parts = {part_of(name): table[name] for name in roles.time_parts}
    if set(parts) <= set(PARTS) and {"year", "month"} <= set(parts):
        if "day" not in parts:
            parts["day"] = pd.Series(1, index=table.index)
        parts["month"] = parts["month"].map(_month)
        times = pd.to_datetime(pd.DataFrame(parts), errors="coerce")
        together = table[list(roles.time_parts)].astype(str).agg(" ".join, axis=1)
        column = times.astype(object).where(times.notna(), together) if times.isna().any() else times
    else:
        column = table[list(roles.time_parts)].astype(str).agg(" ".join, axis=1)
    return column.rename(roles.time)


def with_categories(table: pd.DataFrame, roles: Roles, source: str) -> Roles:
    """The roles with each covariate of texts replaced by one column of zeros and ones for each text.

    Raises:
        UserError: it holds more than `MOST_CATEGORIES` different texts, or numbers and a few texts: names one.
    """

    def encoded(names: Sequence[str]) -> tuple[str, ...]:
        found: list[str] = []
        for name in names:
            found += [name] if _is_number(table[name]) else [f"{name}={text}" for text in _texts(table, name, source)]
        return tuple(found)

    return replace(roles, past=encoded(roles.past), known=encoded(roles.known))


def _texts(table: pd.DataFrame, name: str, source: str) -> list[str]:
    with optional_imports():
        import pandas as pd

    cells = table[name].dropna().astype(str)
    numbers = pd.to_numeric(cells, errors="coerce")
    texts = sorted(set(cells))
    if numbers.notna().any() and len(cells) and cells.str.lower().isin(["true", "false"]).mean() < 1:
        row = table.index.get_loc(numbers.index[numbers.isna().to_numpy().argmax()]) + 1
        cell = str(cells[numbers.isna()].iloc[0])[:40]
        raise UserError(f"{source} row {row}, column {name!r}: {no_number(cell)}")
    if not 1 < len(texts) <= MOST_CATEGORIES:
        raise UserError(
            f"{source}: the texts of column {name!r} cannot be encoded: there are {len(texts)} different ones, and 2 to"
            f" {MOST_CATEGORIES} would make sense; leave the column out"
        )
    return texts


def encode(table: pd.DataFrame, roles: Roles) -> pd.DataFrame:
    """The table with the columns "column=text" that the roles ask for; a text never seen is 0 in all of them."""
    made = {}
    for name in (*roles.past, *roles.known):
        column, sign, text = name.partition("=")
        if name in table.columns or not sign or column not in table.columns:
            continue
        cells = table[column]
        made[name] = (cells.astype(str) == text).astype(float).where(cells.notna())
    return table.assign(**made)


def _goes_one_way(column: pd.Series) -> bool:
    """Whether numbers rise, or are whole ones that fall from row to row: the newest first."""
    falls = column.is_monotonic_decreasing and column.is_unique and bool((column == column.round()).all())
    return bool(column.is_monotonic_increasing or falls)


def _is_number(column: pd.Series) -> bool:
    with optional_imports():
        import pandas as pd

    return bool(pd.api.types.is_numeric_dtype(column)) and not _is_empty(column)


def _is_mostly_numbers(column: pd.Series) -> bool:
    """Whether a column was meant to hold numbers: a wrong cell is to be named, not to hide its column."""
    with optional_imports():
        import pandas as pd

    if column.dtype.kind in "mM":  # pandas takes dates for numbers of nanoseconds
        return False
    cells = column.dropna()
    return _is_number(column) or bool(len(cells) and pd.to_numeric(cells, errors="coerce").notna().mean() > 0.5)


def _is_empty(column: pd.Series) -> bool:
    return not bool(column.notna().any())


def _is_date(column: pd.Series) -> bool:
    with optional_imports():
        import pandas as pd

    if pd.api.types.is_datetime64_any_dtype(column) or isinstance(column.dtype, pd.PeriodDtype):
        return True
    if pd.api.types.is_numeric_dtype(column) or _is_empty(column):
        return False
    return are_dates([str(cell) for cell in column.dropna().iloc[:LOOKED_AT]])
