"""The theta method as lines through the window: with a smoothing weight that is fixed, its forecast is a weighted sum.

T rows looked back on, F steps ahead, Y targets. See `elman.metrics.baselines.theta`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from elman.metrics.baselines import SMOOTHING, theta

Values = NDArray[np.float64]
NO_DRIFT, DRIFT = 0.0, 1.0


def theta_weights(rows: int, horizon: int, season: int) -> list[Values]:
    """(F, T) what each row of a window weighs in each step of the forecast: one for each smoothing weight and drift.

    The forecast of a window is the sum of the forecasts of its rows, each alone in a window of zeros.
    """
    alone = np.eye(rows)[:, :, None]
    found = []
    for drift in (NO_DRIFT, DRIFT):
        for smoothing in SMOOTHING:
            found.append(theta(alone, horizon, season, smoothing=smoothing, drift=drift)[:, :, 0].T)
    return found
