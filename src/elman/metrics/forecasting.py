"""How far forecasts are from what came. W windows, F steps ahead, Y targets, in the targets' own units."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Forecasts:
    """Points (W, F, Y), and the lower and upper ends of intervals where they were asked for, the point between them."""

    point: Values
    lower: Values | None = None
    upper: Values | None = None

    def __post_init__(self) -> None:
        if self.lower is None or self.upper is None:
            return
        if (self.lower > self.point).any() or (self.upper < self.point).any():
            raise ValueError("a point lies outside its interval")


def errors(forecast: Values, truth: Values, naive_error: Values) -> dict[str, float]:
    """MAE, RMSE, MASE and sMAPE over all windows, steps and targets.

    Arguments:
        forecast, truth: (W, F, Y); truth is NaN where nothing was measured, and counts for nothing there.
        naive_error: (W, Y) the scale by which MASE divides (Hyndman and Koehler 2006, equation 3.1).

    Returns:
        mae and rmse in the targets' units, mase without one, smape in per cent, 0 to 200 (Makridakis 1993).
    """
    measured = np.isfinite(truth)
    if not measured.any():
        return dict.fromkeys(("mae", "rmse", "mase", "smape"), float("nan"))
    scale = np.broadcast_to(naive_error[:, None], truth.shape)[measured]
    forecast, truth = forecast[measured], truth[measured]
    error = np.abs(forecast - truth)
    size = np.abs(forecast) + np.abs(truth)
    relative = np.divide(2 * error, size, out=np.zeros_like(error), where=size > 0)
    return {
        "mae": float(error.mean()),
        "rmse": float(np.sqrt(np.square(error).mean())),
        "mase": float((error / scale).mean()),
        "smape": float(100 * relative.mean()),
    }


def coverage(forecasts: Forecasts, truth: Values) -> dict[str, float]:
    """The share of truth (W, F, Y) inside the intervals, and their mean width in the targets' units."""
    if forecasts.lower is None or forecasts.upper is None:
        return {}
    measured = np.isfinite(truth)
    if not measured.any():
        return {}
    inside = ((truth >= forecasts.lower) & (truth <= forecasts.upper))[measured]
    return {"coverage": float(inside.mean()), "width": float((forecasts.upper - forecasts.lower).mean())}
