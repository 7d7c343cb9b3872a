"""The nearest neighbour beside a classifier of series, in a bounded time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from elman.tasks.classification.comparison import Baseline

if TYPE_CHECKING:
    from elman.tasks.classification.task import Examples

MOST_QUERIES, MOST_OTHERS = 200, 1_000
"""Examples that are judged, and training examples among which their neighbours are sought, at most."""


def neighbour_baselines(train: Examples, judged: Examples, apart: NDArray[np.bool_]) -> list[Baseline]:
    """Accuracy of the nearest neighbour on the examples that are judged.

    Where there are more than `MOST_QUERIES` or `MOST_OTHERS`, so many are taken, evenly spread; the name says so.

    Arguments:
        apart: (Q, N) whether a training example is no neighbour of one that is judged.
    """
    from elman.metrics.neighbours import LONGEST, nearest_accuracy, resampled, straight_distances, warped_distances

    rows, columns = _spread(len(judged), MOST_QUERIES), _spread(len(train), MOST_OTHERS)
    queries, others = [judged.sequences[i] for i in rows], [train.sequences[i] for i in columns]
    steps = int(np.median([len(one) for one in others]))
    short = min(steps, LONGEST)
    forbidden = np.where(apart[np.ix_(rows, columns)], np.inf, 0.0)
    sample = "" if len(rows) == len(judged) and len(columns) == len(train) else f" ({len(rows)} of them)"
    measured = {
        "nearest neighbour": straight_distances(resampled(queries, steps), resampled(others, steps)),
        "with warping": warped_distances(resampled(queries, short), resampled(others, short)),
    }
    truth, labels = judged.labels[rows], train.labels[columns]
    return [
        Baseline(name + sample, nearest_accuracy(distances + forbidden, truth, labels))
        for name, distances in measured.items()
    ]


def _spread(count: int, most: int) -> NDArray[np.int64]:
    """The numbers of `most` of `count` examples, evenly spread; of all where there are no more."""
    return np.unique(np.linspace(0, count - 1, min(count, most)).round().astype(np.int64))
