"""What a model says of one input: the fields of the predictions that `elman.load(run).predict` gives, and a text."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from elman.errors import one_line_of
from elman.runtime.records import Record


class Prediction(Record):
    """What a model says of one input; `str` is its text."""

    def to_json(self) -> dict[str, Any]:
        """The fields by name, as JSON has them: None for numbers that are not finite."""
        return {name: _plain(getattr(self, name)) for name in self._fields}


class ClassPrediction(Prediction):
    """The class of one sequence: the most probable one, its probability, and that of each class by name."""

    input: str
    label: str
    probability: float
    probabilities: dict[str, float]

    def __str__(self) -> str:
        return one_line_of(f"{self.input}  {self.label}  {self.probability:.1%}")


def class_prediction(name: str, classes: Sequence[str], shares: Sequence[float]) -> ClassPrediction:
    """The prediction that these probabilities, one a class, make."""
    return ClassPrediction(name, *best_of(classes, shares), dict(zip(classes, shares, strict=True)))


def best_of(classes: Sequence[str], probabilities: Sequence[float]) -> tuple[str, float]:
    """The most probable class, the first of several, and its probability."""
    best = max(range(len(classes)), key=probabilities.__getitem__)
    return classes[best], probabilities[best]


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Record):
        return {name: _plain(getattr(value, name)) for name in value._fields}
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, list | tuple) else value
