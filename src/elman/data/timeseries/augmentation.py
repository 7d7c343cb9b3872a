"""Series made on the spot from one that was recorded: faster here and slower there, larger or smaller, with noise."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

PIECES = 4
"""A series is warped in so many pieces, each with a tempo of its own."""
TEMPO, SIZE, NOISE = 0.1, 0.1, 0.05
"""Standard deviations at strength 1: of log tempo, of log size, and of the noise, whose largest share is that."""


def vary(
    series: NDArray[np.float32],  # (T, I), scaled to a standard deviation of about 1
    strength: float,
    generator: np.random.Generator,
) -> NDArray[np.float32]:
    """(T, I) the same in another performance (window warping, scaling and jitter; Iwana and Uchida 2021, section 3)."""
    steps = len(series)
    if steps > 1:
        tempo = np.exp(generator.normal(0.0, TEMPO * strength, PIECES))
        knots = np.concatenate([[0.0], np.cumsum(tempo)]) * (steps - 1) / tempo.sum()
        place = np.interp(np.linspace(0, 1, steps), np.linspace(0, 1, PIECES + 1), knots)
        left = np.clip(place.astype(np.int64), 0, steps - 2)
        share = (place - left).astype(np.float32)[:, None]
        series = series[left] * (1 - share) + series[left + 1] * share
    size = np.float32(np.exp(generator.normal(0.0, SIZE * strength)))
    noise = generator.standard_normal(series.shape, dtype=np.float32)
    varied: NDArray[np.float32] = series * size + noise * np.float32(NOISE * strength * generator.uniform())
    return varied
