"""What a forecaster says to many windows, in the targets' own units. W windows, F steps ahead, Y targets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from elman.data.batching import batches_by_length
from elman.data.timeseries.windows import Windows
from elman.metrics.forecasting import Forecasts, Values
from elman.models.forecasting.conformal import FEWEST_TO_CALIBRATE, lacking, past_of, rank_of, recent_widening, widening
from elman.models.forecasting.forecaster import Forecaster, RecursiveForecaster

STEPS_AT_ONCE = 1 << 16
PATHS = 200
"""Futures that a recursive forecast draws for its intervals."""

InUnits = Callable[[int, Any], Values]
"""From the number of a series and scaled targets (..., Y) to their own units."""


def ask(model: Forecaster, windows: Windows, level: float, in_units: InUnits, past: Windows | None = None) -> Forecasts:
    """Forecasts for all windows, with intervals that are widened (or narrowed, to nothing at most).

    Arguments:
        past: windows of the same series in time; by those that have ended before a forecast begins its interval is
            widened. Without them, and where they are too few, by what validation said.
    """
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
    widen = torch.maximum(_widening(model, windows, level, past), (bounds[0] - bounds[1]) / 2)
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


def calibrate(model: Forecaster, windows: Windows, level: float) -> None:
    """Set `model.widen` so that intervals cover `level` of these windows: conformalised quantile regression.

    Romano, Patterson and Candes (2019), equations 6 to 8, for each step ahead and target by itself. Fewer than
    `FEWEST_TO_CALIBRATE` windows say too little, and leave the intervals as they are.
    """
    count = len(windows)
    _, bounds = ask_scaled(model, windows, level)
    if bounds is None or count < FEWEST_TO_CALIBRATE:
        return
    model.widen.copy_(lacking(bounds, windows).kthvalue(rank_of(count, level), dim=0).values)


def _widening(model: Forecaster, windows: Windows, level: float, past: Windows | None) -> Tensor:
    """(W, F, Y) or (F, Y) what to add on either side of each interval."""
    steady = widening(model, windows.horizon)
    known = None if past is None else past_of(windows, past)
    if known is None or len(known) < FEWEST_TO_CALIBRATE:
        return steady
    _, bounds = ask_scaled(model, known, level)
    assert bounds is not None, "asked where there are intervals"
    return recent_widening(lacking(bounds, known), known.places, windows.places, level, steady)
