"""What a forecaster says to many windows, in the targets' own units. W windows, F steps ahead, Y targets."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor

from elman.data.batching import batches_by_length
from elman.data.timeseries.windows import WindowBatch, Windows
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
from elman.models.forecasting.forecaster import Bounds, DirectForecaster, Forecaster, RecursiveForecaster, joined

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
Scaled = tuple[Tensor, Bounds | None]
"""Points (W, F, Y), and the ends of their intervals."""
Follow = Callable[[str, int], AbstractContextManager[Callable[[int], None]]]
"""Shows how far work is: from what is counted, and how many there are, to what is called with how many are done."""


@contextmanager
def _unseen(what: str, count: int) -> Iterator[Callable[[int], None]]:
    yield lambda done: None


def ask(
    model: Forecaster,
    windows: Windows,
    level: float,
    in_units: InUnits,
    past: Windows | None = None,
    scaled: Scaled | None = None,
    follow: Follow = _unseen,
) -> Forecasts:
    """Forecasts for all windows, with intervals that are widened (or narrowed, to the point at most).

    Arguments:
        past: windows of the same series in time; by those that have ended before a forecast begins its interval is
            widened. Without them, and where they are too few, by what validation said.
        scaled: what `ask_scaled` gave for the windows, where it was asked before.
        follow: shows how far it is.
    """
    point, bounds = ask_scaled(model, windows, level, follow) if scaled is None else scaled
    if bounds is None:
        return Forecasts(_restored(point, windows, in_units))
    ends = _widened(point, bounds, _widening(model, windows, level, past, follow))
    return Forecasts(*(_restored(part, windows, in_units) for part in (point, *ends)))


def _restored(scaled: Tensor, windows: Windows, in_units: InUnits) -> Values:
    """(W, F, Y) in the targets' own units."""
    series, array = windows.places[:, 0], scaled.numpy()
    order = np.argsort(series, kind="stable")
    out = np.empty(array.shape)
    for own in np.split(order, np.flatnonzero(np.diff(series[order])) + 1):
        out[own] = in_units(int(series[own[0]]), array[own])
    return out


def ask_scaled(model: Forecaster, windows: Windows, level: float, follow: Follow = _unseen) -> Scaled:
    """Points (W, F, Y) and the ends of intervals, scaled as the network has them, not yet widened."""
    device = next(model.parameters()).device

    def answers(batch: WindowBatch) -> Scaled:
        if isinstance(model, RecursiveForecaster):
            return model.forecast(batch.values, batch.known, PATHS, level)
        return model.forecast(batch.values, batch.known)

    found = []
    with follow("windows forecast", len(windows)) as done:
        for batch in _batches(windows):
            found.append(answers(batch.to(device)))
            done(min(len(windows), len(found) * _at_once(windows)))
    return _together(point for point, _ in found), _ends(bounds for _, bounds in found)


