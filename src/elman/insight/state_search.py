"""Where in a text the same units are on: the search of LSTMVis (Strobelt et al. 2018, section 5.2).

A range of tokens is chosen and a threshold. The units that are on throughout the range are looked for elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from elman.errors import UserError


@dataclass(frozen=True)
class Match:
    """A stretch of tokens, `begin` to before `end`, in which so many of the chosen units are on throughout.

    Attributes:
        shared: the units.
    """

    begin: int
    end: int
    shared: tuple[int, ...]


@dataclass(frozen=True)
class StateSearch:
    """What a search found.

    Attributes:
        units: those that are on throughout the chosen range.
        matches: stretches elsewhere, those with most of the units in common first, then the longest.
    """

    units: tuple[int, ...]
    matches: tuple[Match, ...]


def state_search(
    h: Tensor, begin: int, end: int, threshold: float = 0.3, *, only: bool = False, count: int = 20
) -> StateSearch:
    """Look for stretches in which the same units are on.

    Arguments:
        h: (T, H) hidden states along a text.
        begin, end: the range, `end` not in it.
        threshold: a unit is on where its state is at least so large in absolute value, with the sign that it has at
            `begin`.
        only: take units alone that are off right before and right after the range.
        count: stretches to give, at most.

    Raises:
        UserError: an empty range, or one outside of the text.
    """
    T = len(h)
    if not 0 <= begin < end <= T:
        raise UserError(f"the range is {begin} to {end}; it must lie within the {T} tokens and hold at least one")
    on = h * h[begin].sign() >= threshold  # (T, H)
    chosen = on[begin:end].all(0)
    if only:
        chosen &= ~on[begin - 1] if begin else torch.ones_like(chosen)
        chosen &= ~on[end] if end < T else torch.ones_like(chosen)
    units = chosen.nonzero()[:, 0].tolist()
    if not units:
        return StateSearch((), ())
    mine = on[:, units]  # (T, U)
    counts = mine.sum(1)
    counts[begin:end] = 0
    wanted = max(1, len(units) // 2)
    found = []
    for first, last in _stretches((counts >= wanted).tolist()):
        best = int(counts[first:last].max())
        for inner, outer in _stretches((counts[first:last] == best).tolist()):
            shared = mine[first + inner : first + outer].all(0).nonzero()[:, 0].tolist()
            if shared:
                found.append(Match(first + inner, first + outer, tuple(units[k] for k in shared)))
    found.sort(key=lambda match: (-len(match.shared), match.begin - match.end, match.begin))
    return StateSearch(tuple(units), tuple(found[:count]))


def _stretches(inside: list[bool]) -> list[tuple[int, int]]:
    """The longest runs of True, as begin and end."""
    found: list[tuple[int, int]] = []
    begin = None
    for place, one in enumerate([*inside, False]):
        if one and begin is None:
            begin = place
        elif not one and begin is not None:
            found.append((begin, place))
            begin = None
    return found
