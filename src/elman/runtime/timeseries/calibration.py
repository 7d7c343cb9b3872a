"""How wide intervals must be by how far the most recent ones missed; see `elman.models.forecasting.conformal`.

W windows, F steps ahead, Y targets.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from elman.runtime.tensors import Floats, Integers
from elman.runtime.timeseries.forecaster import Bounds, DirectForecaster, RecursiveForecaster
from elman.runtime.timeseries.series import Series

FEWEST_TO_CALIBRATE, RECENT = 100, 336
"""Fewer windows say too little; so many count as recent."""
STEPS_AT_ONCE = 1 << 16
Places = Integers
"""(W, 2) for each window the series, and the row of the first forecast step."""


class Windows(NamedTuple):
    """Windows of several series: T rows looked back on, F ahead."""

    series: list[Series]
    window: int
    horizon: int
    places: Places

    def ask(self, model: DirectForecaster | RecursiveForecaster) -> tuple[Floats, Bounds | None]:
        """Points (W, F, Y) and the ends of intervals, scaled, not yet widened."""
        points, lower, upper = [], [], []
        size = max(1, STEPS_AT_ONCE // self.window)
        for begin in range(0, len(self.places), size):
            cut = [self._cut(*place) for place in self.places[begin : begin + size].tolist()]
            values, known = (np.stack(part, axis=1) for part in zip(*cut, strict=True))
            point, bounds = model.forecast(values, known)
            points.append(point.transpose(1, 0, 2))
            if bounds is not None:
                lower.append(bounds[0].transpose(1, 0, 2))
                upper.append(bounds[1].transpose(1, 0, 2))
        return np.concatenate(points), (np.concatenate(lower), np.concatenate(upper)) if lower else None

    def _cut(self, number: int, origin: int) -> tuple[Floats, Floats]:
        one, start = self.series[number], origin - self.window
        return one.values[start:origin], one.known[start : origin + self.horizon]

    def truth(self, targets: int) -> Floats:
        """(W, F, Y) the scaled values that came; NaN where nothing was measured."""
        steps, found = np.arange(self.horizon), []
        for number, origin in self.places.tolist():
            one = self.series[number]
            found.append(
                np.where(one.observed[origin + steps], one.values[origin + steps, :targets], np.float32(np.nan))
            )
        return np.stack(found)


def widened(
    model: DirectForecaster | RecursiveForecaster, windows: Windows, *, recent: bool
) -> tuple[Floats, Floats | None, Floats | None]:
    """Points (W, F, Y) of the last windows of series, and intervals as wide as validation or recent windows ask."""
    point, bounds = windows.ask(model)
    if bounds is None:
        return point, None, None
    widen = model.widen[np.minimum(np.arange(windows.horizon), len(model.widen) - 1)]
    steady = np.broadcast_to(widen, point.shape)
    past = _past_of(windows) if recent else None
    if past is not None and len(past.places) >= FEWEST_TO_CALIBRATE:
        steady = _by_recent(model, windows, past, steady.copy())
    wide = np.maximum(steady, (bounds[0] - bounds[1]) / 2)
    return point, np.minimum(bounds[0] - wide, point), np.maximum(bounds[1] + wide, point)


def _past_of(windows: Windows) -> Windows:
    """For each of the windows the `RECENT` last ones of its series that had ended before it began."""
    found = []
    for number, origin in windows.places.tolist():
        last = origin - windows.horizon
        first = max(windows.window, last - RECENT + 1)
        origins = np.arange(first, last + 1)
        found.append(np.stack([np.full(len(origins), number), origins], axis=1))
    return windows._replace(places=np.concatenate(found))


def _by_recent(model: DirectForecaster | RecursiveForecaster, windows: Windows, past: Windows, widen: Floats) -> Floats:
    _, bounds = past.ask(model)
    assert bounds is not None, "asked where there are intervals"
    truth = past.truth(model.layout.targets)
    missed = np.maximum(bounds[0] - truth, truth - bounds[1])
    for place, (number, _) in enumerate(windows.places.tolist()):
        own = missed[past.places[:, 0] == number]
        if len(own) >= FEWEST_TO_CALIBRATE:
            widen[place] = _enough_of(own, model.layout.level)
    return widen


def _enough_of(scores: Floats, level: float) -> Floats:
    """(F, Y) the score of (W, F, Y) that covers `level`, NaN left out; 0 where there is none."""

    def rank(count: int) -> int:
        return min(count, math.ceil((count + 1) * level))

    if not np.isnan(scores).any():
        return np.asarray(np.sort(scores, axis=0)[rank(len(scores)) - 1])
    counts = np.isfinite(scores).sum(axis=0)
    ordered = np.sort(np.where(np.isnan(scores), np.inf, scores), axis=0)
    ranks = np.vectorize(rank, otypes=[np.int64])(counts) - 1
    found = np.take_along_axis(ordered, np.maximum(ranks, 0)[None], axis=0)[0]
    return np.where(counts > 0, found, 0).astype(np.float32)
