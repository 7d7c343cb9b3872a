"""The time column of a series: its order, its regular step, and what a calendar says of each time.

A step ("frequency") is an offset as pandas writes them ("h", "D", "MS"), or, where times are plain numbers, the
distance of two of them ("1").
"""

from __future__ import annotations

import math
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Literal, cast, overload

import numpy as np
from numpy.typing import NDArray

from elman.errors import UserError, optional_imports

if TYPE_CHECKING:
    import pandas as pd

Feature = Literal["hour", "weekday", "month"]
_RUNS = (8, 4)  # times from which a step can be told: five days in a row may be business days or all days
MOST_GAPS = 50
"""Times for each row of a table, at most: where there are more, one of the times is taken to be wrong."""
FIRST_DAY = "1970-01-01"
"""The day of clock times that come without one: today's would make a forecast depend on the day it is made."""
OFF_THE_STEP = 0.05
"""How far from its place a number may lie that stands for a time, in steps: 0.3 is 3 steps of 0.1 and a little less."""
_TOGETHER = 1 << 16
_PLACES = 200  # how many such runs are looked at
_SEASONS = {"h": 24, "D": 7, "B": 5, "W": 52, "ME": 12, "MS": 12, "QE": 4, "QS": 4, "min": 1440, "s": 60}


def check_order(times: pd.Index, rows: NDArray[np.int64], place: str) -> None:
    """Raise a UserError unless the times rise from row to row.

    Arguments:
        rows: (N,) the row of the table that each time stands in, from 0.
        place: the file, and the series where there are several.
    """
    falls = np.flatnonzero(times[1:] <= times[:-1])
    if not len(falls):
        return
    place_of, first, second = int(falls[0]), rows[falls[0]] + 1, rows[falls[0] + 1] + 1
    if str(times[0])[:10] == str(times[-1])[:10] == FIRST_DAY:
        raise UserError(
            f"{place} row {second}: the time of day {str(times[place_of + 1])[11:]} does not come after"
            f" {str(times[place_of])[11:]} of row {first}; write the date too, or name the column that tells several"
            " series apart with `series_id`"
        )
    if times[place_of] == times[place_of + 1] or times.has_duplicates:
        twice = times[times.duplicated(keep=False)][0]
        first, second = (rows[i] + 1 for i in np.flatnonzero(times == twice)[:2])
        raise UserError(
            f"{place}: time {shown(twice)} stands twice, in rows {first} and {second}; take one out, or name the"
            " column that tells several series apart with `series_id`"
        )
    raise UserError(
        f"{place} row {second}: time {shown(times[place_of + 1])} comes after {shown(times[place_of])} of row"
        f" {first}; sort the rows by time"
    )


def find_frequency(times: pd.Index, place: str) -> str:
    """The regular step of rising times, found also where some times are missing.

    Raises:
        UserError: there are too few times, or they follow no step.
    """
    with optional_imports():
        import pandas as pd

    if len(times) < 3:
        raise UserError(f"{place} has {len(times)} rows, too few to tell the step between them; give more")
    if not isinstance(times, pd.DatetimeIndex):
        return _numeric_step(times.to_numpy(dtype=np.float64))
    whole = _inferred(times)
    if whole is not None:
        return whole
    for run in _RUNS:
        starts = np.unique(np.linspace(0, max(0, len(times) - run), _PLACES).astype(int))
        found = Counter(filter(None, (_inferred(times[start : start + run]) for start in starts)))
        if found:
            return found.most_common(1)[0][0]
    raise UserError(f"{place}: the times follow no regular step; write them at one, such as hourly or monthly")


def check_frequency(frequency: str) -> None:
    """Raise ValueError unless a step is a number above 0, or an offset of pandas that goes forwards."""
    with optional_imports():
        import pandas as pd

    if _is_number(frequency):
        if not 0 < float(frequency) < float("inf"):
            raise ValueError(f"the step {frequency!r} is not above 0")
        return
    offset = pd.tseries.frequencies.to_offset(frequency)  # a ValueError of its own where it is none
    if offset is None or offset.n < 1:
        raise ValueError(f"the step {frequency!r} goes nowhere")
    try:
        pd.date_range("2000-01-01", periods=3, freq=offset)
    except (ValueError, OverflowError) as error:
        raise ValueError(f"the step {frequency!r} leaves the calendar") from error


