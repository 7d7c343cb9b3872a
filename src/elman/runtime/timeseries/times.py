"""Times without pandas: dates as they are written, the regular step between them, and what a calendar says of each.

A step is written as pandas writes it ("h", "D", "MS"), or, where times are plain numbers, is the distance of two ("1").
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import numpy as np

from elman.errors import UserError
from elman.runtime.tensors import Array, Floats, Integers

Times = Array
"""(N,) datetime64[us], or numbers."""
_STEP = re.compile(r"(\d*)([A-Za-z]+)(?:-([A-Z]{3}))?")
_FIXED = {
    "us": 1,
    "ms": 10**3,
    "s": 10**6,
    "min": 60 * 10**6,
    "h": 3600 * 10**6,
    "D": 86_400 * 10**6,
    "W": 7 * 86_400 * 10**6,
}
"""Steps of one length, in microseconds."""
_MONTHS = {"MS": 1, "ME": 1, "QS": 3, "QE": 3, "YS": 12, "YE": 12}
"""Steps of so many months: to a first day (S) or to a last one (E)."""
_OLD = {"H": "h", "T": "min", "S": "s", "L": "ms", "U": "us", "M": "ME", "Q": "QE", "A": "YE", "Y": "YE", "AS": "YS"}
_PACKED = {6: "%Y%m", 8: "%Y%m%d", 10: "%Y%m%d%H", 12: "%Y%m%d%H%M", 14: "%Y%m%d%H%M%S"}
_YEARS = (1700, 2200)
_UNIX = ((946_684_800, 4_102_444_800), (1, 1_000, 1_000_000, 1_000_000_000))
"""Seconds from 1970 to 2000 and to 2100, and the units of Unix times in one second."""
_NUMERIC_DATE = re.compile(r"(\d{1,2})([./-])(\d{1,2})\2(\d{4})(.*)")
_YEAR_MONTH = re.compile(r"(\d{4})[-/](\d{1,2})")
_YEAR_MONTH_DAY = re.compile(r"(\d{4})[-/](\d{1,2})[-/](\d{1,2})(.*)")
OFF_THE_STEP = 0.05
"""How far from its place a number may lie that stands for a time, in steps."""


def step_of(frequency: str) -> tuple[int, str] | None:
    """How many of which step a frequency is: (2, "h"); None where times are numbers.

    Raises:
        ValueError: it is a step that is not known here.
    """
    if is_number(frequency):
        if not 0 < float(frequency) < math.inf:
            raise ValueError(f"the step {frequency!r} is not above 0")
        return None
    found = _STEP.fullmatch(frequency)
    name = _OLD.get(found[2], found[2]) if found else ""
    if not found or not (name in _FIXED or name in _MONTHS or name == "B") or int(found[1] or 1) < 1:
        raise ValueError(f"the step {frequency!r} is not one that is known without pandas")
    return int(found[1] or 1), name


def is_number(text: str) -> bool:
    """Whether a text is a number, as a step between numbers is."""
    try:
        float(text)
    except ValueError:
        return False
    return True


def span(start: Any, frequency: str, count: int) -> Times:
    """(count,) the times from `start` on, at a step."""
    step = step_of(frequency)
    if step is None:
        size = float(frequency)
        if size.is_integer() and float(start).is_integer():
            return np.asarray(int(start) + int(size) * np.arange(count))
        return np.asarray(np.round(start + size * np.arange(count), max(0, 9 - math.floor(math.log10(size)))))
    many, name = step
    steps = many * np.arange(count)
    begin = np.datetime64(start, "us")
    day = begin.astype("datetime64[D]")
    if name in _FIXED:
        return np.asarray(begin + steps * np.timedelta64(_FIXED[name], "us"))
    if name == "B":
        return np.asarray(np.busday_offset(day, steps).astype("datetime64[us]") + (begin - day))
    months = day.astype("datetime64[M]") + steps * _MONTHS[name]
    days = months.astype("datetime64[D]") if name[-1] == "S" else (months + 1).astype("datetime64[D]") - 1
    return np.asarray(days.astype("datetime64[us]") + (begin - day))


def parse_times(cells: Sequence[Any], place: str, order: str) -> Times:
    """The times of a column, texts or numbers or datetimes.

    Arguments:
        order: "day-first" or "month-first", which of the two stands first in dates such as 01/02/2020; "auto" takes
            dates that leave no choice only.

    Raises:
        UserError: a cell is neither date nor number: says the row.
    """
    cells = cells.tolist() if hasattr(cells, "tolist") and getattr(cells, "dtype", None) is not None else list(cells)
    if all((isinstance(cell, int | float) and not isinstance(cell, bool)) or is_number(str(cell)) for cell in cells):
        return _numbers([float(cell) for cell in cells], cells, place)
    return np.array([_date(cell, order, f"{place} row {row}") for row, cell in enumerate(cells, 1)], "datetime64[us]")


def _numbers(numbers: list[float], cells: Sequence[Any], place: str) -> Times:
    values = np.array(numbers)
    if not np.isfinite(values).all():
        raise UserError(f"{place} row {int(np.argmin(np.isfinite(values))) + 1}: the time is missing; mend it")
    if not (values == np.round(values)).all():
        return values
    texts = [f"{number:.0f}" for number in numbers]
    form = _PACKED.get(len(texts[0]))
    if form and all(len(text) == len(texts[0]) and _YEARS[0] <= int(text[:4]) <= _YEARS[1] for text in texts):
        try:
            return np.array([datetime.strptime(text, form) for text in texts], "datetime64[us]")
        except ValueError:
            pass  # numbers that only look like dates
    (first, last), units = _UNIX
    for unit in units:
        if first * unit <= values.min() and values.max() < last * unit:
            whole = [int(cell) if isinstance(cell, int) else int(float(cell)) for cell in cells]
            return np.array([one * 1_000_000 // unit for one in whole]).astype("datetime64[us]")
    return values.astype(np.int64)


def _date(cell: Any, order: str, place: str) -> datetime:
    if isinstance(cell, datetime):
        return cell
    text = str(cell).strip()
    try:
        if found := _YEAR_MONTH.fullmatch(text):
            return datetime(int(found[1]), int(found[2]), 1)
        if found := _YEAR_MONTH_DAY.fullmatch(text):
            time = datetime.fromisoformat(f"{found[1]}-{int(found[2]):02}-{int(found[3]):02}{found[4]}")
        elif found := _NUMERIC_DATE.fullmatch(text):
            day, month = int(found[1]), int(found[3])
            if order == "month-first" or (order == "auto" and month > 12):
                day, month = month, day
            elif order == "auto" and day <= 12 and day != month:
                raise UserError(f"{place}: {text[:40]!r} may have the day or the month first; write it as 2020-01-31")
            time = datetime.fromisoformat(f"{found[4]}-{month:02}-{day:02}{found[5]}")
        else:
            time = datetime.fromisoformat(text)
    except ValueError as error:
        if isinstance(error, UserError):
            raise
        raise UserError(
            f"{place}: {text[:40]!r} is no date that is read without pandas; write it as 2020-01-31 12:00"
        ) from error
    if time.tzinfo is not None:
        raise UserError(
            f"{place}: {text[:40]!r} has an offset from UTC, which is not read without pandas; write it without"
        )
    return time


def on_grid(times: Times, frequency: str, place: str) -> tuple[Times, Integers]:
    """All times from the first to the last at a step, and where among them the given ones stand.

    Raises:
        UserError: times that do not rise, or lie between two steps, or so far apart that one must be wrong.
    """
    falls = np.flatnonzero(times[1:] <= times[:-1])
    if len(falls):
        row = int(falls[0]) + 2
        raise UserError(
            f"{place} row {row}: time {shown(times[row - 1])} does not come after {shown(times[row - 2])};"
            " sort the rows"
        )
    dates = times.dtype.kind == "M"
    if dates == is_number(frequency):
        what = "dates" if dates else "numbers"
        raise UserError(f"{place}: the times are {what}, and the run's step is {frequency!r}; give times of its kind")
    whole = span(times[0], frequency, len(times))
    if len(whole) == len(times) and _alike(whole, times, frequency):
        return whole, np.arange(len(times))
    most = 51 * len(times) + 1000
    whole = span(times[0], frequency, most)
    positions = np.searchsorted(whole, times if dates else times - OFF_THE_STEP * float(frequency))
    inside = positions < most
    near = whole[np.minimum(positions, most - 1)]
    off = np.flatnonzero(~inside | (near != times if dates else np.abs(near - times) > OFF_THE_STEP * float(frequency)))
    if len(off):
        row = int(off[0])
        raise UserError(
            f"{place} row {row + 1}: time {shown(times[row])} does not lie on the run's step {frequency!r}; mend it"
        )
    return whole[: positions[-1] + 1], positions


def _alike(whole: Times, times: Times, frequency: str) -> bool:
    if times.dtype.kind == "M":
        return bool((whole == times).all())
    return bool((np.abs(whole - times) <= OFF_THE_STEP * float(frequency)).all())


_TURNS: dict[str, Callable[[Times, Times, Times], Any]] = {
    "hour": lambda days, seconds, _: seconds / 86_400,
    "weekday": lambda days, _, __: (days.astype(np.int64) + 3) % 7 / 7,  # day 0 was a Thursday
    "month": lambda days, _, months: (
        (months.astype(np.int64) % 12 + (days - months.astype("datetime64[D]")).astype(np.int64) / 31) / 12
    ),
}
"""Positions in the day, the week and the year, from 0 to 1."""
FEATURES = tuple(_TURNS)


def calendar(times: Times, names: Sequence[str]) -> Floats:
    """(N, 2 C) sine and cosine of each named position in the day, the week or the year."""
    if not names:
        return np.zeros((len(times), 0), np.float32)
    if times.dtype.kind != "M":
        raise UserError("this run reads a calendar, and the times are numbers; give dates")
    days, months = times.astype("datetime64[D]"), times.astype("datetime64[M]")
    seconds = ((times - days) // np.timedelta64(1, "s")).astype(np.int64)
    angles = (
        2 * np.pi * np.stack([np.asarray(_TURNS[name](days, seconds, months), np.float64) for name in names], axis=1)
    )
    return np.concatenate([np.sin(angles), np.cos(angles)], axis=1).astype(np.float32)


def shown(time: Any) -> str:
    """A time as it is written: without a clock where that is at midnight."""
    if isinstance(time, np.datetime64):
        return str(time.astype("datetime64[us]").item()).removesuffix(" 00:00:00")
    return str(time)
