"""Tf-idf of words or characters, and logistic regression: what a classifier of texts has to beat. N texts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from elman.errors import optional_imports

STRENGTH = 10.0
"""The inverse of the regularisation."""


def tfidf_predictions(
    texts: Sequence[str], labels: NDArray[np.int64], others: Sequence[str], *, characters: bool = False
) -> NDArray[np.int64]:
    """(N,) the classes of `others` by logistic regression on `texts`.

    Arguments:
        labels: of `texts`.
        characters: count runs of one to four characters; otherwise words and pairs of words.
    """
    with optional_imports():
        from sklearn.feature_extraction.text import TfidfVectorizer
        from sklearn.linear_model import LogisticRegression

    unit = (
        {"analyzer": "char_wb", "ngram_range": (1, 4), "lowercase": False}
        if characters
        else {"ngram_range": (1, 2), "token_pattern": r"[\w']+|[^\w\s]"}
    )
    counts = TfidfVectorizer(sublinear_tf=True, **unit)
    model = LogisticRegression(C=STRENGTH, max_iter=300).fit(counts.fit_transform(texts), labels)
    found: NDArray[np.int64] = model.predict(counts.transform(others))
    return found