def asked_frequency(frequency: str, times: pd.Index, place: str) -> str:
    """The step that the user asked for, after a look at whether it fits the times.

    Raises:
        UserError: it is no step, or a number where the times are dates, or the reverse.
    """
    with optional_imports():
        import pandas as pd

    try:
        check_frequency(frequency)
    except (ValueError, TypeError) as error:
        raise UserError(f"`frequency` is {frequency!r} ({str(error)[:80]}); write one such as h, D or MS") from error
    if _is_number(frequency) == isinstance(times, pd.DatetimeIndex):
        what, such = ("dates", "h, D or MS") if isinstance(times, pd.DatetimeIndex) else ("numbers", "1 or 0.5")
        raise UserError(
            f"`frequency` is {frequency!r}, and the times of {place} are {what}; write a step such as {such}"
        )
    return frequency


def full_times(
    times: pd.Index, frequency: str, rows: NDArray[np.int64], place: str
) -> tuple[pd.Index, NDArray[np.int64]]:
    """All times from the first to the last at the step `frequency`, and where among them the given ones stand.

    Arguments:
        rows: (N,) the row of the table that each time stands in, from 0.

    Raises:
        UserError: a time lies between two steps; or the times would be so many more than the rows that one of them
            must be wrong: names it before anything of that size is made.
    """
    steps = steps_between(times[0], times[-1], frequency)
    if not steps <= MOST_GAPS * len(times) + 1000:
        numbers = times.to_numpy(dtype=np.float64) if not hasattr(times, "asi8") else times.asi8.astype(np.float64)
        gap = int(np.argmax(np.diff(numbers)))
        # the end that stands alone is the wrong one: a first time long before all others, or a last one long after
        wrong = gap if gap == 0 and len(times) > 2 else gap + 1
        raise UserError(
            f"{place}: at the step {frequency!r} there are {steps:,.0f} times from {shown(times[0])} to"
            f" {shown(times[-1])}, and {len(times):,} rows; look at time {shown(times[wrong])} of row"
            f" {rows[wrong] + 1}"
        )
    if _is_number(frequency):
        return _numeric_grid(times, float(frequency), rows, place)
    full = _span(times[0], frequency, end=times[-1])
    positions = full.get_indexer(times)
    off = np.flatnonzero(positions < 0)
    if len(off):
        raise UserError(
            f"{place} row {rows[off[0]] + 1}: time {shown(times[off[0]])} does not lie on the step {frequency!r} of the"
            " others; mend it"
        )
    return full, positions


def _numeric_step(numbers: NDArray[np.float64]) -> str:
    """The least distance of two numbers, freed of what float64 adds to it."""
    gaps = np.diff(numbers)
    least = float(gaps.min())
    one_step = gaps[gaps < 1.5 * least]
    return _short(float(one_step.mean()))


def _short(step: float) -> str:
    """A step with as few digits as float64 arithmetic on it warrants."""
    rounded = float(f"{step:.9g}")
    return str(int(rounded)) if rounded.is_integer() and abs(rounded) < 1e15 else repr(rounded)


def _numeric_grid(
    times: pd.Index, step: float, rows: NDArray[np.int64], place: str
) -> tuple[pd.Index, NDArray[np.int64]]:
    numbers = times.to_numpy(dtype=np.float64)
    steps = (numbers - numbers[0]) / step
    positions = np.round(steps).astype(np.int64)
    off = np.flatnonzero((np.abs(steps - positions) > OFF_THE_STEP) | (np.diff(positions, prepend=-1) < 1))
    if len(off):
        raise UserError(
            f"{place} row {rows[off[0]] + 1}: time {shown(times[off[0]])} does not lie on the step {_short(step)!r} of"
            " the others; mend it, or say the step with `frequency`"
        )
    return _span(times[0], _short(step), periods=int(positions[-1]) + 1), positions


def steps_between(first: Any, last: Any, frequency: str) -> float:
    """About how many steps lie between two times, found without making them."""
    with optional_imports():
        import pandas as pd

    if _is_number(frequency):
        return float((last - first) / float(frequency))
    two = pd.date_range(first, periods=3, freq=frequency)
    return float((last - first) / max(two[2] - two[1], pd.Timedelta(1)))


