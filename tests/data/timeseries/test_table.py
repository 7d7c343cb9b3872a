"""Series from tables: roles, gaps, splits in time, scales that know the training part only."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from elman.data.io.tables import read_table
from elman.data.timeseries.roles import Roles, roles_of
from elman.data.timeseries.scaling import FittedSeries, fit_series
from elman.data.timeseries.table import Missing, TimeSeries, read_series
from elman.data.timeseries.windows import Windows, scale_series, split_in_time
from elman.errors import UserError

DAYS = pd.date_range("2020-01-01", periods=10, freq="D")


def series(values: np.ndarray, name: str = "", start: int = 0) -> TimeSeries:
    times = pd.date_range("2020-01-01", periods=start + len(values), freq="D")[start:]
    return TimeSeries(name, times, values.reshape(len(values), -1).astype(float), np.zeros((len(values), 0)))


def test_roles_by_place_and_by_name() -> None:
    named = {"time": (), "targets": (), "past": (), "known": (), "series_id": ""}
    table = pd.DataFrame({"shop": "north", "when": DAYS, "a": 1.0, "b": 2.0})
    roles = roles_of(table[["when", "a", "b"]], "t.csv", **named)  # type: ignore[arg-type]
    assert (roles.time, roles.targets) == ("when", ("b",))
    roles = roles_of(table, "t.csv", **named | {"series_id": "shop", "past": ("b",)})  # type: ignore[arg-type]
    assert (roles.time, roles.targets, roles.past) == ("when", ("a",), ("b",))
    with pytest.raises(UserError, match="two roles"):
        Roles("when", ("a",), past=("a",))


@pytest.mark.parametrize(("missing", "middle"), [("interpolate", [4.0, 5.0, 6.0]), ("previous", [3.0, 3.0, 3.0])])
def test_gaps_and_empty_cells_are_filled_as_asked(missing: Missing, middle: list[float]) -> None:
    values = np.arange(10, dtype=float)
    values[4] = np.nan
    table = pd.DataFrame({"day": DAYS, "y": values}).drop([5, 6])  # 4 is empty, 5 and 6 are left out
    read = read_series(table.reset_index(drop=True), Roles("day", ("y",)), "t", missing=missing)
    (one,) = read.series
    assert read.frequency == "D"
    assert one.measured(1)[:, 0].tolist() == [True] * 4 + [False] * 3 + [True] * 3
    assert one.values[4:7, 0].tolist() == middle
    assert len(one) == 10
    with pytest.raises(UserError, match="2 of 10 times are left out, the first 2020-01-06 after row 5"):
        read_series(table.reset_index(drop=True), Roles("day", ("y",)), "t")


def test_rows_after_the_last_target_are_the_future() -> None:
    table = pd.DataFrame({"day": DAYS, "y": [*range(8), None, None], "holiday": range(10)})
    (one,) = read_series(table, Roles("day", ("y",), known=("holiday",)), "t").series
    assert one.values.shape == (8, 1)
    assert one.known[:, 0].tolist() == list(range(10))
    with pytest.raises(UserError, match="'y' at 2020-01-09 is empty"):
        read_series(table, Roles("day", ("y",)), "t")


def test_all_series_are_cut_at_the_same_times() -> None:
    whole, late = series(np.arange(20.0)), series(np.arange(8.0), "late", start=12)
    assert split_in_time([whole, late], 4, 4) == [(12, 16, 20), (0, 4, 8)]
    assert split_in_time([whole], 0.1, 0.2) == [(14, 16, 20)]
    with pytest.raises(UserError, match="leave nothing"):
        split_in_time([whole], 10, 10)


def test_scales_know_the_training_part_only(tmp_path: Path) -> None:
    values = np.concatenate([np.arange(10.0), np.full(10, 1e6)])
    roles = Roles("day", ("y",))
    fitted = fit_series([series(values)], [10], roles, "D", 7, (), "none")
    assert fitted.scales[""].mean[0] == pytest.approx(4.5)
    assert fitted.scales[""].naive_error[0] == pytest.approx(7.0)  # |y(t) - y(t - 7)|
    fitted.save(tmp_path / "series.json")
    again = FittedSeries.load(tmp_path / "series.json")
    assert again.roles == roles
    scaled, _ = again.scales[""].scaled(series(values), roles)
    np.testing.assert_allclose(again.scales[""].in_units(scaled)[:, 0], values, rtol=1e-5, atol=1e-6)
    (tmp_path / "series.json").write_text('{"roles": {}}')
    with pytest.raises(UserError, match="damaged"):
        FittedSeries.load(tmp_path / "series.json")


@pytest.mark.parametrize("transform", ["log", "sqrt"])
def test_transforms_come_back(transform: str) -> None:
    values = np.linspace(1, 900, 30)
    fitted = fit_series([series(values)], [20], Roles("day", ("y",)), "D", 7, (), transform)  # type: ignore[arg-type]
    scaled, _ = fitted.scales[""].scaled(series(values), fitted.roles)
    np.testing.assert_allclose(fitted.scales[""].in_units(scaled)[:, 0], values, rtol=1e-4)
    with pytest.raises(UserError, match=f"'y' is -1 at 2020-01-03, which `transform={transform}"):
        fit_series([series(np.array([1.0, 2, -1, 3]))], [4], fitted.roles, "D", 7, (), transform)  # type: ignore[arg-type]


def test_windows_look_back_over_the_cut_and_never_ahead() -> None:
    one = series(np.arange(20.0) ** 2)
    fitted = fit_series([one], [12], Roles("day", ("y",)), "D", 7, (), "none")
    scaled = scale_series(one, fitted, "t")
    train = Windows.within([scaled], [(0, 12)], 4, 3, 1)
    held = Windows.within([scaled], [(12, 20)], 4, 3, 1)
    assert train.places[:, 1].tolist() == list(range(4, 10))
    assert held.places[:, 1].tolist() == list(range(12, 18))
    batch = held.batch(np.array([0]))
    np.testing.assert_allclose(batch.values[:, 0, 0], scaled.values[8:12, 0])
    np.testing.assert_allclose(batch.future[:, 0, 0], scaled.values[12:15, 0])
    assert held.truth()[0, :, 0].tolist() == [144, 169, 196]
    assert held.history()[0, :, 0].tolist() == [64, 81, 100, 121]


def test_parquet_and_separators(tmp_path: Path) -> None:
    table = pd.DataFrame({"day": DAYS, "y": np.arange(10.0)})
    table.to_parquet(tmp_path / "t.parquet")
    table.to_csv(tmp_path / "t.csv", index=False, sep=";")
    for name in ("t.parquet", "t.csv"):
        read = read_series(read_table(tmp_path / name), Roles("day", ("y",)), name)
        (one,) = read.series
        assert (read.frequency, one.values[:, 0].tolist()) == ("D", list(range(10)))
