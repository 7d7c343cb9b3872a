"""What a classifier says of one sequence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from elman.errors import one_line_of
from elman.training.task import Prediction


@dataclass(frozen=True)
class ClassPrediction(Prediction):
    """The class of one sequence.

    Attributes:
        input: what the sequence is called.
        label: the most probable class.
        probability: of that class.
        probabilities: of each class, by its name.
    """

    input: str
    label: str
    probability: float
    probabilities: dict[str, float]

    @classmethod
    def of(cls, name: str, classes: Sequence[str], probabilities: Sequence[float]) -> ClassPrediction:
        """The prediction that these probabilities, one a class, make."""
        best = max(range(len(classes)), key=probabilities.__getitem__)
        return cls(name, classes[best], probabilities[best], dict(zip(classes, probabilities, strict=True)))

    def show(self) -> str:
        """Name, class and probability on one line."""
        return one_line_of(f"{self.input}  {self.label}  {self.probability:.1%}")


def aligned(predictions: Sequence[ClassPrediction]) -> str:
    """A line for each prediction, the classes one below the other."""
    names = [one_line_of(one.input) for one in predictions]
    width = max(map(len, names))
    rows = zip(names, predictions, strict=True)
    return "\n".join(f"{name:<{width}}  {one_line_of(one.label)}  {one.probability:.1%}" for name, one in rows)
