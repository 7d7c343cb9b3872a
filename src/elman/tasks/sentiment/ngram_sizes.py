"""What is counted of texts beside the network."""

from __future__ import annotations

from dataclasses import dataclass

WANTED = {"words": 2, "bpe": 2, "characters": 4}
"""Tokens of the longest n-gram, by what tokens are."""


@dataclass(frozen=True)
class NgramSizes:
    """What an `NgramCounts` is made with beside vocabulary and classes."""

    longest: int
    features: int
    sets: int
