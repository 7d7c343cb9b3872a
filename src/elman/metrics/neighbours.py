"""The nearest neighbour, with and without warping: what a classifier of series has to beat. Q queries, N others."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Series = NDArray[np.float32]

LONGEST = 128
"""Steps that are compared with warping: longer series are read at so many places, evenly spread."""
BAND = 0.1
"""How far apart in time two steps may be that are matched, as a share of the length (Sakoe and Chiba 1978)."""
MOST_PAIRS = 1 << 12
"""Pairs that are compared at once."""


def resampled(sequences: Sequence[Series], steps: int) -> NDArray[np.float32]:
    """(N, steps, I) sequences (T_n, I) on lines between their steps, whatever their lengths."""
    return np.stack([_resampled(one, steps) for one in sequences])


def _resampled(series: Series, steps: int) -> Series:
    if len(series) == steps:
        return series
    place = np.linspace(0, len(series) - 1, steps)
    left = np.minimum(place.astype(np.int64), max(0, len(series) - 2))
    right = np.minimum(left + 1, len(series) - 1)
    share = (place - left).astype(np.float32)[:, None]
    mixed: Series = series[left] * (1 - share) + series[right] * share
    return mixed


def straight_distances(queries: NDArray[np.float32], others: NDArray[np.float32]) -> NDArray[np.float64]:
    """(Q, N) squared Euclidean distances of (Q, T, I) and (N, T, I)."""
    q, o = (part.reshape(len(part), -1).astype(np.float64) for part in (queries, others))
    distances: NDArray[np.float64] = (q**2).sum(1)[:, None] - 2 * q @ o.T + (o**2).sum(1)
    return distances


def warped_distances(
    queries: NDArray[np.float32],  # (Q, T, I)
    others: NDArray[np.float32],  # (N, T, I)
    band: float = BAND,
) -> NDArray[np.float64]:
    """(Q, N) the cost of dynamic time warping of squared distances within a band, one antidiagonal at a time."""
    pairs = np.stack(np.meshgrid(np.arange(len(queries)), np.arange(len(others)), indexing="ij"), -1).reshape(-1, 2)
    reach = max(1, round(band * queries.shape[1]))
    found = [
        _warped(queries[some[:, 0]], others[some[:, 1]], reach)
        for some in np.array_split(pairs, max(1, len(pairs) // MOST_PAIRS))
    ]
    return np.concatenate(found).reshape(len(queries), len(others))


def _warped(one: NDArray[np.float32], other: NDArray[np.float32], reach: int) -> NDArray[np.float64]:
    """(P,) for pairs (P, T, I): cell (i, j) of the table lies on diagonal i + j, and its column is i + 1."""
    steps = one.shape[1]
    one, other = one.transpose(1, 0, 2).copy(), other.transpose(1, 0, 2).copy()
    before, last, now = (np.full((steps + 1, one.shape[1]), np.inf, np.float32) for _ in range(3))
    before[0] = 0.0
    for diagonal in range(2 * steps - 1):
        low = max(0, diagonal - steps + 1, -(-(diagonal - reach) // 2))
        high = min(steps, diagonal + 1, (diagonal + reach) // 2 + 1)
        now[:] = np.inf
        if low < high:
            i = np.arange(low, high)
            cost = ((one[i] - other[diagonal - i]) ** 2).sum(-1)
            least = np.minimum(np.minimum(last[low:high], last[low + 1 : high + 1]), before[low:high])
            now[low + 1 : high + 1] = cost + least
        before, last, now = last, now, before
    return last[steps].astype(np.float64)


def nearest_accuracy(
    distances: NDArray[np.float64],  # (Q, N)
    truth: NDArray[np.int64],  # (Q,)
    labels: NDArray[np.int64],  # (N,)
) -> float:
    """The share of queries whose nearest neighbour has their class; an infinite distance is no neighbour."""
    return float((labels[distances.argmin(axis=1)] == truth).mean())