def times_after(last: Any, frequency: str, count: int) -> pd.Index:
    """The `count` times that follow `last`."""
    return _span(last, frequency, periods=count + 1)[1:]


def season_of(frequency: str) -> int:
    """The usual season of a step, in steps: a day of hours, a week of days, a year of months; 1 where there is none."""
    with optional_imports():
        import pandas as pd

    if _is_number(frequency):
        return 1
    offset = pd.tseries.frequencies.to_offset(frequency)
    assert offset is not None
    season: int = _SEASONS.get(offset.rule_code.split("-")[0], 1) // offset.n
    return max(1, season)


def calendar_features(frequency: str) -> tuple[Feature, ...]:
    """The feature that goes round once in the usual season of this step; none where it has no such season."""
    if season_of(frequency) == 1:
        return ()
    step = frequency.lstrip("0123456789").split("-")[0]
    return ("weekday",) if step in ("D", "B") else ("month",) if step in ("W", "ME", "MS", "QE", "QS") else ("hour",)


def calendar(times: pd.Index, names: Sequence[str]) -> NDArray[np.float32]:
    """(N, 2 C) sine and cosine of each named position in the day, the week or the year.

    Raises:
        UserError: the times are plain numbers, which no calendar knows.
    """
    with optional_imports():
        import pandas as pd

    if not names:
        return np.zeros((len(times), 0), np.float32)
    if not isinstance(times, pd.DatetimeIndex):
        raise UserError(f"`calendar={names[0]}` needs dates, and the times are numbers; ask for `calendar=none`")
    turns = {
        "hour": (times.hour + times.minute / 60 + times.second / 3600) / 24,
        "weekday": times.day_of_week / 7,
        "month": (times.month - 1 + (times.day - 1) / 31) / 12,
    }
    angles = 2 * np.pi * np.stack([np.asarray(turns[name], dtype=np.float64) for name in names], axis=1)
    return np.concatenate([np.sin(angles), np.cos(angles)], axis=1).astype(np.float32)


def shown(time: Any) -> str:
    """A time as a person writes it: without a clock where that is at midnight."""
    text = str(time)
    return text.removesuffix(" 00:00:00")


class TimeTexts(Sequence[str]):
    """Times as `str` writes each, made when they are asked for, many at a time."""

    def __init__(self, times: pd.Index) -> None:
        self._times = times

    def __len__(self) -> int:
        return len(self._times)

    @overload
    def __getitem__(self, place: int) -> str: ...
    @overload
    def __getitem__(self, place: slice) -> TimeTexts: ...
    def __getitem__(self, place: int | slice) -> str | TimeTexts:
        """One text, or some."""
        return TimeTexts(self._times[place]) if isinstance(place, slice) else str(self._times[place])

    def __iter__(self) -> Iterator[str]:
        for begin in range(0, len(self), _TOGETHER):
            yield from _texts_of(self._times[begin : begin + _TOGETHER])


def _texts_of(times: pd.Index) -> list[str]:
    values = times.to_numpy()
    if values.dtype.kind == "M" and getattr(times, "tz", None) is None:
        seconds = values.astype("M8[s]")
        if (seconds == values).all():
            texts = np.datetime_as_string(seconds, unit="s")
            signs = texts.view(np.uint32).reshape(len(texts), -1)
            signs[signs == ord("T")] = ord(" ")
            return cast("list[str]", texts.tolist())
    return list(map(str, times))


def _inferred(times: pd.Index) -> str | None:
    with optional_imports():
        import pandas as pd

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # newer pandas say that they will give an offset in place of its name
        found = pd.infer_freq(times)
    name: str | None = getattr(found, "freqstr", found)
    return name


def _span(start: Any, frequency: str, *, end: Any = None, periods: int | None = None) -> pd.Index:
    with optional_imports():
        import pandas as pd

    if not _is_number(frequency):
        return pd.date_range(start, end, periods=periods, freq=frequency)
    step = float(frequency)
    count = periods if periods is not None else round((end - start) / step) + 1
    if step.is_integer() and float(start).is_integer():
        return pd.Index(int(start) + int(step) * np.arange(count))
    decimals = max(0, 9 - math.floor(math.log10(step)))
    return pd.Index(np.round(start + step * np.arange(count), decimals))


def _is_number(frequency: str) -> bool:
    try:
        float(frequency)
    except ValueError:
        return False
    return True
