"""What a forecaster says to many windows, in the targets' own units. W windows, F steps ahead, Y targets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from elman.data.batching import batches_by_length
from elman.data.timeseries.windows import Windows
from elman.metrics.forecasting import Forecasts, Values, errors
from elman.models.forecasting.conformal import (
    FEWEST_SCORES,
    FEWEST_TO_CALIBRATE,
    enough_of,
    lacking,
    past_of,
    recent_widening,
    widening,
)
from elman.models.forecasting.forecaster import DirectForecaster, Forecaster, RecursiveForecaster

STEPS_AT_ONCE = 1 << 16
SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)
"""Shares of the network's answers that are tried. They are few, since validation parts may be short."""
WORTH = 0.99
"""What the network must bring the anchor's error down to, as a share of it, to be added at all."""
FEWEST_WINDOWS = 2
PATHS = 200
"""Futures that a recursive forecast draws for its intervals."""

InUnits = Callable[[int, Any], Values]
"""From the number of a series and scaled targets (..., Y) to their own units."""


def ask(model: Forecaster, windows: Windows, level: float, in_units: InUnits, past: Windows | None = None) -> Forecasts:
    """Forecasts for all windows, with intervals that are widened (or narrowed, to the point at most).

    Arguments:
        past: windows of the same series in time; by those that have ended before a forecast begins its interval is
            widened. Without them, and where they are too few, by what validation said.
    """
    point, bounds = ask_scaled(model, windows, level)
    if bounds is None:
        return Forecasts(_restored(point, windows, in_units))
    widen = torch.maximum(_widening(model, windows, level, past), (bounds[0] - bounds[1]) / 2)
    lower, upper = torch.minimum(bounds[0] - widen, point), torch.maximum(bounds[1] + widen, point)
    return Forecasts(*(_restored(part, windows, in_units) for part in (point, lower, upper)))


def _restored(scaled: Tensor, windows: Windows, in_units: InUnits) -> Values:
    """(W, F, Y) in the targets' own units."""
    series, array = windows.places[:, 0], scaled.numpy()
    order = np.argsort(series, kind="stable")
    out = np.empty(array.shape)
    for own in np.split(order, np.flatnonzero(np.diff(series[order])) + 1):
        out[own] = in_units(int(series[own[0]]), array[own])
    return out


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

    Romano, Patterson and Candes (2019), equations 6 to 8, for each step ahead and target by itself; with fewer than
    `FEWEST_TO_CALIBRATE` windows for all steps together, and with fewer than `FEWEST_SCORES` values not at all.
    """
    _, bounds = ask_scaled(model, windows, level)
    if bounds is None or len(windows) * windows.horizon < FEWEST_SCORES or len(windows) < FEWEST_WINDOWS:
        return
    missed = lacking(bounds, windows)
    if len(windows) < FEWEST_TO_CALIBRATE:
        missed = missed.flatten(0, 1)
    model.widen.copy_(enough_of(missed, level, dim=0).expand_as(model.widen))


def blend(model: DirectForecaster, windows: Windows, in_units: InUnits, sizes: Values) -> None:
    """Set the share of the network's answers that is added to the anchor to the one that forecasts windows best.

    The share 0 is the anchor alone, 1 the network as it was trained: a weighted mean of both between them.

    Arguments:
        sizes: (W, Y) what errors are divided by.
    """
    model.share.fill_(1.0)
    whole, _ = ask_scaled(model, windows, 0.0)
    with model.alone():
        anchor, _ = ask_scaled(model, windows, 0.0)
    truth, found = windows.truth(), []
    for share in SHARES:
        points = _restored(anchor + share * (whole - anchor), windows, in_units)
        found.append(errors(points, truth, sizes)["mase"])
    best = int(np.argmin(found))
    model.share.fill_(SHARES[best] if found[best] < WORTH * found[0] else 0.0)


def _widening(model: Forecaster, windows: Windows, level: float, past: Windows | None) -> Tensor:
    """(W, F, Y) or (F, Y) what to add on either side of each interval."""
    steady = widening(model, windows.horizon)
    known = None if past is None else past_of(windows, past)
    if known is None or len(known) < FEWEST_TO_CALIBRATE:
        return steady
    _, bounds = ask_scaled(model, known, level)
    assert bounds is not None, "asked where there are intervals"
    return recent_widening(lacking(bounds, known), known.places, windows.places, level, steady)
