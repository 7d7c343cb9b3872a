"""What a forecaster says to many windows, in the targets' own units. W windows, F steps ahead, Y targets."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from elman.data.batching import batches_by_length
from elman.data.windows import Windows
from elman.models.forecast_errors import Forecasts, Values
from elman.models.forecaster import Forecaster, RecursiveForecaster

STEPS_AT_ONCE = 1 << 16
PATHS = 200
"""Futures that a recursive forecast draws for its intervals."""
FEWEST_TO_CALIBRATE = 100

InUnits = Callable[[int, Any], Values]
"""From the number of a series and scaled targets (..., Y) to their own units."""


def ask(model: Forecaster, windows: Windows, level: float, in_units: InUnits) -> Forecasts:
    """Forecasts for all windows, intervals widened by what validation said."""
    point, bounds = ask_scaled(model, windows, level)
    series = windows.places[:, 0]

    def restored(scaled: Tensor) -> Values:
        array = scaled.numpy()
        out = np.empty(array.shape)
        for number in np.unique(series).tolist():
            out[series == number] = in_units(number, array[series == number])
        return out

    if bounds is None:
        return Forecasts(restored(point))
    widen = widening(model, point.shape[1])
    return Forecasts(restored(point), restored(bounds[0] - widen), restored(bounds[1] + widen))


def ask_scaled(model: Forecaster, windows: Windows, level: float) -> tuple[Tensor, tuple[Tensor, Tensor] | None]:
    """Points (W, F, Y) and the ends of intervals, scaled as the network has them, not yet widened."""
    device = next(model.parameters()).device
    size = max(1, STEPS_AT_ONCE // windows.window)
    points, lower, upper = [], [], []
    for chosen in batches_by_length(np.zeros(len(windows)), size):
        batch = windows.batch(chosen).to(device)
        if isinstance(model, RecursiveForecaster):
            point, bounds = model.forecast(batch.values, batch.known, PATHS, level)
        else:
            point, bounds = model.forecast(batch.values, batch.known)
        points.append(point.transpose(0, 1).cpu())
        if bounds is not None:
            lower.append(bounds[0].transpose(0, 1).cpu())
            upper.append(bounds[1].transpose(0, 1).cpu())
    return torch.cat(points), (torch.cat(lower), torch.cat(upper)) if lower else None


def widening(model: Forecaster, steps: int) -> Tensor:
    """(F, Y) what to add on either side; past the horizon that was calibrated, as at its end."""
    widen = model.widen.cpu()
    return widen[torch.arange(steps).clamp(max=len(widen) - 1)]


def calibrate(model: Forecaster, windows: Windows, level: float) -> None:
    """Set `model.widen` so that intervals cover `level` of these windows: conformalised quantile regression.

    Romano, Patterson and Candes (2019), equations 6 to 8, for each step ahead and target by itself. Fewer than
    `FEWEST_TO_CALIBRATE` windows say too little, and leave the intervals as they are.
    """
    count = len(windows)
    _, bounds = ask_scaled(model, windows, level)
    if bounds is None or count < FEWEST_TO_CALIBRATE:
        return
    truth = torch.from_numpy(scaled_truth(windows))
    lacking = torch.maximum(bounds[0] - truth, truth - bounds[1])  # (W, F, Y)
    rank = min(count, math.ceil((count + 1) * level))
    model.widen.copy_(lacking.kthvalue(rank, dim=0).values)


def scaled_truth(windows: Windows) -> NDArray[np.float32]:
    """(W, F, Y) what came, scaled."""
    steps = np.arange(windows.horizon)
    return np.stack([windows.series[s].values[o + steps, : windows.targets] for s, o in windows.places.tolist()])
