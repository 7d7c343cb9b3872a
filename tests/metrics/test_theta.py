"""The theta method on series whose forecasts are known by hand."""

from __future__ import annotations

import numpy as np
import pytest

from elman.metrics.baselines import theta


def forecast(series: np.ndarray, horizon: int, season: int = 1) -> np.ndarray:
    return theta(series[None, :, None].astype(float), horizon, season)[0, :, 0]


def test_a_constant_goes_on() -> None:
    assert forecast(np.full(20, 7.0), 3) == pytest.approx([7, 7, 7])


def test_a_line_goes_on_with_half_its_slope() -> None:
    """Smoothing follows a line best with weight 1, and the drift is half the slope (Hyndman and Billah 2003, eq. 5)."""
    assert forecast(5 + 3 * np.arange(30), 3) == pytest.approx([92 + 1.5, 92 + 3, 92 + 4.5])


@pytest.mark.parametrize("season", [3, 4])
def test_a_season_comes_again(season: int) -> None:
    one = np.array([1.0, 5, 2, 8])[:season]
    series = np.tile(one, 10)
    assert forecast(series, 2 * season + 1, season) == pytest.approx([*one, *one, one[0]])
    shifted = series[1:]  # the season is counted from where the history begins
    assert forecast(shifted, season, season) == pytest.approx(one)


def test_each_window_and_target_by_itself() -> None:
    generator = np.random.default_rng(0)
    history = generator.normal(size=(3, 24, 2)).cumsum(axis=1)
    together = theta(history, 5, 4)
    for window in range(3):
        for target in range(2):
            assert together[window, :, target] == pytest.approx(forecast(history[window, :, target], 5, 4))


def test_short_histories() -> None:
    assert forecast(np.array([3.0]), 2) == pytest.approx([3, 3])
    assert np.isfinite(forecast(np.arange(5.0), 3, 4)).all()  # no two seasons: none is taken out
