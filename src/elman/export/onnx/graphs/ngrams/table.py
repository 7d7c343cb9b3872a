"""Numbers of n-grams as a table that ONNX searches: F numbers lie in buckets by their remainder, at most L in each."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count, islice

import numpy as np
from numpy.typing import NDArray

from elman.export.onnx.graph import Graph, Value

IN_A_BUCKET = 4
"""How many numbers share a remainder, on average."""
TRIED = 8
"""Divisors of which the one with the least L is taken."""
PAST_END = -2


class NgramTable:
    """Where each of F numbers stands; a look-up compares L of them, whatever F is.

    Arguments:
        codes: (F,) different numbers from 0 up.

    Attributes:
        order: (F,) the numbers by their place in the table.
    """

    def __init__(self, codes: NDArray[np.int64]) -> None:
        divisors = list(islice(_primes(max(2, len(codes) // IN_A_BUCKET)), TRIED))
        self.divisor = min(divisors, key=lambda one: int(np.bincount(codes % one).max()))
        sizes = np.bincount(codes % self.divisor, minlength=self.divisor)
        self.order: NDArray[np.int64] = np.argsort(codes % self.divisor, kind="stable")
        self._begins = np.cumsum(sizes) - sizes
        self._candidates = np.arange(sizes.max())
        self._codes = np.concatenate([codes[self.order], np.full(sizes.max(), PAST_END)])

    def find(self, g: Graph, codes: Value) -> Value:
        """The place of each number (...) in the table; F where it is not there."""
        begin = g.op("Gather", self._begins, g.op("Mod", codes, self.divisor))
        places = g.op("Unsqueeze", begin, [-1]) + self._candidates  # (..., L)
        found = g.op("Equal", g.op("Gather", self._codes, places), g.op("Unsqueeze", codes, [-1]))
        return g.op("ReduceMin", g.op("Where", found, places, len(self.order)), [-1], keepdims=0)


def _primes(least: int) -> Iterator[int]:
    """Prime numbers from `least` up."""
    for number in count(least):
        if all(number % divisor for divisor in range(2, int(number**0.5) + 1)):
            yield number
