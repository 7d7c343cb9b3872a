"""Columns of strangers' tables: which is the time, which the target; texts as covariates; names of series; gaps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from elman.data.description.kinds import guess_kind
from elman.data.description.series import describe_series
from elman.data.timeseries.facts import facts_of, find_season, repeats
from elman.data.timeseries.forecasting import (
    Cutting,
    Reading,
    SourceSeries,
    cut_and_scale,
    read_all_series,
    read_other,
    read_source,
)
from elman.data.timeseries.roles import Roles, roles_of
from elman.data.timeseries.scaling import FittedSeries
from elman.data.timeseries.table import TimeSeries, read_series
from elman.errors import UserError

HOURS = pd.date_range("2020-01-01", periods=400, freq="h")
NAMED: dict[str, Any] = {"time": (), "targets": (), "past": (), "known": (), "series_id": ""}
READING = Reading((), (), (), (), "", "", "refuse", "auto", 0)
CUTTING = Cutting("none", (), 1, 4, 2, 0.1, 0.1, "times")


def air(**columns: Any) -> pd.DataFrame:
    """A table as that of PM2.5: a number of each row, parts of the time, a text."""
    parts = {name: getattr(HOURS, name) for name in ("year", "month", "day", "hour")}
    wind = np.resize(["NW", "SE", "cv"], len(HOURS))
    return pd.DataFrame({"No": np.arange(400), **parts, "pm": np.arange(400.0), "wind": wind, **columns})


def written(table: pd.DataFrame, folder: Path) -> str:
    table.to_csv(folder / "t.csv", index=False)
    return str(folder / "t.csv")


def with_changes(reading: Reading, **changes: Any) -> Reading:
    return Reading(**{**vars(reading), **changes})


@pytest.mark.parametrize("time", [(), ("year", "month", "day", "hour")])
def test_parts_of_a_time_make_one(time: tuple[str, ...], tmp_path: Path) -> None:
    read = read_all_series(written(air(), tmp_path), with_changes(READING, time=time))
    assert read.roles.time_parts == ("year", "month", "day", "hour")
    assert (read.roles.targets, read.frequency) == (("pm",), "h")
    assert read.series[0].times[27] == HOURS[27]
    assert any("the time is 'year' 'month' 'day' 'hour'" in note for note in read.notes) == (not time)


def test_a_date_and_a_clock_side_by_side(tmp_path: Path) -> None:
    table = pd.DataFrame({"date": HOURS.strftime("%d.%m.%Y"), "clock": HOURS.strftime("%H:%M"), "y": np.arange(400.0)})
    read = read_all_series(written(table, tmp_path), with_changes(READING, time=("date", "clock")))
    assert (read.frequency, read.series[0].times[30]) == ("h", HOURS[30])


def test_the_first_dates_are_the_time_and_the_last_numbers_the_target() -> None:
    notes: list[str] = []
    table = pd.DataFrame({"n": range(400), "x": 1.0, "y": 2.0, "when": HOURS, "who": "me"})
    roles = roles_of(table, "t", **NAMED, notes=notes)
    assert (roles.time, roles.targets, len(notes)) == ("when", ("y",), 2)
    with pytest.raises(UserError, match="no column of times is found; 'x', the first column"):
        roles_of(pd.DataFrame({"x": [3.0, 1.0, 2.0], "y": 1.0}), "t", **NAMED)


@pytest.mark.parametrize("kind", ["parquet", "frame", "series"])
def test_an_index_of_dates_is_the_time(kind: str, tmp_path: Path) -> None:
    table = pd.DataFrame({"rising": np.arange(400), "y": 1.0 + np.arange(400) % 5}, index=HOURS)
    table.to_parquet(tmp_path / "t.parquet")
    source: Any = {"parquet": tmp_path / "t.parquet", "frame": table, "series": table["y"]}[kind]
    frame, name = read_source(source, "")
    roles = roles_of(frame, name, **NAMED)
    assert roles.targets == ("y",)
    (one,) = read_series(frame, roles, name).series
    assert one.times.equals(HOURS) or one.times.tolist() == HOURS.tolist()
    with pytest.raises(UserError, match="a list is no table"):
        read_source([1.0, 2.0], "")  # type: ignore[arg-type]


def test_a_text_is_a_covariate_of_zeros_and_ones(tmp_path: Path) -> None:
    read = read_all_series(written(air(), tmp_path), with_changes(READING, past=("wind",)))
    assert read.roles.past == ("wind=NW", "wind=SE", "wind=cv")
    assert read.series[0].values[:4, 1:].tolist() == [[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 0, 0]]
    fitted = cut_and_scale(read, CUTTING).fitted
    other = read_other(written(air(wind="SE"), tmp_path), fitted, "refuse", 0)[0]
    assert other.raw.values[:, 1:].mean(axis=0).tolist() == [0, 1, 0]
    many = air(wind=[f"w{k}" for k in range(400)])
    with pytest.raises(UserError, match="400 different ones"):
        read_all_series(written(many, tmp_path), with_changes(READING, past=("wind",)))
    wrong = air(wind=["1"] * 6 + ["x"] + ["2"] * 393)
    with pytest.raises(UserError, match="row 7, column 'wind': 'x' is no number"):
        read_all_series(written(wrong, tmp_path), with_changes(READING, past=("wind",)))


def test_dates_are_no_numbers_to_forecast() -> None:
    table = air(time=HOURS, changed=HOURS, late=HOURS.tz_localize("UTC"), took=HOURS - HOURS[0])
    assert roles_of(table, "t", **NAMED | {"time": ("time",)}).targets == ("pm",)
    for name in ("changed", "late", "took"):
        with pytest.raises(UserError, match=f"row 1, column '{name}': '.*' is no number"):
            read_all_series(table, with_changes(READING, time=("time",), target=(name,)))


@pytest.mark.parametrize("names", [("NA", "null", "None"), ("007", "7", "1e3"), ("a b", "ä", "-")])
def test_names_of_series_stay_the_texts_that_they_are(names: tuple[str, ...], tmp_path: Path) -> None:
    parts = [pd.DataFrame({"id": name, "day": HOURS[:50], "y": np.arange(50) % 7}) for name in names]
    read = read_all_series(written(pd.concat(parts), tmp_path), with_changes(READING, series_id="id"))
    assert tuple(one.name for one in read.series) == names


def test_numbers_as_names_are_whole_where_one_row_has_none() -> None:
    table = pd.DataFrame({"id": [1.0, 1.0, 1.0, 2.0, 2.0, 2.0], "day": [*range(3), *range(3)], "y": range(6)})
    roles = Roles("day", ("y",), series_id="id")
    assert [one.name for one in read_series(table, roles, "t").series] == ["1", "2"]
    table.loc[4, "id"] = None
    with pytest.raises(UserError, match="row 5 has no 'id'"):
        read_series(table, roles, "t")


@pytest.mark.parametrize("missing", ["interpolate", "previous"])
def test_nothing_later_fills_what_lies_before(missing: Any) -> None:
    values = np.arange(20.0)
    values[[0, 1, 8]] = np.nan
    notes: list[str] = []
    table = pd.DataFrame({"t": range(20), "y": values, "x": 1.0})
    roles = Roles("t", ("y",), past=("x",))
    (one,) = read_series(table, roles, "t.csv", missing=missing, notes=notes).series
    assert one.times[0] == 2
    assert one.values[6, 0] == (8.0 if missing == "interpolate" else 7.0)
    assert np.flatnonzero(~one.measured(1)).tolist() == [6]
    assert notes == ["t.csv begins at 2: before, a column has no value yet"]


def test_series_that_end_early_are_measured_or_named() -> None:
    def series(rows: int) -> pd.DataFrame:
        return pd.DataFrame({"id": str(rows), "t": range(rows), "y": np.arange(rows) % 7})

    table = pd.concat([series(100), series(400)])
    path = table.reset_index(drop=True)
    read = read_series(path, Roles("t", ("y",), series_id="id"), "t")
    from elman.data.timeseries.forecasting import SourceSeries

    source = SourceSeries(tuple(read.series), Roles("t", ("y",), series_id="id"), "1", "auto", "t")
    together = cut_and_scale(source, CUTTING)
    assert "1 of 2 series ('100') have no forecast in the test part" in together.notes[1]
    alone = cut_and_scale(source, Cutting(**{**vars(CUTTING), "split": "series"}))
    assert alone.notes == ()
    assert set(alone.test.places[:, 0].tolist()) == {0, 1}


@pytest.mark.parametrize(("level", "size"), [(1e9, 0.01), (3e-7, 1e-7), (-5e9, 1.0), (1e129, 1e128)])
def test_small_variation_on_a_large_level_is_kept(level: float, size: float) -> None:
    wave = np.sin(np.arange(400) / 3)
    table = pd.DataFrame({"t": range(400), "y": level + size * wave})
    read = read_series(table, Roles("t", ("y",)), "t")
    from elman.data.timeseries.forecasting import SourceSeries

    data = cut_and_scale(SourceSeries(tuple(read.series), Roles("t", ("y",)), "1", "auto", "t"), CUTTING)
    plain = (wave - wave[:320].mean()) / wave[:320].std()
    np.testing.assert_allclose(data.series[0].values[:, 0], plain, atol=2e-4)
    back = data.fitted.scales[""].in_units(data.series[0].values)
    np.testing.assert_allclose((back[:, 0] - level) / size, wave, atol=2e-4)


def test_what_cannot_be_computed_with_is_named() -> None:
    table = pd.DataFrame({"t": range(20), "y": [1.0] * 19 + [1e300]})
    with pytest.raises(UserError, match="row 20, column 'y': 1e\\+300 is too large"):
        read_series(table, Roles("t", ("y",)), "t")


@pytest.mark.parametrize(("season", "noise"), [(12, 0.3), (24, 0.5), (7, 0.2), (1, 1.0)])
def test_a_season_is_found_by_what_repeats_itself(season: int, noise: float) -> None:
    generator = np.random.default_rng(season)
    shape = generator.normal(size=season) * 2
    values = np.resize(shape, 600) + noise * generator.normal(size=600) + 0.01 * np.arange(600)
    assert find_season([values]) == season


def test_the_index_that_pandas_writes_without_a_name_is_the_time(tmp_path: Path) -> None:
    days = pd.date_range("2020-01-01", periods=30, freq="D")
    pd.DataFrame({"v": np.arange(30.0)}, index=days).to_csv(tmp_path / "t.csv")
    assert guess_kind([str(tmp_path / "t.csv")]).kind == "table"
    read = read_all_series(str(tmp_path / "t.csv"), READING)
    assert (read.roles.time, read.roles.targets, read.frequency, read.notes) == ("", ("v",), "D", ())
    assert "the column without a name" in describe_series(read).brief()


@pytest.mark.parametrize("season", [24, 1440])
def test_the_usual_season_is_seen_under_noise_that_hides_each_change(season: int) -> None:
    generator = np.random.default_rng(season)
    time, noise = np.arange(20 * season), generator.normal(size=20 * season)
    wave = 2 * np.cos(2 * np.pi * time / season)
    values = (wave + noise + 0.001 * time)[:, None]
    table = TimeSeries(
        "",
        pd.date_range("2020", periods=len(time), freq="h" if season == 24 else "min"),
        values,
        np.zeros((len(time), 0)),
    )
    read = SourceSeries((table,), Roles("t", ("y",)), "h" if season == 24 else "min", "auto", "t")
    assert facts_of(read).found_season == season
    assert repeats([wave + noise], season)
    assert not repeats([wave + noise], season * 3 // 4)
    assert not repeats([np.zeros(20 * season)], season)


def roles_in(table: pd.DataFrame, series_id: str = "") -> Roles:
    return roles_of(table, "t", time=(), targets=(), past=(), known=(), series_id=series_id)


@pytest.mark.parametrize("order", [["Datum", "Uhrzeit", "kWh"], ["kWh", "Uhrzeit", "Datum"]])
def test_days_and_times_of_day_in_two_columns_are_one_time(order: list[str], tmp_path: Path) -> None:
    hours = pd.date_range("2025-01-01", periods=60, freq="h")
    table = pd.DataFrame(
        {"Datum": hours.strftime("%d.%m.%Y"), "Uhrzeit": hours.strftime("%H:%M"), "kWh": np.arange(60.0)}
    )
    table[order].to_csv(tmp_path / "t.csv", sep=";", index=False)
    read = read_all_series(str(tmp_path / "t.csv"), READING)
    assert (read.roles.time_parts, read.roles.targets, read.frequency) == (("Datum", "Uhrzeit"), ("kWh",), "h")
    assert len(read.series) == 1
    assert list(read.series[0].times) == list(hours)
    shops = pd.concat([table[::24].assign(shop=name, Uhrzeit=f"0{place + 7}:30") for place, name in enumerate("ab")])
    assert roles_in(shops, series_id="shop").time_parts == ()  # when a shop opens: its days stand once each
    assert roles_in(pd.concat([shops, shops])).time_parts == ()  # it does not tell the rows apart
    daily = table[::24].assign(Uhrzeit="08:00")  # one time of day: the days alone say when
    daily.to_csv(tmp_path / "d.csv", index=False)
    assert read_all_series(str(tmp_path / "d.csv"), READING).roles.time_parts == ()


def test_no_season_is_seen_in_noise_and_walks() -> None:
    generator = np.random.default_rng(0)
    for season in (7, 24, 300):
        steps = generator.normal(size=(100, 10 * season))
        assert sum(repeats([noise], season) for noise in steps) <= 4
        assert sum(repeats([np.cumsum(walk)], season) for walk in steps) <= 4
        common = [[np.cumsum(walk) + generator.normal(size=len(walk)) for _ in range(20)] for walk in steps]
        assert sum(repeats(panel, season) for panel in common) <= 4  # one witness, not twenty


def test_no_season_where_no_change_agrees_with_another() -> None:
    assert find_season([np.arange(60) / 1000]) == 1  # but for rounding all changes are equal
    for seed in range(40):
        assert 1 <= find_season([np.random.default_rng(seed).normal(size=14)]) <= 4


@pytest.mark.parametrize("names", [("Year", "Month"), ("Jahr", "Monat")])
def test_months_by_their_names(names: tuple[str, str], tmp_path: Path) -> None:
    months = ["Jan", "Feb.", "Mär", "april", "Mai", "June", "Jul", "Aug", "Sept", "Okt", "November", "Dez"]
    table = pd.DataFrame({names[0]: np.repeat([2001, 2002], 12), names[1]: months * 2, "y": np.arange(24.0)})
    read = read_all_series(written(table, tmp_path), READING)
    assert (read.roles.time_parts, read.frequency, len(read.series[0])) == (names, "MS", 24)
    assert guess_kind([str(tmp_path / "t.csv")]).kind == "table"


@pytest.mark.parametrize(
    "times", [HOURS.strftime("%Y-%m-%d %H:%M"), np.arange(2000, 2400), HOURS.strftime("%d.%m.%Y %H:%M")]
)
def test_the_newest_row_first_is_read_in_reverse_and_said(times: Any, tmp_path: Path) -> None:
    path = written(pd.DataFrame({"t": times, "v": np.arange(400.0)})[::-1], tmp_path)
    read = read_all_series(path, READING)
    assert read.series[0].values[:, 0].tolist() == list(range(400))
    assert f"{path}: the newest row stands first; the rows are read in reverse" in read.notes
    assert guess_kind([path]).kind == "table"


def test_rows_out_of_order_are_refused_all_the_same(tmp_path: Path) -> None:
    table = pd.DataFrame({"t": HOURS, "v": np.arange(400.0)})
    with pytest.raises(UserError, match="sort the rows by time"):
        read_all_series(written(pd.concat([table[200:], table[:200]]), tmp_path), READING)
    both = pd.concat([table.assign(who="a"), table[::-1].assign(who="b")])
    with pytest.raises(UserError, match=r"series 'b' row 402: .*sort the rows by time"):
        read_all_series(written(both, tmp_path), with_changes(READING, series_id="who"))


def test_times_of_day_do_not_depend_on_today(tmp_path: Path) -> None:
    table = pd.DataFrame({"time": HOURS[:24].strftime("%H:%M"), "v": np.arange(24.0)})
    read = read_all_series(written(table, tmp_path), READING)
    assert (read.frequency, str(read.series[0].times[1])) == ("h", "1970-01-01 01:00:00")
    assert any("times of day such as 00:00 have no date" in note for note in read.notes)
    table = pd.DataFrame({"time": HOURS[:30].strftime("%H:%M"), "v": np.arange(30.0)})
    with pytest.raises(
        UserError, match="row 25: the time of day 00:00:00 does not come after 23:00:00 of row 24; write"
    ):
        read_all_series(written(table, tmp_path), READING)


def test_thousands_in_training_are_thousands_in_a_later_file(tmp_path: Path) -> None:
    first, later = tmp_path / "first.csv", tmp_path / "later.csv"
    first.write_text("t,v\n" + "".join(f"{t},{940 + t:,}\n".replace(",", ".").replace(".", ",", 1) for t in range(100)))
    later.write_text("t,v\n" + "".join(f"{t},1.{t:03d}\n" for t in range(100, 130)))
    read = read_all_series(str(first), READING)
    assert "points between thousands in 'v'" in describe_series(read).brief()
    fitted = cut_and_scale(read, CUTTING).fitted
    fitted.save(tmp_path / "series.json")
    (one,) = read_other(str(later), FittedSeries.load(tmp_path / "series.json"), "refuse", 0)
    assert one.raw.values[:, 0].tolist() == list(range(1100, 1130))
