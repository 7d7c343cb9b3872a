"""The theta method as a line: the same forecast as the method's own, and taken where it does better."""

import numpy as np
import pytest

from elman.metrics.baselines import SMOOTHING, theta
from elman.models.forecasting.theta_lines import theta_weights


@pytest.mark.parametrize(("rows", "horizon", "season"), [(12, 5, 1), (24, 7, 4), (9, 3, 12)])
def test_the_sum_of_its_rows_is_the_methods_forecast(rows: int, horizon: int, season: int) -> None:
    history = np.random.default_rng(0).normal(size=(6, rows, 1)) + 10
    weights = theta_weights(rows, horizon, season)
    assert len(weights) == 2 * len(SMOOTHING)
    for number, weight in enumerate(weights):
        smoothing, drift = SMOOTHING[number % len(SMOOTHING)], float(number >= len(SMOOTHING))
        expected = theta(history, horizon, season, smoothing=smoothing, drift=drift)[:, :, 0]
        np.testing.assert_allclose(history[:, :, 0] @ weight.T, expected, rtol=1e-10)


def test_a_level_is_kept_whatever_it_is() -> None:
    for weight in theta_weights(20, 6, 4):
        np.testing.assert_allclose(weight.sum(axis=1), 1, atol=1e-12)


def test_left_open_the_smoothing_is_one_of_those_tried() -> None:
    history = np.random.default_rng(1).normal(size=(1, 30, 1)).cumsum(axis=1)
    free = theta(history, 4, 1)
    tried = [theta(history, 4, 1, smoothing=smoothing) for smoothing in SMOOTHING]
    assert any(np.array_equal(free, one) for one in tried)
