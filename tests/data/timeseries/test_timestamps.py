"""The time column: order, step, season, calendar."""

import numpy as np
import pandas as pd
import pytest

from elman.data.timeseries.timestamps import (
    TimeTexts,
    calendar,
    calendar_features,
    find_frequency,
    full_times,
    season_of,
    times_after,
)


@pytest.mark.parametrize(
    ("frequency", "season", "feature"),
    [
        ("h", 24, ("hour",)),
        ("15min", 96, ("hour",)),
        ("D", 7, ("weekday",)),
        ("B", 5, ("weekday",)),
        ("W-SUN", 52, ("month",)),
        ("MS", 12, ("month",)),
        ("QS-OCT", 4, ("month",)),
        ("YS-JAN", 1, ()),
        ("1", 1, ()),
        ("0.5", 1, ()),
    ],
)
def test_the_season_of_a_step(frequency: str, season: int, feature: tuple[str, ...]) -> None:
    assert season_of(frequency) == season
    assert calendar_features(frequency) == feature


@pytest.mark.parametrize("frequency", ["h", "MS", "B", "30min"])
def test_a_step_is_found_across_a_gap(frequency: str) -> None:
    whole = pd.date_range("2020-01-01", periods=40, freq=frequency)
    holed = whole.delete([20, 21])
    assert find_frequency(holed, "here") == frequency
    full, places = full_times(holed, frequency, np.arange(38), "here")
    assert full.equals(whole)
    assert whole[places].equals(holed)


def test_numbers_as_times() -> None:
    years = pd.Index([1700, 1701, 1703, 1704])
    assert find_frequency(years, "here") == "1"
    assert full_times(years, "1", np.arange(4), "here")[0].tolist() == [1700, 1701, 1702, 1703, 1704]
    assert times_after(1704, "1", 2).tolist() == [1705, 1706]


def test_months_go_on() -> None:
    assert times_after(pd.Timestamp("2020-11-01"), "MS", 3).strftime("%Y-%m").tolist() == [
        "2020-12",
        "2021-01",
        "2021-02",
    ]


def test_the_calendar_goes_round() -> None:
    times = pd.date_range("2020-01-06", periods=8 * 24, freq="h")  # a Monday
    day, week = calendar(times, ("hour",)), calendar(times, ("weekday",))
    np.testing.assert_allclose(day[0], [0, 1], atol=1e-6)
    np.testing.assert_allclose(day[6], [1, 0], atol=1e-6)
    np.testing.assert_allclose(day[:24], day[24:48], atol=1e-6)
    np.testing.assert_allclose(week[0], week[7 * 24], atol=1e-6)
    assert not np.allclose(week[0], week[24])


@pytest.mark.parametrize(
    "times",
    [
        pd.date_range("2020-01-01", periods=5, freq="h"),
        pd.date_range("2020-01-01", periods=5, freq="D", unit="ns"),
        pd.date_range("2020-01-01", periods=5, freq="250ms"),
        pd.date_range("0101-01-01", periods=5, freq="D", unit="s"),
        pd.date_range("2020-01-01", periods=5, freq="h", tz="Europe/Berlin"),
        pd.Index([1, 2, 5]),
        pd.Index([0.5, 1.0, 1.5]),
    ],
    ids=["hours", "days", "quarters of a second", "long ago", "zone", "whole", "numbers"],
)
def test_times_as_texts(times: pd.Index) -> None:
    expected = [str(time) for time in times]
    texts = TimeTexts(times)
    assert list(texts) == expected
    assert len(texts) == len(times)
    assert [texts[place] for place in range(len(times))] == expected
    assert list(texts[1:3]) == expected[1:3]
