"""How a token is drawn from logits, and how a text with an end is written: greedy, drawn, or by a beam.

The same numbers as `elman.kernels.decoder` and `elman.models.decoding.beam_search`. V vocabulary, K the beam.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from elman.errors import UserError
from elman.runtime.recurrent import State, log_softmax
from elman.runtime.tensors import Floats

CANDIDATES = 2
"""Continuations considered for each place of the beam."""
TINY = float(np.finfo(np.float32).tiny)
"""A lower temperature is greedy, as 0 is: float32 does not hold it."""
_WORD = (1 << 64) - 1
Step = Callable[[list[int], State], tuple[Floats, State]]
"""Reads tokens (N,) with the state (L, N, H) of N texts, and gives logits (N, V) of what follows, and the new state."""


def check_sampling(temperature: float, top_k: int = 0, top_p: float = 1.0) -> None:
    """Raise a UserError unless these say how a token is drawn."""
    if not (math.isfinite(temperature) and temperature >= 0):
        raise UserError(f"`temperature` is {temperature}; it must be 0 (greedy) or more")
    if top_k < 0:
        raise UserError(f"`top_k` is {top_k}; it must be 0 (all tokens) or more")
    if not 0 < top_p <= 1:
        raise UserError(f"`top_p` is {top_p}; it must be above 0 and at most 1")


def uniform(seed: int, draw: int) -> float:
    """Draw number `draw` of a seed, in [0, 1): SplitMix64 as a counter (Steele, Lea and Flood 2014)."""
    return float(_mix(_mix(seed & _WORD) + (draw + 1) * 0x9E3779B97F4A7C15 & _WORD) >> 11) * 2.0**-53


def _mix(z: int) -> int:
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 & _WORD
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB & _WORD
    return z ^ (z >> 31)


@np.errstate(over="ignore")
def choose(logits: Floats, temperature: float, top_k: int, top_p: float, chance: float) -> int:
    """One token from logits (V,): temperature (0 is greedy), then top-k (0 is all), then top-p (1 is all)."""
    if temperature < TINY:
        return int(logits.argmax())
    p = np.exp((logits - logits.max()) / np.float32(temperature)).astype(np.float64)
    if 0 < top_k < len(logits):
        p[logits < np.partition(logits, -top_k)[-top_k]] = 0
    if top_p < 1:
        order = np.argsort(-p, kind="stable")
        ordered = p[order]
        p[order[np.cumsum(ordered) - ordered >= top_p * p.sum()]] = 0
    return int((p.cumsum() > chance * p.sum()).argmax())


class Hypothesis(NamedTuple):
    """A text that was written: its tokens without the marks, its log-probability, and whether it ended."""

    tokens: tuple[int, ...]
    log_probability: float
    ended: bool

    def score(self, penalty: float) -> float:
        """What a beam compares: log p / length^penalty."""
        return float(self.log_probability / max(len(self.tokens) + self.ended, 1) ** penalty)


def write_one(
    step: Step, state: State, begin: int, end: int, banned: Sequence[int], longest: int,
    temperature: float, top_k: int, draws: Callable[[int], float],
) -> Hypothesis:  # fmt: skip
    """Write one text token after token, greedily or drawn; `draws` gives the chance of each token by its number."""
    token, tokens, total = begin, list[int](), 0.0
    for number in range(longest):
        logits, state = step([token], state)
        logits[:, list(banned)] = -np.inf
        token = choose(logits[0], temperature, top_k, 1.0, draws(number) if temperature else 0.0)
        total += float(log_softmax(logits[0])[token])
        if token == end:
            return Hypothesis(tuple(tokens), total, True)
        tokens.append(token)
    return Hypothesis(tuple(tokens), total, False)


def search(
    step: Step, state: State, begin: int, end: int, banned: Sequence[int], longest: int, K: int, penalty: float
) -> Hypothesis:
    """The best text by a beam of K."""
    live: list[tuple[tuple[int, ...], float]] = [((), 0.0)]
    last, done = [begin], list[Hypothesis]()
    for _ in range(longest):
        logits, state = step(last, state)
        logits[:, list(banned)] = -np.inf
        ranked = _best(log_softmax(logits), [total for _, total in live], CANDIDATES * K)
        for total, row, token in ranked[:K]:
            if token == end and total > -math.inf:
                done.append(Hypothesis(live[row][0], total, True))
        going = [one for one in ranked if one[2] != end]
        done = sorted(done, key=lambda one: one.score(penalty), reverse=True)[:K]
        length = len(live[0][0]) + 1
        hope = max((total for total, _, _ in going), default=-math.inf) / length**penalty
        going = going[:K]
        if len(done) == K and done[-1].score(penalty) >= hope:
            return done[0]
        live = [((*live[row][0], token), total) for total, row, token in going]
        last, rows = [token for _, _, token in going], [row for _, row, _ in going]
        state = tuple(part[:, rows] for part in state)
    cut = [Hypothesis(tokens, total, False) for tokens, total in live if total > -math.inf] if len(done) < K else []
    return max([*done, *cut], key=lambda one: (one.ended, one.score(penalty)))


def _best(steps: Floats, totals: Sequence[float], count: int) -> list[tuple[float, int, int]]:
    """The `count` best continuations of all texts: total, text and token."""
    few = min(count, steps.shape[1])
    found = []
    for row, (scores, total) in enumerate(zip(steps, totals, strict=True)):
        for token in np.argpartition(-scores, few - 1)[:few].tolist():
            found.append((total + float(scores[token]), row, token))
    found.sort(key=lambda one: -one[0])
    return found[: min(count, len(steps) * few)]
