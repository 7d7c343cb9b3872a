"""Logistic regression on counted words beside a classifier of texts."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from elman.errors import MissingPackageError
from elman.tasks.classification.comparison import Baseline

if TYPE_CHECKING:
    from elman.tasks.classification.task import Examples

TIMED = 500
"""Texts that are counted to see how long all take."""
MOST_COUNTED = 20_000_000
"""Characters of all training texts together above which nothing is counted: it would take minutes."""
log = logging.getLogger("elman")


def counting_baselines(
    texts: Sequence[str],
    labels: NDArray[np.int64],
    judged: Examples,
    apart: NDArray[np.bool_],
    *,
    characters: bool,
) -> list[Baseline]:
    """Accuracy of tf-idf with logistic regression; none, with a line that says why, where it cannot be had.

    Arguments:
        texts, labels: the training texts.
        apart: (Q, N) whether a training text must not be learned from for the answer to one that is judged.
    """
    from elman.metrics.bag_of_words import tfidf_predictions

    given = np.zeros(len(judged), dtype=np.int64)
    try:
        for group in np.unique(apart, axis=0):  # one for each fold
            asked = np.flatnonzero((apart == group).all(axis=1))
            learned = np.flatnonzero(~group)
            known, others = [texts[i] for i in learned.tolist()], [judged.names[i] for i in asked.tolist()]
            given[asked] = tfidf_predictions(known, labels[learned], others, characters=characters)
    except MissingPackageError as error:
        log.info("no simple method beside the network: %s", error)
        return []
    return [Baseline("tf-idf with logistic regression", float((given == judged.labels).mean()))]


def counting_takes(texts: Sequence[str], labels: NDArray[np.int64], *, characters: bool) -> float:
    """Seconds that `counting_baselines` takes for one fold, as some texts say; 0 where it cannot be had."""
    from elman.metrics.bag_of_words import tfidf_predictions

    chosen = np.unique(np.linspace(0, len(texts) - 1, min(len(texts), TIMED)).round().astype(np.int64))
    if len(np.unique(labels[chosen])) < 2:
        return 0.0
    some = [texts[i] for i in chosen.tolist()]
    start = 0.0
    try:
        for _ in range(2):  # the first one imports
            start = time.perf_counter()
            tfidf_predictions(some, labels[chosen], some[:1], characters=characters)
    except MissingPackageError:
        return 0.0
    return (time.perf_counter() - start) * len(texts) / len(some)
