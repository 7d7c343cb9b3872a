"""What is counted of texts beside the network."""

from __future__ import annotations

from dataclasses import dataclass

WANTED = {"words": 2, "bpe": 2, "characters": 4}
"""Tokens of the longest n-gram, by what tokens are."""
MOST_TOKENS = 20_000
"""Of a text, the last ones, that are counted."""


@dataclass(frozen=True)
class NgramSizes:
    """What an `NgramCounts` is made with beside vocabulary and classes."""

    longest: int
    features: int
    sets: int
