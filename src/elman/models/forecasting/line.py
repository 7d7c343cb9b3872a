"""A line through the window: every step ahead as a weighted sum of what is known then.

T rows looked back on, F steps ahead, W windows, Y targets, K known-future columns, the first U of them the user's own
and the others the calendar's; everything is scaled as the network has it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from elman.data.timeseries.windows import Windows

Values = NDArray[np.float64]
LEAST_SQUARES, THETA, MEAN = "least squares", "theta", "mean of least squares and theta"


@dataclass(frozen=True)
class Inputs:
    """What a line reads: history (W, T, Y), the user's known columns (W, T, U), all at the steps ahead (W, F, K)."""

    history: Values
    known: Values
    ahead: Values

    @classmethod
    def of(cls, windows: Windows, own: int) -> Inputs:
        """The inputs of windows; `own` is U."""
        back, steps = np.arange(-windows.window, 0), np.arange(windows.horizon)
        places = [(windows.series[s], o) for s, o in windows.places.tolist()]
        parts = (
            [one.values[o + back, : windows.targets] for one, o in places],
            [one.known[o + back, :own] for one, o in places],
            [one.known[o + steps] for one, o in places],
        )
        return cls(*(np.stack(part).astype(np.float64) for part in parts))


@dataclass(frozen=True)
class Line:
    """y(t + k) = bias_k + sum_i weight_ki y(t - T + i) + sum_iu known_kiu x_u(t - T + i) + sum_j ahead_kj x_j(t + k).

    Arguments:
        weight: (Y, F, T).
        known: (Y, F, T, U).
        ahead: (Y, F, K).
        bias: (Y, F).
        way: how it was found, for the user.
    """

    weight: Values
    known: Values
    ahead: Values
    bias: Values
    way: str = field(default=LEAST_SQUARES, kw_only=True)

    def __call__(self, inputs: Inputs) -> Values:
        """(W, F, Y) the forecasts."""
        found: Values = np.einsum("yft,wty->wfy", self.weight, inputs.history) + self.bias.T
        found += np.einsum("yftu,wtu->wfy", self.known, inputs.known)
        found += np.einsum("yfk,wfk->wfy", self.ahead, inputs.ahead)
        return found