def _at_once(windows: Windows) -> int:
    return max(1, STEPS_AT_ONCE // windows.window)


def _batches(windows: Windows) -> Iterator[WindowBatch]:
    """All windows, some at once."""
    for chosen in batches_by_length(np.zeros(len(windows)), _at_once(windows)):
        yield windows.batch(chosen)


def _together(parts: Iterable[Tensor]) -> Tensor:
    """(W, F, Y) of the batches' (F, B, Y)."""
    return torch.cat([part.transpose(0, 1).cpu() for part in parts])


def _ends(found: Iterable[Bounds | None]) -> Bounds | None:
    bounds = [ends for ends in found if ends is not None]
    return (_together(low for low, _ in bounds), _together(high for _, high in bounds)) if bounds else None


def learn_from_validation(
    model: Forecaster, windows: Windows, level: float, *, blended: tuple[InUnits, Values] | None, calibrated: bool
) -> Scaled:
    """Set what validation decides: the share of the network's answers, and how wide intervals are.

    Where the network's own intervals score worse than such of one width a step, these take their place: a network
    that adds nothing to its anchor knows nothing of the anchor's errors. The network is asked once.

    Arguments:
        windows: of the validation part.
        blended: None where the share stays; else from scaled targets to their units, and what errors are divided by.
        calibrated: whether to set the width.

    Returns:
        what `ask_scaled` gives for the windows from now on.
    """
    if blended is None:
        scaled = ask_scaled(model, windows, level)
        if calibrated:
            calibrate(model, windows, level, scaled)
        return scaled
    assert isinstance(model, DirectForecaster)
    device = next(model.parameters()).device
    found = [model.parts(*batch.to(device)[:2]) for batch in _batches(windows)]
    answers, anchors = _together(one[0] for one in found), _together(one[2] for one in found)
    parts = answers, _ends(one[1] for one in found), anchors
    model.share.fill_(_best_share(anchors, joined(*parts, None)[0], windows, *blended))
    scaled = joined(*parts, (model.share.cpu(), model.interval_spread.fill_(1.0).cpu()))
    if not (calibrated and calibrate(model, windows, level, scaled)):
        return scaled
    own, widen = interval_score(model, windows, level, scaled), model.widen.clone()
    even = joined(*parts, (model.share.cpu(), model.interval_spread.zero_().cpu()))
    calibrate(model, windows, level, even)
    if interval_score(model, windows, level, even) < own:
        return even
    model.interval_spread.fill_(1.0)
    model.widen.copy_(widen)
    return scaled


def interval_score(model: Forecaster, windows: Windows, level: float, scaled: Scaled) -> float:
    """The mean interval score of scaled intervals once they are widened (Gneiting and Raftery 2007, equation 43).

    That is their width, and for what came outside how far it did, times 2 / (1 - level); less is better.
    """
    point, bounds = scaled
    assert bounds is not None, "asked where there are intervals"
    lower, upper = _widened(point, bounds, widening(model, windows.horizon))
    missed = lacking((lower, upper), windows).clamp(min=0)
    return float((upper - lower + 2 / (1 - level) * missed)[missed.isfinite()].double().mean())


def _widened(point: Tensor, bounds: Bounds, by: Tensor) -> Bounds:
    """Intervals that are wider on either side, or narrower, to the point at most."""
    widen = torch.maximum(by, (bounds[0] - bounds[1]) / 2)
    return torch.minimum(bounds[0] - widen, point), torch.maximum(bounds[1] + widen, point)


def calibrate(model: Forecaster, windows: Windows, level: float, scaled: Scaled | None = None) -> bool:
    """Set `model.widen` so that intervals cover `level` of these windows: conformalised quantile regression.

    Romano, Patterson and Candes (2019), equations 6 to 8, for each step ahead and target by itself; with fewer than
    `FEWEST_TO_CALIBRATE` windows for all steps together, and with fewer than `FEWEST_SCORES` values not at all.

    Arguments:
        scaled: as in `ask`.

    Returns:
        whether it was set.
    """
    _, bounds = ask_scaled(model, windows, level) if scaled is None else scaled
    if bounds is None or len(windows) * windows.horizon < FEWEST_SCORES or len(windows) < FEWEST_WINDOWS:
        return False
    missed = lacking(bounds, windows)
    if len(windows) < FEWEST_TO_CALIBRATE:
        missed = missed.flatten(0, 1)
    model.widen.copy_(enough_of(missed, level, dim=0).expand_as(model.widen))
    return True


def _best_share(anchor: Tensor, whole: Tensor, windows: Windows, in_units: InUnits, sizes: Values) -> float:
    """The share of the network's answers, added to the anchor, that forecasts windows best.

    The share 0 is the anchor alone, 1 the network as it was trained: a weighted mean of both between them.
    """
    truth, found = windows.truth(), []
    for share in SHARES:
        points = _restored(anchor + share * (whole - anchor), windows, in_units)
        found.append(errors(points, truth, sizes)["mase"])
    best = int(np.argmin(found))
    return SHARES[best] if found[best] < WORTH * found[0] else 0.0


def _widening(
    model: Forecaster, windows: Windows, level: float, past: Windows | None, follow: Follow = _unseen
) -> Tensor:
    """(W, F, Y) or (F, Y) what to add on either side of each interval."""
    steady = widening(model, windows.horizon)
    known = None if past is None else past_of(windows, past)
    if known is None or len(known) < FEWEST_TO_CALIBRATE:
        return steady
    _, bounds = ask_scaled(model, known, level, follow)
    assert bounds is not None, "asked where there are intervals"
    return recent_widening(lacking(bounds, known), known.places, windows.places, level, steady)
