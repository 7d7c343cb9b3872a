"""The cells of a time column as dates or numbers: order of day and month, packed dates such as 20210131, Unix times.

What decides is the column as a whole: one unambiguous cell decides for all, and then the regular step. Where neither
does, the user is asked.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from elman.data.timeseries.timestamps import FIRST_DAY, find_frequency, steps_between
from elman.errors import UserError, optional_imports

if TYPE_CHECKING:
    import pandas as pd

DateOrder = Literal["auto", "day-first", "month-first"]
_NUMERIC = re.compile(r"^\s*(\d{1,2})([./-])(\d{1,2})\2(\d{4}|\d{2})(?=$|[ T,])")
_MONTH_AND_YEAR = re.compile(r"\s*[A-Za-z]{3,9}[-/ ]\d{2}\s*")
"""Jan-18, as spreadsheets shorten months: without this the 18 is taken for a day of the year 1."""
_ISO = r"\d{4}-\d{2}-\d{2}([ T]\d{2}(:\d{2}(:\d{2}(\.\d{1,9})?)?)?)?"
_PLAIN = r"\s*\d+(\.\d+)?\s*"
_CLOCK = re.compile(r"\s*\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?\s*([ap]\.?m\.?)?\s*", re.IGNORECASE)
_PACKED = {6: "%Y%m", 8: "%Y%m%d", 10: "%Y%m%d%H", 12: "%Y%m%d%H%M", 14: "%Y%m%d%H%M%S"}
_YEARS = (1700, 2200)
"""A number is read as a packed date within these years only."""
LOOKED_AT = 50
"""Cells from which it is told whether a column holds dates."""
CLEARLY = 1.5
"""How many times fuller one reading of ambiguous dates must be than the other to decide."""
_UNIX = ((946_684_800, 4_102_444_800), (1, 1_000, 1_000_000, 1_000_000_000))
"""Seconds from 1970 to 2000 and to 2100, and the units of Unix times in one second."""


def parse_times(
    column: pd.Series, source: str, order: DateOrder = "auto", notes: list[str] | None = None
) -> tuple[pd.Index, DateOrder]:
    """The times of a column, and the order of day and month that was found where the cells leave a choice.

    Numbers stay numbers, unless all are dates such as 20210131 or 202101, or Unix times of 2000 to 2100.

    Arguments:
        order: what stands first in dates such as 01/02/2020; auto finds it from the column.
        notes: takes what was decided and might surprise.

    Raises:
        UserError: a cell is neither date nor number: says the row; or the order cannot be told.
    """
    with optional_imports():
        import pandas as pd

    place = f"{source}, column {column.name!r}"
    notes = [] if notes is None else notes
    if pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column):
        return _numbers(column, source, place, notes), order
    if isinstance(column.dtype, pd.PeriodDtype):
        return pd.Index(column.dt.to_timestamp()), order
    if pd.api.types.is_datetime64_any_dtype(column):
        return _checked(column, column, source), order
    texts = column.astype(object).where(column.notna(), None)
    if texts.notna().all() and texts.astype(str).str.fullmatch(_PLAIN).all():
        return _numbers(pd.to_numeric(texts.astype(str)).rename(column.name), source, place, notes), order
    if texts.notna().all() and texts.astype(str).str.fullmatch(_CLOCK).all():
        notes.append(
            f"{place}: times of day such as {texts.iloc[0]} have no date and are counted from {FIRST_DAY}; write the"
            " date too where weekdays or seasons count"
        )
        return _checked(_dates(FIRST_DAY + " " + texts.astype(str).str.strip()), column, source), order
    parts = texts.astype(str).str.extract(_NUMERIC)
    if texts.notna().all() and parts.notna().to_numpy().all():
        order = _order(texts, parts, place, source, notes) if order == "auto" else order
        return _checked(_dates(texts, dayfirst=order == "day-first"), column, source), order
    return _checked(_dates(texts), column, source), order


def are_dates(cells: Sequence[str]) -> bool:
    """Whether most of the first cells, which are no numbers, can be read as dates or times."""
    with optional_imports():
        import pandas as pd

    some = pd.Series(list(cells[:LOOKED_AT]), dtype=object).astype(str)
    if some.str.contains(r"\d").mean() <= 0.5:
        return False

    def read(dayfirst: bool) -> Any:
        return quietly(lambda: pd.to_datetime(some, errors="coerce", dayfirst=dayfirst, utc=True))

    if any(read(dayfirst).notna().mean() > 0.5 for dayfirst in (False, True)):
        return True
    whole = some.where(some.str.fullmatch(_ISO))  # days among hours, where the first cell is no pattern for the others
    return bool(
        quietly(lambda: pd.to_datetime(whole, errors="coerce", format="ISO8601", utc=True)).notna().mean() > 0.5
    )


def _numbers(column: pd.Series, source: str, place: str, notes: list[str]) -> pd.Index:
    with optional_imports():
        import pandas as pd

    numbers = column.to_numpy(dtype=np.float64, na_value=np.nan)
    if not np.isfinite(numbers).all():
        row = int(np.argmin(np.isfinite(numbers)))
        what = "is infinite" if np.isinf(numbers[row]) else "is missing"
        raise UserError(f"{source} row {row + 1}, column {column.name!r}: the time {what}; mend it")
    if not (numbers == np.round(numbers)).all():
        return pd.Index(numbers)
    packed = _packed(numbers)
    if packed is not None:
        notes.append(f"{place}: numbers such as {numbers[0]:.0f} are read as dates")
        return packed
    (first, last), units = _UNIX
    for unit in units:
        if first * unit <= numbers.min() and numbers.max() < last * unit:
            notes.append(f"{place}: numbers such as {numbers[0]:.0f} are read as Unix times")
            # the column's own integers: a float64 has no room for nanoseconds
            whole = column.astype("int64").to_numpy() * (1_000_000_000 // unit)
            return pd.DatetimeIndex(whole.astype("datetime64[ns]"))
    return pd.Index(column if pd.api.types.is_integer_dtype(column) else numbers.astype(np.int64))


def _packed(numbers: Any) -> pd.Index | None:
    """Whole numbers that are all dates written without signs between; None where they are not."""
    with optional_imports():
        import pandas as pd

    texts = pd.Series(numbers).map("{:.0f}".format)
    lengths = texts.str.len()
    length = int(lengths.iloc[0])
    if length not in _PACKED or not (lengths == length).all():
        return None
    years = texts.str[:4].astype(int)
    if not years.between(*_YEARS).all():
        return None
    times = pd.to_datetime(texts, format=_PACKED[length], errors="coerce")
    return None if times.isna().any() else pd.Index(times)


def _order(texts: pd.Series, parts: pd.DataFrame, place: str, source: str, notes: list[str]) -> DateOrder:
    """Which of day and month stands first: by a number above 12, the order of the rows, the step, or dots."""
    first, second = parts[0].astype(int), parts[2].astype(int)
    day_first, month_first = bool((first > 12).any()), bool((second > 12).any())
    if day_first and month_first:
        rows = int((first > 12).to_numpy().argmax()) + 1, int((second > 12).to_numpy().argmax()) + 1
        raise UserError(
            f"{source}: rows {rows[0]} and {rows[1]} of column {texts.name!r} write day and month in different orders;"
            " write all dates alike"
        )
    if day_first or month_first:
        decides = first if day_first else second
        row = int((decides > 12).to_numpy().argmax())
        order: DateOrder = "day-first" if day_first else "month-first"
        notes.append(f"{place}: dates are read {order}, since {texts.iloc[row]} in row {row + 1} can be nothing else")
        return order
    if (first == second).all():
        return "day-first"
    read = [_dates(texts, dayfirst=dayfirst) for dayfirst in (True, False)]
    rising = [times.is_monotonic_increasing or times.is_monotonic_decreasing for times in read]
    if rising[0] != rising[1]:
        order = "day-first" if rising[0] else "month-first"
        notes.append(f"{place}: dates such as {texts.iloc[0]} are read {order}, by which the rows are sorted")
        return order
    dense = [_density(texts, dayfirst=dayfirst) for dayfirst in (True, False)]
    order = "day-first" if dense[0] >= dense[1] else "month-first"
    if max(dense) > CLEARLY * min(dense):
        notes.append(f"{place}: dates such as {texts.iloc[0]} are read {order}, which makes their step regular")
        return order
    if (parts[1] == ".").all():
        notes.append(f"{place}: dates such as {texts.iloc[0]} are read day-first, as dates with dots are written")
        return "day-first"
    raise UserError(
        f"{place}: dates such as {texts.iloc[0]} may have the day or the month first; say `date_order=day-first` or"
        " `date_order=month-first`"
    )


def _density(texts: pd.Series, *, dayfirst: bool) -> float:
    """The share of the times of a regular step, from the first to the last, that are there; 0 without a step."""
    with optional_imports():
        import pandas as pd

    times = pd.DatetimeIndex(_dates(texts, dayfirst=dayfirst)).unique().sort_values()
    if times.isna().any() or len(times) < 3:
        return 0.0
    if len(set(times.day)) == 1 and times.normalize().equals(times):  # the same day of each month
        months = times.year * 12 + times.month
        return len(times) / (1 + int(months[-1] - months[0]))
    try:
        step = find_frequency(times, "")
    except UserError:
        return 0.0
    return len(times) / (1 + steps_between(times[0], times[-1], step))


def _dates(texts: pd.Series, *, dayfirst: bool = False) -> pd.Series:
    """Texts as dates, missing where one is none; several offsets from UTC become UTC."""
    with optional_imports():
        import pandas as pd

    def read(**how: Any) -> pd.Series:
        found: pd.Series = quietly(lambda: pd.to_datetime(texts, errors="coerce", dayfirst=dayfirst, **how))
        return found

    if texts.astype(str).str.fullmatch(_MONTH_AND_YEAR).all():
        months = texts.str.strip().str.replace("[-/]", " ", regex=True)
        for written in ("%b %y", "%B %y"):
            times: pd.Series = pd.to_datetime(months, errors="coerce", format=written)
            if not times.isna().any():
                return times
    try:
        times = read()
    except (ValueError, TypeError):  # offsets that differ, as at a change of clocks
        times = read(utc=True)
    if not times.isna().any():
        return times
    for how in ({"format": "mixed"}, {"format": "mixed", "utc": True}):  # "2020-01-01" among "2020-01-01 12:00"
        try:
            mixed = read(**how)
        except (ValueError, TypeError):
            continue
        if mixed.isna().sum() < times.isna().sum():
            times = mixed
    return times


def _checked(times: pd.Series, column: pd.Series, source: str) -> pd.Index:
    with optional_imports():
        import pandas as pd

    if times.isna().any():
        row = int(times.isna().to_numpy().argmax())
        cell = str(column.iloc[row])[:40]
        raise UserError(f"{source} row {row + 1}, column {column.name!r}: {cell!r} is no date or time; mend it")
    return pd.Index(times)


def quietly(ask: Callable[[], Any]) -> Any:
    """What pandas answers, without its warnings."""
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ask()
