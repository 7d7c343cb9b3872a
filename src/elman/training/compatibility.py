"""What version 0.1 called otherwise: its run folders load for ever."""

from __future__ import annotations

from typing import TypeVar

Value = TypeVar("Value")

SETTINGS = {"quiet": "small_init"}
"""Settings: the old name, and today's."""
VALUES: dict[str, tuple[tuple[object, object], ...]] = {"calibrate": ((True, "validation"), (False, "none"))}
"""Settings: old values, and today's."""
LATER = {"interval_spread": 1.0}
"""Weights that version 0.1 did not have, and what they were then."""
LISTS = frozenset({"time"})
"""Settings that took one text, and take several today."""
WEIGHTS = {"reads.": "source_embedding.", "writes.": "target_embedding.", "above.": "upper_decoder."}
"""Modules that hold weights: the beginning of the old name, and of today's."""


def current_settings(table: dict[str, Value]) -> dict[str, Value]:
    """Settings by today's names, with today's values."""
    current = {SETTINGS.get(name, name): value for name, value in table.items()}
    for name, values in VALUES.items():
        for old, new in values:
            if current.get(name) is old:
                current[name] = new  # type: ignore[assignment]
    for name in LISTS & current.keys():
        value = current[name]
        if isinstance(value, str):
            current[name] = [value] if value else []  # type: ignore[assignment]
    return current


def current_weights(tensors: dict[str, Value]) -> dict[str, Value]:
    """Weights by today's names."""
    return {_current(name): tensor for name, tensor in tensors.items()}


def _current(name: str) -> str:
    for old, new in WEIGHTS.items():
        if name.startswith(old):
            return new + name.removeprefix(old)
    return name
