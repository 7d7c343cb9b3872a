"""Series in every form, forecasts of any length, and those that would have been made."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from elman.errors import UserError
from elman.sklearn import RNNForecaster

T = np.arange(120)
SERIES = 10 + np.sin(2 * np.pi * T / 12) + T / 100
DATED = pd.Series(SERIES, pd.date_range("2010-01-01", periods=120, freq="MS"), name="sales")
QUICK: dict[str, Any] = {"steps": 4, "hidden_size": 4, "random_state": 0}


@pytest.fixture(scope="module")
def quick() -> RNNForecaster:
    return RNNForecaster(**QUICK, horizon=3).fit(SERIES)


def test_one_series_many_and_frames() -> None:
    assert RNNForecaster(**QUICK).fit(SERIES).predict(5).shape == (5,)
    assert RNNForecaster(**QUICK, horizon=6).fit(SERIES[:, None]).predict().shape == (6, 1)
    assert RNNForecaster(**QUICK, horizon=6).fit(np.stack([SERIES, -SERIES], 1)).predict(horizon=3).shape == (3, 2)
    assert [one.shape for one in RNNForecaster(**QUICK, horizon=6).fit([SERIES, SERIES[:90]]).predict()] == [(6,)] * 2
    assert RNNForecaster(**QUICK, horizon=6).fit(np.stack([SERIES, SERIES])[:, :, None]).predict().shape == (2, 6, 1)
    table = RNNForecaster(**QUICK, horizon=6).fit(DATED).forecast()
    assert table["time"].iloc[0] == pd.Timestamp("2020-01-01")
    assert set(table["target"]) == {"sales"}
    assert (table["lower"] <= table["forecast"]).all()
    rows = pd.DataFrame({"month": DATED.index, "shop": "a", "sales": SERIES, "staff": T % 5})
    both = pd.concat([rows, rows.assign(shop="b", sales=2 * SERIES)])
    shops = RNNForecaster(**QUICK, horizon=6, target="sales", series_id="shop", past="staff", time="month").fit(both)
    assert list(shops.forecast()["series"].unique()) == ["a", "b"]


def test_covariates_must_be_known_and_say_how_many_steps_there_are() -> None:
    X = np.stack([np.cos(T), T % 7], axis=1)
    fitted = RNNForecaster(**QUICK, horizon=4).fit(X[:100], SERIES[:100])
    assert fitted.predict(X[100:]).shape == (20,)
    assert fitted.predict(X[100:103]).shape == (3,)
    np.testing.assert_allclose(fitted.predict(X[100:104]), fitted.predict(X[100:])[:4])
    for wrong in (None, X[100:, :1]):
        with pytest.raises(UserError, match=r"covariates|features"):
            fitted.predict(wrong)
    with pytest.raises(UserError, match="intervals reach 4 steps"):
        fitted.predict_interval(X[100:])
    lower, upper = fitted.predict_interval(X[100:104])
    assert (lower <= upper).all()


@pytest.mark.parametrize("mode", ["direct", "recursive"])
def test_forecasts_go_on_from_their_own(mode: Any) -> None:
    fitted = RNNForecaster(**QUICK, horizon=3, mode=mode).fit(SERIES)
    long = fitted.predict(9)
    np.testing.assert_allclose(long[:3], fitted.predict(3))
    by_hand = fitted.predict(3, history=np.concatenate([SERIES, long[:3], long[3:6]]))
    np.testing.assert_allclose(long[6:], by_hand, rtol=1e-5)


def test_historical_forecasts_are_those_that_were_made_then() -> None:
    fitted = RNNForecaster(**QUICK, horizon=3).fit(SERIES)
    table = fitted.historical_forecasts(start=100, stride=5, horizon=2)
    first = table[table["origin"] == 99]
    np.testing.assert_allclose(first["forecast"], fitted.predict(2, history=SERIES[:100]), rtol=1e-5)
    np.testing.assert_array_equal(first["actual"], SERIES[100:102])
    assert list(table["origin"].unique()) == [99, 104, 109, 114]
    again = fitted.historical_forecasts(start=110, stride=7, horizon=2, retrain=True)
    expected = RNNForecaster(**QUICK, horizon=3).fit(SERIES[:110, None]).predict(2)[:, 0]
    np.testing.assert_allclose(again["forecast"][:2], expected)


def test_what_cannot_be_forecast_is_said_in_one_line() -> None:
    gap = SERIES.copy()
    gap[50] = np.nan
    ways: list[tuple[Any, str]] = [
        (gap, r"NaN|missing|empty"),
        (SERIES[:2], "too few"),
        (np.ones(50), "constant"),
        (["a", "b", "c"], "no number"),
        (np.zeros((2, 3, 4, 5)), "shape"),
    ]
    for given, says in ways:
        with pytest.raises(UserError, match=says) as error:
            RNNForecaster(**QUICK).fit(given)
        assert len(str(error.value).splitlines()) == 1
    assert RNNForecaster(**QUICK, missing="interpolate").fit(gap).predict(2).shape == (2,)
    with pytest.raises(UserError, match="`horizon` is 0"):
        RNNForecaster(**QUICK).fit(SERIES).predict(horizon=0)


@pytest.mark.parametrize("wrong", [2.5, 2.0, "5", True, np.bool_(True), 0, -1, np.array(2.5), float("nan"), b"5", 1j])
def test_numbers_of_steps_are_whole(quick: RNNForecaster, wrong: Any) -> None:
    calls = [
        lambda: quick.predict(wrong),
        lambda: quick.predict(horizon=wrong),
        lambda: quick.forecast(wrong),
        lambda: quick.historical_forecasts(horizon=wrong),
        lambda: quick.historical_forecasts(stride=wrong),
        lambda: quick.historical_forecasts(start=wrong),
    ]
    for call in calls:
        with pytest.raises(UserError, match=r"^`(X|horizon|stride|start)` is .*; give .*a whole number") as error:
            call()
        assert "np." not in str(error.value)
        assert "\n" not in str(error.value)


def test_whole_numbers_of_any_kind_are_taken(quick: RNNForecaster) -> None:
    for five in (5, np.int64(5), np.array(5)):
        np.testing.assert_array_equal(quick.predict(five), quick.predict(horizon=5))
    for half in (0.5, np.float32(0.5), np.float64(0.5), 60, np.int32(60)):
        assert quick.historical_forecasts(start=half)["origin"].iloc[0] == 59
    with pytest.raises(UserError, match="X is a list, and the series has no covariates; give a number of steps"):
        quick.predict([5])


def test_names_of_columns_are_kept_in_lists_and_covariates() -> None:
    frames = [pd.DataFrame({"u": SERIES, "v": -SERIES}), pd.DataFrame({"u": SERIES[:90], "v": -SERIES[:90]})]
    fitted = RNNForecaster(**QUICK, horizon=3).fit(frames)
    assert list(fitted.forecast()["target"].unique()) == ["u", "v"]
    with pytest.raises(UserError, match="series 1 has the columns 'v', 'u' in another order than 'u', 'v'"):
        RNNForecaster(**QUICK).fit([frames[0], frames[1][["v", "u"]]])
    known = pd.DataFrame({"c": np.cos(T), "d": T % 7.0})
    fitted = RNNForecaster(**QUICK, horizon=3).fit(known, SERIES)
    assert len(fitted.historical_forecasts(known, SERIES))
    for call in (
        lambda: fitted.predict(known[["d", "c"]]),
        lambda: fitted.historical_forecasts(known[["d", "c"]], SERIES),
    ):
        with pytest.raises(UserError, match="same order as they were in fit"):
            call()
    assert not hasattr(fitted.fit(SERIES), "feature_names_in_")
    with pytest.raises(UserError, match="X is empty"):
        fitted.fit([], [])
