"""What a forecast must beat: the last value, the last season, the theta method, and a line through the lags.

W windows, T rows looked back on, F steps ahead, Y targets. All in the targets' own units.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]
MOST_WINDOWS = 20_000
"""The line is fitted on at most so many windows, evenly spread."""


def last_value(history: Values, horizon: int) -> Values:
    """(W, F, Y) the last value again and again, from history (W, T, Y)."""
    return np.repeat(history[:, -1:], horizon, axis=1)


def seasonal_naive(history: Values, horizon: int, season: int) -> Values:
    """(W, F, Y) the last season of history (W, T, Y) again and again; the last value where T is shorter."""
    if history.shape[1] < season:
        return last_value(history, horizon)
    return np.tile(history[:, -season:], (1, -(-horizon // season), 1))[:, :horizon]


def theta(history: Values, horizon: int, season: int, *, smoothing: float | None = None, drift: float = 1.0) -> Values:
    """(W, F, Y) the theta method (Assimakopoulos and Nikolopoulos 2000) on each history (W, T, Y).

    As Hyndman and Billah (2003) have it: exponential smoothing with half the slope of a straight line as its drift. The
    season is taken out before as the mean of each place in it, from its moving average, and put back.

    Arguments:
        smoothing: the weight of the newest value; if not given, for each history the one of `SMOOTHING` with the least
            squared error one step ahead.
        drift: what the half slope is multiplied by; 0 leaves simple exponential smoothing.
    """
    count, steps, targets = history.shape
    series = history.transpose(0, 2, 1).reshape(-1, steps)
    season = season if 1 < season <= steps // 2 else 1
    places = np.arange(steps + horizon) % season
    seasonal = _season_means(series, season)
    plain = series - seasonal[:, places[:steps]]
    time = np.arange(steps) - (steps - 1) / 2
    slope = plain @ time / max(float(time @ time), 1e-12)
    level, weight = _smoothed(plain, SMOOTHING if smoothing is None else (smoothing,))
    ahead = np.arange(1, horizon + 1)
    # the drift accumulates from the last smoothed level: (1 - (1 - a)^T) / a steps of it come before the first forecast
    before = (1 - (1 - weight) ** steps) / weight
    forecast = level[:, None] + drift * slope[:, None] / 2 * (ahead - 1 + before[:, None])
    forecast += seasonal[:, places[steps:]]
    return np.asarray(forecast.reshape(count, targets, horizon).transpose(0, 2, 1))


SMOOTHING = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
"""Weights of exponential smoothing that are tried."""


def _season_means(series: Values, season: int) -> Values:
    """(N, season) what each place of the season lies above its moving average, in the mean 0."""
    if season == 1:
        return np.zeros((len(series), 1))
    half = season // 2
    sums = np.cumsum(np.pad(series, ((0, 0), (1, 0))), axis=1)
    if season % 2 == 0:
        whole = (sums[:, season:] - sums[:, :-season]) / season
        trend = (whole[:, 1:] + whole[:, :-1]) / 2
    else:
        trend = (sums[:, season:] - sums[:, :-season]) / season
    above = series[:, half : half + trend.shape[1]] - trend
    places = (np.arange(trend.shape[1]) + half) % season
    means = np.zeros((len(series), season))
    for place in np.unique(places).tolist():
        means[:, place] = above[:, places == place].mean(axis=1)
    return np.asarray(means - means.mean(axis=1, keepdims=True))


def _smoothed(series: Values, tried: tuple[float, ...]) -> tuple[Values, Values]:
    """The last level (N,) of exponential smoothing of series (N, T), and its weight (N,)."""
    weights = np.array(tried)
    level = np.repeat(series[:, :1], len(weights), axis=1)
    wrong = np.zeros_like(level)
    for step in range(1, series.shape[1]):
        error = series[:, step, None] - level
        wrong += error * error
        level = level + weights * error
    best = wrong.argmin(axis=1)
    return level[np.arange(len(series)), best], weights[best]


class LinearOnLags:
    """y(t + k) = a_k + sum over i of b_ki y(t - i), for each target and step ahead, by least squares.

    Arguments:
        history: (W, T, Y) of the training windows.
        future: (W, F, Y) what followed.
    """

    def __init__(self, history: Values, future: Values) -> None:
        self._weights = [
            np.linalg.lstsq(_with_one(history[:, :, target]), future[:, :, target], rcond=None)[0]
            for target in range(history.shape[2])
        ]

    def __call__(self, history: Values) -> Values:
        """(W, F, Y) the forecasts from history (W, T, Y)."""
        return np.stack([_with_one(history[:, :, y]) @ weights for y, weights in enumerate(self._weights)], axis=2)


def _with_one(lags: Values) -> Values:
    return np.concatenate([lags, np.ones((len(lags), 1))], axis=1)
