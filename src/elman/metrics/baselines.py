"""What a forecast must beat: the last value, the same time of the last season, and a line through the lags.

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
