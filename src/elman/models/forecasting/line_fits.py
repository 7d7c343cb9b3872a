"""How a line is found: penalised least squares, theta's weights, or the mean of both, whichever does best.

T rows looked back on, F steps ahead, W windows, Y targets, K known-future columns, the first U of them the user's own.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from elman.data.timeseries.windows import Windows
from elman.models.forecasting.conformal import scaled_truth
from elman.models.forecasting.line import MEAN, THETA, Inputs, Line, Values
from elman.models.forecasting.theta_lines import theta_weights

MOST_WINDOWS = 6_000
EARLY = 0.75
"""The share of the training part from which lines are fitted to be compared."""
FEWEST_EARLY = 8
ENOUGH = 50
"""Validation windows that say by themselves which line, and which anchor, is best."""
PENALTIES = (1e-6, 1e-3, 3e-2, 1.0, 10.0)
"""Penalties that are tried, in shares of the mean square of an input times the number of windows."""


def fit_lines(parts: Sequence[Windows], judged: Windows, own: int, season: int) -> list[Line]:
    """A line on each of several parts, found in the way that does best on `judged` with the first part.

    Of least squares, one form takes the last value from all others first, so that it follows a level that was never
    seen; the other knows the mean to which a series returns. The theta method learns nothing from a part, and does
    well where there is little to learn from.

    Arguments:
        judged: windows that lie after the first part.
        own: U.
        season: rows.
    """
    few = judged.thinned(MOST_WINDOWS // 2)
    inputs, truth = Inputs.of(few, own), scaled_truth(few).astype(np.float64)

    def error(line: Line) -> float:
        return float(np.nanmean(np.abs(line(inputs) - truth)))

    forms = [(relative, penalty) for relative in (True, False) for penalty in PENALTIES]
    first = [line for relative in (True, False) for line in _fit(parts[0], own, relative, PENALTIES)]
    best = int(np.argmin([error(line) for line in first]))
    relative, penalty = forms[best]
    squares = [first[best], *(_fit(part, own, relative, [penalty])[0] for part in parts[1:])]
    theta = _theta_line(first[best], inputs, truth, season)
    ways = [squares, [theta] * len(parts), [_mean(line, theta) for line in squares]]
    return min(ways, key=lambda lines: error(lines[0]))


def _theta_line(like: Line, inputs: Inputs, truth: Values, season: int) -> Line:
    """The line of the theta method that errs least on `truth`, of the shape of another line."""
    targets, horizon, rows = like.weight.shape
    history = inputs.history.transpose(0, 2, 1)  # all targets are weighed alike: one product serves them

    def error(weight: Values) -> float:
        return float(np.nanmean(np.abs((history @ weight.T).transpose(0, 2, 1) - truth)))

    best = min(theta_weights(rows, horizon, season), key=error)
    nothing = np.zeros_like(like.known), np.zeros_like(like.ahead), np.zeros_like(like.bias)
    return Line(np.repeat(best[None], targets, axis=0), *nothing, way=THETA)


def _mean(one: Line, other: Line) -> Line:
    """The line halfway between two."""
    halves = [(getattr(one, part) + getattr(other, part)) / 2 for part in ("weight", "known", "ahead", "bias")]
    return Line(*halves, way=MEAN)


def inner_split(train: Windows, validation: Windows) -> tuple[Windows, Windows]:
    """The early windows of training, and those after them with validation's: more to judge by where that is short.

    All of training, and validation alone, where that has enough windows to judge by, or where so little would be left
    to learn from that it says nothing.
    """
    if len(validation) >= ENOUGH:
        return train, validation
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


def _fit(train: Windows, own: int, relative: bool, penalties: Sequence[float]) -> list[Line]:
    """A line for each penalty."""
    few = train.thinned(MOST_WINDOWS)
    inputs, future = Inputs.of(few, own), scaled_truth(few).astype(np.float64)
    whole = np.isfinite(future).all(axis=(1, 2))
    if whole.any():
        inputs = Inputs(inputs.history[whole], inputs.known[whole], inputs.ahead[whole])
        future = future[whole]
    future = np.nan_to_num(future)
    solved = [_solve(inputs, future[:, :, y], y, relative, penalties) for y in range(future.shape[2])]
    return [Line(*map(np.stack, zip(*(one[n] for one in solved), strict=True))) for n in range(len(penalties))]


def _solve(
    inputs: Inputs, future: Values, target: int, relative: bool, penalties: Sequence[float]
) -> list[tuple[Values, Values, Values, Values]]:
    """weight (F, T), known (F, T, U), ahead (F, K) and bias (F,) of one target for each penalty.

    What is looked back on is the same at every step, so one factorisation serves all of them; the K columns that differ
    are eliminated from each (Schur complement).
    """
    history = inputs.history[:, :, target]
    (count, rows), last = history.shape, history[:, -1:]
    x = np.concatenate([history - last if relative else history, inputs.known.reshape(count, -1)], axis=1)
    y = future - last if relative else future
    mean, means, centers = x.mean(axis=0), y.mean(axis=0), inputs.ahead.mean(axis=0)
    x, y, z = x - mean, y - means, inputs.ahead - centers  # (W, n), (W, F), (W, F, K)
    (wide, (steps, columns)) = x.shape[1], z.shape[1:]
    gram, across = x.T @ x, (x.T @ z.reshape(count, -1)).reshape(wide, steps, columns)
    inner, right = np.einsum("wfk,wfl->fkl", z, z), np.einsum("wfk,wf->fk", z, y)
    squares = np.trace(gram) + np.trace(inner, axis1=1, axis2=2).mean()
    size = max(float(squares) / (wide + columns), 1e-12 * count)
    lines = []
    for penalty in size * np.array(penalties):
        found = np.linalg.solve(
            gram + penalty * np.eye(wide), np.concatenate([x.T @ y, across.reshape(wide, -1)], axis=1)
        )
        alone, shared = found[:, :steps].T, found[:, steps:].reshape(wide, steps, columns).transpose(1, 0, 2)
        border = across.transpose(1, 2, 0)  # (F, K, n)
        complement = inner + penalty * np.eye(columns) - border @ shared
        ahead = np.linalg.solve(complement, (right - (border @ alone[:, :, None])[:, :, 0])[:, :, None])[:, :, 0]
        back = alone - (shared @ ahead[:, :, None])[:, :, 0]
        bias = means - back @ mean - (ahead * centers).sum(axis=1)
        weight = back[:, :rows].copy()
        if relative:
            weight[:, -1] += 1 - weight.sum(axis=1)
        lines.append((weight, back[:, rows:].reshape(steps, rows, inputs.known.shape[2]), ahead, bias))
    return lines
