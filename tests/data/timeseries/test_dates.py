"""The cells of a time column: orders of day and month, packed dates, Unix times, steps that are no whole numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from elman.data.timeseries.dates import are_dates, parse_times
from elman.data.timeseries.timestamps import find_frequency, full_times, times_after
from elman.errors import UserError

MONTHS = pd.date_range("2017-01-01", periods=30, freq="MS")
DAYS = pd.date_range("2020-01-29", periods=40, freq="D")
HOURS = pd.date_range("2021-01-01", periods=30, freq="h")


def read(cells: Any, order: Any = "auto") -> tuple[pd.Index, str, str, list[str]]:
    """The times, their step, the order of day and month, and the notes."""
    notes: list[str] = []
    times, found = parse_times(pd.Series(cells, name="t"), "f.csv", order, notes)
    return times, find_frequency(times, "f.csv"), found, notes


@pytest.mark.parametrize(
    ("cells", "expected", "frequency"),
    [
        pytest.param(MONTHS.strftime("%d.%m.%Y"), MONTHS, "MS", id="monthly, day first"),
        pytest.param(MONTHS.strftime("%m/%d/%Y"), MONTHS, "MS", id="monthly, month first"),
        pytest.param(MONTHS.delete([5, 6, 9]).strftime("%d.%m.%Y"), MONTHS.delete([5, 6, 9]), "MS", id="with gaps"),
        pytest.param(DAYS.strftime("%d-%m-%Y"), DAYS, "D", id="13-02-2020"),
        pytest.param(DAYS.strftime("%m/%d/%Y"), DAYS, "D", id="american"),
        pytest.param(DAYS.strftime("%d.%m.%y"), DAYS, "D", id="two digits of the year"),
        pytest.param(HOURS.strftime("%d.%m.%Y %H:%M"), HOURS, "h", id="with a clock"),
        pytest.param([int(t) for t in DAYS.strftime("%Y%m%d")], DAYS, "D", id="20210131"),
        pytest.param(DAYS.strftime("%Y%m%d"), DAYS, "D", id="the same as texts"),
        pytest.param([int(t) for t in MONTHS.strftime("%Y%m")], MONTHS, "MS", id="201801"),
        pytest.param([int(t) for t in HOURS.strftime("%Y%m%d%H")], HOURS, "h", id="2021013123"),
        pytest.param(HOURS.astype("int64") // int(1e6 if HOURS.unit == "ns" else 1e3), HOURS, "h", id="milliseconds"),
        pytest.param([1_609_459_200 + 60 * k for k in range(30)], HOURS[0] + pd.to_timedelta(range(30), "min"), "min",
                     id="seconds"),
        pytest.param([1_609_459_200 * 10**9 + 3600 * 10**9 * k for k in range(30)], HOURS, "h", id="nanoseconds"),
        pytest.param(pd.period_range("2017-01", periods=30, freq="M"), MONTHS, "MS", id="periods"),
    ],
)  # fmt: skip
def test_dates_as_people_write_them(cells: Any, expected: pd.Index, frequency: str) -> None:
    times, step, _, _ = read(cells)
    assert pd.DatetimeIndex(times).as_unit("s").tolist() == pd.DatetimeIndex(expected).as_unit("s").tolist()
    assert step == frequency


@pytest.mark.parametrize(
    ("cells", "step", "after"),
    [
        ([0.1 * k for k in range(50)], "0.1", [5.0, 5.1]),
        ([round(0.01 * k, 2) for k in range(50) if k not in (7, 8)], "0.01", [0.5, 0.51]),
        ([1_000_000 * k for k in range(50)], "1000000", [50_000_000, 51_000_000]),
        ([12_345_678.5 + 2.5 * k for k in range(50)], "2.5", [12_345_803.5, 12_345_806.0]),
        (list(range(1700, 1750)), "1", [1750, 1751]),
        ([1990 + k / 4 for k in range(50)], "0.25", [2002.5, 2002.75]),
    ],
)
def test_numbers_go_on_at_their_step(cells: list[float], step: str, after: list[float]) -> None:
    times, found, _, notes = read(cells)
    assert (found, notes) == (step, [])
    grid, places = full_times(times, found, np.arange(len(times)), "f.csv")
    np.testing.assert_allclose(grid[places].astype(float), cells, rtol=1e-9, atol=1e-9)
    assert times_after(grid[-1], found, 2).tolist() == pytest.approx(after)


def test_what_may_be_read_in_two_ways_is_asked_about() -> None:
    cells = ["01/02/2020", "02/02/2020", "04/03/2020", "07/05/2020", "08/11/2020", "09/12/2020"]
    with pytest.raises(UserError, match="`date_order=day-first` or `date_order=month-first`"):
        read(cells)
    with pytest.raises(UserError, match="may have the day or the month first"):  # six days, or the 2nd of six months
        read(["02/01/2020", "02/02/2020", "02/03/2020", "02/04/2020", "02/05/2020", "02/06/2020"])
    times, _ = parse_times(pd.Series(cells), "f.csv", "day-first")
    assert str(times[2]) == "2020-03-04 00:00:00"
    times, _ = parse_times(pd.Series(cells), "f.csv", "month-first")
    assert str(times[2]) == "2020-04-03 00:00:00"
    with pytest.raises(UserError, match="rows 1 and 2 of column 't' write day and month in different orders"):
        read(["13/01/2020", "01/14/2020", "01/15/2020"])


def test_what_was_decided_is_noted() -> None:
    assert "read day-first" in read(MONTHS.strftime("%d.%m.%Y"))[3][0]
    assert "20200129 are read as dates" in read([int(t) for t in DAYS.strftime("%Y%m%d")])[3][0]
    assert read(DAYS.strftime("%Y-%m-%d"))[3] == []


def test_a_change_of_clocks_becomes_utc() -> None:
    times, step, _, _ = read(["2020-03-29 00:00+01:00", "2020-03-29 01:00+01:00", "2020-03-29 03:00+02:00"])
    assert (step, str(times[2])) == ("h", "2020-03-29 01:00:00+00:00")


@pytest.mark.parametrize(
    ("cells", "words"),
    [
        (["2020-01-01", "13-13-2020", "2020-01-03"], r"row 2, column 't': '13-13-2020' is no date"),
        ([0.0, 1.0, float("inf")], "row 3, column 't': the time is infinite"),
        ([0.0, None, 2.0], "row 2, column 't': the time is missing"),
    ],
)
def test_a_wrong_time_is_named(cells: list[Any], words: str) -> None:
    with pytest.raises(UserError, match=words):
        read(cells)


@pytest.mark.parametrize(
    ("cells", "row"),
    [
        ([*map(str, pd.date_range("2020-01-01", periods=200, freq="s")), "2204-01-01"], 201),
        ([*range(200), 10**9], 201),
        ([-(10**9), *range(200)], 1),
        ([*map(str, pd.date_range("2020-01-01", periods=99, freq="min")), "2950-01-01 00:00:00"], 100),
    ],
)
def test_one_wrong_time_asks_for_no_memory(cells: list[Any], row: int) -> None:
    times, step, _, _ = read(cells)
    with pytest.raises(UserError, match=f"look at time .* of row {row}"):
        full_times(times, step, np.arange(len(times)), "f.csv")


def test_the_order_of_the_rows_decides_where_no_cell_does() -> None:
    texts = pd.Series(["01/01/2022", "08/01/2022", "01/02/2022", "03/02/2022", "01/03/2022"], name="Date")
    notes: list[str] = []
    times, order = parse_times(texts, "t.csv", notes=notes)
    assert order == "day-first"
    assert list(times) == [
        pd.Timestamp(day) for day in ("2022-01-01", "2022-01-08", "2022-02-01", "2022-02-03", "2022-03-01")
    ]
    assert "by which the rows are sorted" in notes[0]


@pytest.mark.parametrize(
    ("cells", "are"),
    [
        (["2020-01-01", *(f"2020-01-01 {hour:02}:00" for hour in range(1, 20))], True),
        (["2020-01-01 00:00", *["2020-01-01"] * 20], True),
        (["2020-01-01", *["2020-01-01T12:30:15.5"] * 20], True),
        (["2020-01-01", *["2020-13-01 12:30"] * 20], False),
        (["2020-01-01", *["01.02.2020 12:30"] * 20], False),
        (["01.02.2020", *["01.02.2020 12:30"] * 20], False),  # day or month first: not decided cell by cell
        (["2020-01-01", *["1-2"] * 20], False),
        (["2020-01-01", *["2020-01-01 12:30 late"] * 20], False),
        (["2020-01-01", *["room 12"] * 20], False),
    ],
)
def test_days_among_hours_are_dates_where_the_year_stands_first(cells: list[str], are: bool) -> None:
    assert are_dates(cells) == are


@pytest.mark.parametrize("texts", [["Jan-18", "Feb-18", "Dec-18"], ["January 18", "February 18", "December 18"]])
def test_months_as_spreadsheets_shorten_them(texts: list[str]) -> None:
    times, _ = parse_times(pd.Series(texts, name="Month"), "t.csv")
    assert list(times) == [pd.Timestamp(2018, month, 1) for month in (1, 2, 12)]
