"""The linear layer on counted n-grams, fitted by logistic regression. N texts, F n-grams, S sets of weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from elman.errors import optional_imports
from elman.models.classification.ngrams import NgramCounts, longest_ngram, ngram_codes
from elman.tasks.sentiment.ngram_sizes import WANTED

if TYPE_CHECKING:
    from torch import Tensor

MOST_WEIGHTS = 40_000_000
"""Numbers of all linear layers together."""
STRENGTH = 10.0
"""The inverse of the regularisation, as in `elman.metrics.bag_of_words`."""
_TOGETHER = 1 << 18


def known_ngrams(
    sequences: Sequence[NDArray[np.int64]], kind: str, vocabulary: int, most: int
) -> tuple[Tensor, Tensor]:
    """The numbers (F,) of the n-grams of training texts, and in how many texts each stands.

    Arguments:
        kind: what tokens are.
        most: F, at most; those that stand in most texts then.
    """
    longest = longest_ngram(vocabulary, WANTED[kind])
    found = []
    for sequence in sequences:
        x = torch.from_numpy(sequence).unsqueeze(1)
        found.append(torch.unique(ngram_codes(x, torch.tensor([len(x)]), longest, vocabulary + 2)[1]))
    codes, texts = torch.unique(torch.cat(found), return_counts=True)
    if len(codes) > most:
        kept = texts.argsort(descending=True, stable=True)[:most].sort()[0]
        codes, texts = codes[kept], texts[kept]
    return codes, texts


def fit_ngrams(
    counts: NgramCounts,
    codes: Tensor,
    texts: Tensor,
    sequences: Sequence[NDArray[np.int64]],
    labels: NDArray[np.int64],
    left_out: NDArray[np.bool_],
) -> None:
    """Fit the linear layers of `counts` by logistic regression, in place.

    Arguments:
        codes, texts: as `known_ngrams` gives them.
        left_out: (S, N) the training texts that each layer must not see.
    """
    with optional_imports():
        from scipy.sparse import csr_matrix
        from sklearn.linear_model import LogisticRegression

    counts.codes.copy_(codes)
    counts.idf.copy_(torch.log((1 + len(sequences)) / (1 + texts.double())) + 1)
    rows, places, values = _weighed(counts, sequences)
    table: Any = csr_matrix((values, (rows, places)), shape=(len(sequences), len(codes)))
    for number, away in enumerate(left_out):
        seen = np.flatnonzero(~away)
        fitted = LogisticRegression(C=STRENGTH, max_iter=300).fit(table[seen], labels[seen])
        weight, bias = torch.from_numpy(fitted.coef_), torch.from_numpy(fitted.intercept_)
        if len(fitted.classes_) == 2:  # one column for two classes
            weight, bias = torch.cat([-weight, weight]) / 2, torch.cat([-bias, bias]) / 2
        there = torch.from_numpy(fitted.classes_)
        counts.bias[number].fill_(-1e4)  # a class that no text shows
        counts.bias[number, there] = bias.float()
        counts.weight[number][:, there] = weight.T.float()


def _weighed(
    counts: NgramCounts, sequences: Sequence[NDArray[np.int64]]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]:
    """The n-grams of all texts as the cells of a sparse table."""
    from elman.data.batching import batches_by_length, lengths_of, pad_sequences

    lengths = lengths_of(sequences)
    parts: list[tuple[NDArray[Any], ...]] = []
    for chosen in batches_by_length(lengths, max(1, min(512, _TOGETHER // int(lengths.max())))):
        row, place, value = counts.weighed(*pad_sequences([sequences[index] for index in chosen]))
        parts.append((np.asarray(chosen)[row.numpy()], place.numpy(), value.numpy()))
    rows, places, values = (np.concatenate(column) for column in zip(*parts, strict=True))
    return rows, places, values
