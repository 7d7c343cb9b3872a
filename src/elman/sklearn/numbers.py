"""Single numbers that estimators are given."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from elman.errors import UserError


def whole_number(value: Any, name: str, least: int = 1) -> int:
    """A whole number as an int.

    Raises:
        UserError: it is none (2.5, 2.0, "2", True), or below `least`.
    """
    try:
        number = None if isinstance(value, bool | np.bool_) else operator.index(value)
    except TypeError:
        number = None
    if number is None or number < least:
        raise UserError(f"`{name}` is {plain(value)!r}; give a whole number, at least {least}")
    return number


def plain(value: Any) -> Any:
    """numpy's number, whose `repr` names its type, as Python's."""
    return value.item() if isinstance(value, np.generic) else value
