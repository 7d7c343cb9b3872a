"""A line through the window: every step ahead as a weighted sum of what was looked back on, by penalised least squares.

T rows looked back on, F steps ahead, W windows, Y targets; everything is scaled as the network has it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from elman.data.timeseries.windows import Windows
from elman.models.forecasting.conformal import scaled_truth

Values = NDArray[np.float64]
MOST_WINDOWS = 20_000
EARLY = 0.75
"""The share of the training part from which lines are fitted to be compared."""
FEWEST_EARLY = 8
PENALTIES = (1e-4, 1e-2, 1e-1, 1.0, 10.0)
"""Penalties that are tried, in shares of the mean square of an input times the number of windows."""


@dataclass(frozen=True)
class Line:
    """y(t + k) = bias_k + sum over i of weight_ki y(t - T + i), for each target by itself.

    Arguments:
        weight: (Y, F, T).
        bias: (Y, F).
    """

    weight: Values
    bias: Values

    def __call__(self, history: Values) -> Values:
        """(W, F, Y) from history (W, T, Y)."""
        found: Values = np.einsum("yft,wty->wfy", self.weight, history) + self.bias.T
        return found


def fit_lines(parts: Sequence[Windows], judged: Windows) -> list[Line]:
    """A line on each of several parts, in the form and with the penalty that do best on `judged` with the first part.

    One form takes the last value from all others first, so that it follows a level that was never seen; the other
    knows the mean to which a series returns.

    Arguments:
        judged: windows that lie after the first part.
    """
    seen, truth = _scaled(judged.thinned(MOST_WINDOWS // 4))
    first = _candidates(parts[0])
    errors = [float(np.nanmean(np.abs(line(seen) - truth))) for line in first]
    best = int(np.argmin(errors))
    return [first[best], *(_candidates(part)[best] for part in parts[1:])]


def inner_split(train: Windows, validation: Windows) -> tuple[Windows, Windows]:
    """The early windows of training, and those after them with validation's: more to judge by where that is short.

    All of training, and validation alone, where so little would be left to learn from that it says nothing.
    """
    series, origins = train.places.T
    early, late = np.zeros(len(train), dtype=np.bool_), np.zeros(len(train), dtype=np.bool_)
    for number in np.unique(series).tolist():
        own = np.flatnonzero(series == number)
        cut = origins[own].min() + EARLY * np.ptp(origins[own])
        early[own[origins[own] + train.horizon <= cut]] = True
        late[own[origins[own] >= cut]] = True
    if early.sum() < FEWEST_EARLY:
        return train, validation

    def those(places: NDArray[np.int64]) -> Windows:
        return Windows(train.series, train.window, train.horizon, train.targets, places)

    return those(train.places[early]), those(np.concatenate([train.places[late], validation.places]))


def _candidates(train: Windows) -> list[Line]:
    history, future = _scaled(train.thinned(MOST_WINDOWS))
    whole = np.isfinite(future).all(axis=(1, 2))
    if whole.any():
        history, future = history[whole], future[whole]
    return [line for relative in (True, False) for line in _lines(history, np.nan_to_num(future), relative)]


def _scaled(windows: Windows) -> tuple[Values, Values]:
    """History (W, T, Y) and what followed (W, F, Y), NaN where nothing was measured."""
    steps = np.arange(-windows.window, 0)
    history = [windows.series[s].values[o + steps, : windows.targets] for s, o in windows.places.tolist()]
    return np.stack(history).astype(np.float64), scaled_truth(windows).astype(np.float64)


def _lines(history: Values, future: Values, relative: bool) -> Iterator[Line]:
    """A line for each penalty, from history (W, T, Y) and future (W, F, Y)."""
    count, rows, targets = history.shape
    solved = []
    for target in range(targets):
        x, y = history[:, :, target], future[:, :, target]
        if relative:
            x, y = x - x[:, -1:], y - x[:, -1:]
        center_x, center_y = (np.zeros(rows) if relative else x.mean(axis=0)), y.mean(axis=0)
        values, vectors = np.linalg.eigh((x - center_x).T @ (x - center_x))
        solved.append((values, vectors, vectors.T @ ((x - center_x).T @ (y - center_y)), center_x, center_y))
    for penalty in PENALTIES:
        weights, biases = [], []
        for values, vectors, product, center_x, center_y in solved:
            size = max(float(values.sum()) / rows, 1e-12 * count)
            weight = (vectors @ (product / (np.maximum(values, 0) + penalty * size)[:, None])).T  # (F, T)
            biases.append(center_y - weight @ center_x)
            if relative:
                weight[:, -1] += 1 - weight.sum(axis=1)
            weights.append(weight)
        yield Line(np.stack(weights), np.stack(biases))
