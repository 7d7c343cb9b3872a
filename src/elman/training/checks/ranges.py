"""What each setting may be, said once beside its class and checked in one place: its type, and for numbers a range."""

from __future__ import annotations

import typing
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from elman.errors import UserError, optional_imports

MOST_STEPS = 10**12
"""Of training, or between two looks at it."""
MOST_UNITS = 1 << 17
"""Of one layer, or numbers of one vector: the square of more fits no memory."""
MOST_TOKENS = 10**7
"""Tokens or steps of one sequence."""
LARGEST = 2.0**53
"""In size, of a number whose class says nothing of it: more is no whole number of floating point."""


@dataclass(frozen=True)
class Range:
    """From `least` to `most`; `above` and `below` leave the ends themselves out; `note` says what `least` means."""

    least: float
    most: float
    above: bool = False
    below: bool = False
    note: str = ""

    def __contains__(self, value: float) -> bool:
        low = value > self.least if self.above else value >= self.least
        return low and (value < self.most if self.below else value <= self.most)

    def describe(self, value: float) -> str:
        """What a value must be: the end that matters to it, or both where there is no room between them."""
        low = f"{'above' if self.above else 'at least'} {self.least:g}" + (f" ({self.note})" if self.note else "")
        high = f"{'below' if self.below else 'at most'} {self.most:,g}"
        if self.most <= 1:
            return f"{low} and {high}"
        return high if value > self.least else low


SHARE = Range(0, 1, below=True)
"""At least 0 and below 1."""
PART = Range(0, 1, above=True, below=True)
"""Above 0 and below 1."""
STEPS = Range(1, MOST_STEPS)
UNITS = Range(1, MOST_UNITS)
TOKENS = Range(1, MOST_TOKENS)
BEAM = Range(1, 1000)
SEED = Range(0, 2**63 - 1)
LENGTH_PENALTY = Range(0, 100)
TEMPERATURE = Range(0, 1e6)
TOP_K = Range(0, MOST_TOKENS)
Ranges = Mapping[str, Range]


def check_fields(settings: Any) -> None:
    """Check every field of a frozen dataclass of settings: its type, and for numbers that they are finite and in range.

    The class, and each of its bases, may have `RANGES`, a range for each of its numbers by name; the nearest counts.
    A number of `by_data` may also be the one that leaves it to the data. A list, or a text alone, is taken for a tuple,
    a path for its text, numpy's numbers for Python's.

    Raises:
        UserError: names the setting, its value and what it must be.
    """
    with optional_imports():
        import msgspec

    hints, ranges = typing.get_type_hints(type(settings)), ranges_of(type(settings))
    by_data = getattr(settings, "by_data", {})
    for field in fields(settings):
        given = getattr(settings, field.name)
        value = _plain(given, hints[field.name])
        try:
            value = msgspec.convert(value, hints[field.name], strict=True)
        except (msgspec.ValidationError, OverflowError) as error:
            raise UserError(f"`{field.name}` is {_shown(given)}; it must be {_words(hints[field.name])}") from error
        if isinstance(value, int | float) and not isinstance(value, bool):
            allowed = ranges.get(field.name, Range(-LARGEST, LARGEST))
            left_open = field.name in by_data and value == by_data[field.name]
            if value not in allowed and not left_open:  # nan is in none
                raise UserError(f"`{field.name}` is {_shown(value)}; it must be {allowed.describe(value)}")
        if value is not given:
            object.__setattr__(settings, field.name, value)


def ranges_of(kind: type[Any]) -> dict[str, Range]:
    """The ranges of a class and its bases."""
    found: dict[str, Range] = {}
    for base in reversed(kind.__mro__):
        found |= vars(base).get("RANGES", {})
    return found


def _plain(value: Any, hint: Any) -> Any:
    if isinstance(value, Path) and Path not in {hint, *typing.get_args(hint)}:
        value = str(value)
    if typing.get_origin(hint) is tuple and isinstance(value, str):
        return (value,)
    if isinstance(value, list):
        return tuple(map(str, value)) if all(isinstance(one, Path) for one in value) else tuple(value)
    return value.item() if hasattr(value, "item") and getattr(value, "ndim", 1) == 0 else value


def _shown(value: Any) -> str:
    try:
        return (repr(value) if isinstance(value, str) else str(value))[:60]
    except ValueError:
        return "a number of thousands of digits"


def _words(hint: Any) -> str:
    """A type as a person reads it: "a whole number", "one of tanh, relu"."""
    simple = {int: "a whole number", float: "a number", bool: "true or false", str: "a text", type(None): "nothing"}
    if hint in simple:
        return simple[hint]
    inner = typing.get_args(hint)
    if typing.get_origin(hint) is typing.Literal:
        return f"one of {', '.join(map(str, inner))}"
    if typing.get_origin(hint) is tuple:
        return f"a list, each {_words(inner[0])}"
    return " or ".join(_words(one) for one in inner)
