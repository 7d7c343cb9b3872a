"""The search for stretches in which the same units are on, on states made by hand."""

from __future__ import annotations

import pytest
import torch

from elman.errors import UserError
from elman.insight.state_search import Match, state_search


def states() -> torch.Tensor:
    """Unit 0 is on in 2..4 and 8..10, unit 1 (below zero) in 3..4 and 9..10, unit 2 always, unit 3 never."""
    h = torch.zeros(12, 4)
    h[2:5, 0] = h[8:11, 0] = 0.9
    h[3:5, 1] = h[9:11, 1] = -0.9
    h[:, 2] = 0.5
    return h


def test_the_same_units_elsewhere() -> None:
    found = state_search(states(), 3, 5)
    assert found.units == (0, 1, 2)
    assert found.matches[0] == Match(9, 11, (0, 1, 2))


def test_units_that_begin_and_end_with_the_range() -> None:
    found = state_search(states(), 3, 5, only=True)
    assert found.units == (1,)
    assert found.matches == (Match(9, 11, (1,)),)
    assert state_search(states(), 2, 5, only=True).units == (0,)


def test_a_threshold_that_no_unit_reaches() -> None:
    assert state_search(states(), 3, 5, 2.0).units == ()


@pytest.mark.parametrize(("begin", "end"), [(3, 3), (5, 3), (-1, 3), (3, 13)])
def test_ranges_outside_of_the_text(begin: int, end: int) -> None:
    with pytest.raises(UserError, match="it must lie within the 12 tokens"):
        state_search(states(), begin, end)
