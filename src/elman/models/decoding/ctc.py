"""Connectionist temporal classification: symbols without an alignment (Graves et al. 2006). Symbol 0 is the blank.

T steps, V + 1 symbols with the blank.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple
from weakref import WeakValueDictionary

import torch.nn.functional as F
from torch import Tensor

BLANK = 0
CANDIDATES = 20
"""Symbols at a step that lengthen a prefix, at most."""
UNLIKELY = -14.0
"""The log-probability below which a symbol lengthens no prefix."""


class Emitted(NamedTuple):
    """A symbol and the step at which it was first heard."""

    symbol: int
    step: int


def ctc_loss(logits: Tensor, lengths: Tensor, targets: Tensor, target_lengths: Tensor) -> Tensor:
    """Summed negative log-likelihood in nats of all ways to emit the targets.

    Arguments:
        logits: (T, B, V + 1).
        lengths: (B,) steps of each.
        targets: all targets, one after the other.
        target_lengths: (B,).
    """
    scores = logits.float().log_softmax(-1)
    return F.ctc_loss(scores, targets, lengths, target_lengths, blank=BLANK, reduction="sum", zero_infinity=True)


def steps_needed(symbols: list[int]) -> int:
    """The least steps that can emit these symbols: one each, and a blank between two that are alike."""
    return len(symbols) + sum(first == second for first, second in pairwise(symbols))


class Greedy:
    """The best symbol of each step, repeats and blanks taken out; it goes on where the piece before ended."""

    def __init__(self) -> None:
        self._last = BLANK
        self._steps = 0
        self._emitted: list[Emitted] = []

    def push(self, scores: Tensor) -> list[Emitted]:
        """Take in the steps (T, V + 1) that follow; returns the symbols that they emit."""
        new = []
        for symbol in scores.argmax(-1).tolist():
            if symbol not in (BLANK, self._last):
                new.append(Emitted(symbol, self._steps))
            self._last = symbol
            self._steps += 1
        self._emitted += new
        return new

    def best(self) -> list[Emitted]:
        """All symbols so far."""
        return self._emitted


@dataclass(eq=False)
class _Prefix:
    """Symbols so far, as the last one and what stood before it, so that long ones share their beginnings.

    What lengthens it is forgotten when no prefix of the beam needs it, so that hours of sound fit.
    """

    symbol: int = BLANK
    step: int = 0
    before: _Prefix | None = None
    longer: WeakValueDictionary[int, _Prefix] = field(default_factory=WeakValueDictionary)

    def extended(self, symbol: int, step: int) -> _Prefix:
        found = self.longer.get(symbol)
        if found is None:
            found = self.longer[symbol] = _Prefix(symbol, step, self)
        return found


class PrefixBeam:
    """The likeliest symbols, over all their alignments (Graves 2012, section 7.5.3; Hannun et al. 2014, algorithm 1).

    For each prefix two probabilities are kept: of the alignments that end in a blank, and of those that do not.

    Arguments:
        width: how many prefixes are kept.
    """

    def __init__(self, width: int) -> None:
        self._width = width
        self._beam: dict[_Prefix, tuple[float, float]] = {_Prefix(): (0.0, -math.inf)}
        self._steps = 0

    def push(self, scores: Tensor) -> None:
        """Take in the log-probabilities (T, V + 1) of the steps that follow."""
        order = scores.topk(min(CANDIDATES, scores.shape[-1]), dim=-1).indices.tolist()
        for row, symbols in zip(scores.tolist(), order, strict=True):
            self._step(row, [symbol for symbol in symbols if symbol != BLANK and row[symbol] > UNLIKELY])
            self._steps += 1

    def _step(self, row: list[float], likely: list[int]) -> None:
        new: dict[_Prefix, tuple[float, float]] = {}
        for prefix, (in_blank, in_symbol) in self._beam.items():
            either = _log_add(in_blank, in_symbol)
            again = row[prefix.symbol] + in_symbol if prefix.before else -math.inf
            old = new.get(prefix)  # there is one where a shorter prefix was lengthened to this one
            new[prefix] = either + row[BLANK], again if old is None else _log_add(old[1], again)
            for symbol in likely:
                # After itself a symbol begins anew only where a blank stood between.
                score = row[symbol] + (in_blank if symbol == prefix.symbol else either)
                if score > -math.inf:
                    longer = prefix.extended(symbol, self._steps)
                    old = new.get(longer)
                    new[longer] = (-math.inf, score) if old is None else (old[0], _log_add(old[1], score))
        kept = sorted(new.items(), key=lambda entry: _log_add(*entry[1]), reverse=True)[: self._width]
        self._beam = dict(kept)

    def best(self) -> list[Emitted]:
        """The symbols of the likeliest prefix."""
        prefix: _Prefix | None = max(self._beam, key=lambda prefix: _log_add(*self._beam[prefix]))
        found = []
        while prefix is not None and prefix.before is not None:
            found.append(Emitted(prefix.symbol, prefix.step))
            prefix = prefix.before
        return found[::-1]


def _log_add(first: float, second: float) -> float:
    """log(exp(first) + exp(second))."""
    high, low = max(first, second), min(first, second)
    return high if low == -math.inf else high + math.log1p(math.exp(low - high))
