"""Counted n-grams beside a classifier of tokens, see `elman.models.classification.ngrams`.

T tokens, B texts, F n-grams, C classes, V tokens of the vocabulary, K networks; S linear layers, 1 or K.
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from elman.errors import UserError
from elman.runtime.classifier import Classifier, Ensemble, mean_scores
from elman.runtime.files import COPY, read_json
from elman.runtime.recurrent import Lengths, Weights, log_softmax
from elman.runtime.tensors import Array, Floats, Integers

MOST_TOKENS = 20_000
"""Of a text, the last ones, that are counted at most."""
PREFIXES_AT_ONCE = 16
LARGEST_CODE = (1 << 63) - 1
SIZES = ("longest", "features", "sets")


def read_sizes(path: Path) -> tuple[int, int, int]:
    """Tokens of the longest n-gram, F and S, from a run's `ngrams.json`.

    Raises:
        UserError: the file is missing or damaged.
    """
    table = read_json(path, "numbers of n-grams")
    found: list[Any] = [table.get(name) if isinstance(table, dict) else None for name in SIZES]
    if not all(type(one) is int and 1 <= one <= 1 << 40 for one in found):
        raise UserError(f"{path} is damaged: {', '.join(SIZES)} are no whole numbers above 0; {COPY}")
    longest, features, sets = found
    return longest, features, sets


class NgramCounts:
    """Scores of classes by the n-grams of a text: (1 + log count) times idf, of length 1, and a linear layer.

    Arguments:
        sizes: as `read_sizes` gives them.
        vocabulary: V.

    Raises:
        UserError: the weights do not fit the sizes, or the numbers of the n-grams are none.
    """

    def __init__(self, weights: Weights, sizes: tuple[int, int, int], vocabulary: int, classes: int) -> None:
        self.base = vocabulary + 2
        self.longest, F, S = sizes
        if self.longest > 63 or self.base**self.longest > LARGEST_CODE:
            raise weights.unfit(f"n-grams of {self.longest} of {vocabulary:,} tokens have no numbers of 64 bits")
        self.codes = weights.take_whole("counts.codes", F)  # rising
        self.idf = weights.take("counts.idf", F)
        self.weight = weights.take("counts.weight", S, F, classes)
        self.bias = weights.take("counts.bias", S, classes)
        if self.codes[0] < 0 or self.codes[-1] >= self.base**self.longest or not (np.diff(self.codes) > 0).all():
            raise UserError(f"{weights.path} is damaged: counts.codes are no rising numbers of n-grams; {COPY}")

    def __call__(self, x: Array, lengths: Lengths) -> Floats:
        """Scores (S, B, C) of texts x (T, B) of so many tokens (B,)."""
        row, place, value = self.weighed(x, lengths)
        scores = np.repeat(self.bias[:, None], x.shape[1], axis=1)
        ends = np.searchsorted(row, np.arange(x.shape[1] + 1)).tolist()
        for text, (begin, end) in enumerate(pairwise(ends)):
            scores[:, text] += value[begin:end] @ self.weight[:, place[begin:end]]
        return scores

    def weighed(self, x: Array, lengths: Lengths) -> tuple[Integers, Integers, Floats]:
        """The n-grams of texts that are known: text, which rises, number from 0 to F - 1, and weight of each."""
        row, code = ngram_codes(x, lengths, self.longest, self.base)
        F = len(self.codes)
        place = np.minimum(self.codes.searchsorted(code), F - 1)
        known = self.codes[place] == code
        found, count = np.unique(row[known] * F + place[known], return_counts=True)
        row, place = found // F, found % F
        value: Floats = (1 + np.log(count, dtype=np.float32)) * self.idf[place]
        size = np.sqrt(np.bincount(row, value * value, x.shape[1])).astype(np.float32)
        value /= np.maximum(size[row], np.float32(1e-12))
        return row, place, value


def ngram_codes(x: Array, lengths: Lengths, longest: int, base: int) -> tuple[Integers, Integers]:
    """Every n-gram of texts: which text it stands in, and its number in the system of this base.

    Arguments:
        x: (T, B) tokens from 0 to base - 3.
        lengths: (B,).
    """
    steps, texts = x.shape
    tokens = np.full((steps + 2, texts), base - 1, np.int64)
    tokens[1:-1] = x + 1
    place, column = np.arange(steps + 2)[:, None], np.arange(texts)
    tokens[place > lengths] = base - 1
    rows, codes, code = [], [], tokens
    for n in range(1, min(longest, steps + 2) + 1):
        if n > 1:
            code = code[:-1] * base + tokens[n - 1 :]
        there = place[: len(code)] + n <= lengths + 2
        rows.append(np.broadcast_to(column, code.shape)[there])
        codes.append(code[there])
    return np.concatenate(rows), np.concatenate(codes)


class WithNgrams:
    """A classifier of tokens, or an ensemble, and counted n-grams: the scores of both, each times its weight, added.

    Arguments:
        most: tokens of a text that the network reads, the last ones; the counts are of all of them.

    Raises:
        UserError: as `NgramCounts`; or the counts are neither of one set nor of one for each network.
    """

    def __init__(self, weights: Weights, network: Classifier | Ensemble, counts: NgramCounts, most: int) -> None:
        members = network.members if isinstance(network, Ensemble) else [network]
        self.members = [one for one in members if isinstance(one, Classifier)]
        self.counts, self.most = counts, most
        self.shares = weights.take("shares", 2)
        if len(counts.bias) not in (1, len(self.members)):
            raise weights.unfit(f"counts of {len(counts.bias)} sets stand beside {len(self.members)} networks")

    def __call__(self, x: Array, lengths: Lengths) -> Floats:
        """Scores (B, C) of texts x (T, B) of so many tokens (B,)."""
        start = np.maximum(lengths - self.most, 0)
        recent = x
        if start.any():
            place = start + np.arange(min(self.most, len(x)))[:, None]
            recent = np.take_along_axis(x, np.minimum(place, len(x) - 1), axis=0)
        own = np.stack([member(recent, lengths - start) for member in self.members])
        return self.joined(own, self.counts(x, lengths))

    def joined(self, own: Floats, counted: Floats) -> Floats:
        """Scores (..., C) of both together, from (K, ..., C) and (S, ..., C)."""
        return mean_scores(self.shares[0] * log_softmax(own) + self.shares[1] * log_softmax(counted))

    def prefix_scores(self, x: Array) -> Floats:
        """Scores after each prefix of one text (T,), as far back as the network reads: (T, C)."""
        before = max(0, len(x) - self.most)
        own = np.stack([member.prefix_scores(x[before:]) for member in self.members])
        counted = []
        for begin in range(before, len(x), PREFIXES_AT_ONCE):
            lengths = np.arange(begin + 1, min(begin + PREFIXES_AT_ONCE, len(x)) + 1)
            counted.append(self.counts(np.repeat(x[: lengths[-1], None], len(lengths), axis=1), lengths))
        return self.joined(own, np.concatenate(counted, axis=1))
