"""How wide intervals must be, by how far earlier ones missed: those of validation, or the most recent ones.

W windows, F steps ahead, Y targets; everything is scaled as the network has it.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from elman.data.timeseries.windows import Windows
from elman.models.forecasting.forecaster import Forecaster

FEWEST_TO_CALIBRATE = 100
"""Fewer windows say too little."""
FEWEST_SCORES = 60
"""So many values at least, of all steps together, say how wide intervals must be where there are fewer windows."""
RECENT = 336
"""Windows that count as recent: on ETTh1's validation part anything from 100 to 720 covered 79 to 81 % of 80 %."""
WINDOWS_AT_ONCE = 256

Places = NDArray[np.int64]
"""(W, 2) for each window the series, and the row of the first forecast step."""


def lacking(bounds: tuple[Tensor, Tensor], windows: Windows) -> Tensor:
    """(W, F, Y) what the interval lacks to reach the actual value (NaN: none); below 0 where it reached further."""
    truth = torch.from_numpy(scaled_truth(windows))
    return torch.maximum(bounds[0] - truth, truth - bounds[1])


def scaled_truth(windows: Windows) -> NDArray[np.float32]:
    """(W, F, Y) the actual values; NaN where nothing was measured."""
    found = np.empty((len(windows), windows.horizon, windows.targets), np.float32)
    for number, own, rows in windows.rows(0, windows.horizon):
        series = windows.series[number]
        found[own] = np.where(series.observed[rows], series.values[:, : windows.targets][rows], np.nan)
    return found


def enough_of(scores: Tensor, level: float, dim: int) -> Tensor:
    """The score of sorted ones along `dim` that covers `level`, NaN left out; 0 where there is none."""
    count = scores.shape[dim]
    if not bool(scores.isnan().any()):
        return scores.kthvalue(rank_of(count, level), dim=dim).values
    counts = scores.isfinite().sum(dim=dim, keepdim=True)
    ranks = torch.minimum(counts, ((counts + 1) * level).ceil().long()) - 1
    found = scores.nan_to_num(nan=float("inf")).sort(dim=dim).values.gather(dim, ranks.clamp(min=0))
    return torch.where(counts > 0, found, 0).squeeze(dim)


def rank_of(count: int, level: float) -> int:
    """Which of `count` sorted scores covers `level` (Romano, Patterson and Candes 2019, equation 8)."""
    return min(count, math.ceil((count + 1) * level))


def widening(model: Forecaster, steps: int) -> Tensor:
    """(F, Y) what validation adds on either side; past the horizon that was calibrated, as at its end."""
    widen = model.widen.cpu()
    return widen[torch.arange(steps).clamp(max=len(widen) - 1)]


def past_of(windows: Windows, past: Windows) -> Windows:
    """Those of `past` that `recent_widening` may read for `windows`."""
    kept = np.zeros(len(past), dtype=bool)
    for number in np.unique(windows.places[:, 0]).tolist():
        own = np.flatnonzero(past.places[:, 0] == number)
        latest = windows.places[windows.places[:, 0] == number, 1] - windows.horizon
        ends = np.searchsorted(past.places[own, 1], latest, side="right")
        changes = np.zeros(len(own) + 1, dtype=np.int64)  # where a run of recent ones begins, and where it ends
        np.add.at(changes, np.maximum(ends - RECENT, 0), 1)
        np.add.at(changes, ends, -1)
        kept[own[changes.cumsum()[:-1] > 0]] = True
    return Windows(past.series, past.window, past.horizon, past.targets, past.places[kept])


def recent_widening(missed: Tensor, past: Places, places: Places, level: float, otherwise: Tensor) -> Tensor:
    """What to add to each interval on either side so that it would have covered `level` of the most recent ones.

    Conformalised quantile regression (Romano, Patterson and Candes 2019), with the `RECENT` last forecasts of the same
    series whose whole horizon lies before the window's own first step: nothing is used that was not known then.

    Arguments:
        missed: (P, F, Y) `lacking` of past windows.
        past: (P, 2) their places, in order of time within a series.
        places: (W, 2) where forecasts begin.
        otherwise: (F, Y) for windows with fewer than `FEWEST_TO_CALIBRATE` before them.

    Returns:
        (W, F, Y).
    """
    horizon = missed.shape[1]
    widen = otherwise.repeat(len(places), 1, 1)
    for number in np.unique(places[:, 0]).tolist():
        own = np.flatnonzero(past[:, 0] == number)
        asked = np.flatnonzero(places[:, 0] == number)
        # how many of its past windows have ended before each of those asked for
        ended = np.searchsorted(past[own, 1], places[asked, 1] - horizon, side="right")
        for count in np.unique(np.minimum(ended, RECENT)).tolist():
            if count < FEWEST_TO_CALIBRATE:
                continue
            those = np.flatnonzero(np.minimum(ended, RECENT) == count)
            for some in np.array_split(those, -(-len(those) // WINDOWS_AT_ONCE)):
                recent = own[ended[some][:, None] + np.arange(-count, 0)]
                widen[asked[some]] = enough_of(missed[recent], level, dim=1)
    return widen
