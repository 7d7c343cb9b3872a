"""How large numbers may be that are learned: their squares must have a place in float64."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from elman.errors import UserError

LARGEST = 1e150
"""Numbers, at most: the squares of larger ones have no place in float64."""


def check_size(values: NDArray[np.float64], what: str, place: Callable[[tuple[int, ...]], str] | None = None) -> None:
    """Refuse numbers that are too large to compute with.

    Arguments:
        what: they are called.
        place: what an index of theirs is called, with what they are: `what[1, 2]` by default.

    Raises:
        UserError: one is larger than `LARGEST`; NaN is not looked at.
    """
    large = np.argwhere(np.abs(values) > LARGEST)
    if not len(large):
        return
    index = tuple(large[0].tolist())
    where = f"{what}[{', '.join(map(str, index))}]" if place is None else place(index)
    raise UserError(f"{where}: {values[index]:g} is too large to compute with; give numbers up to {LARGEST:g}")
