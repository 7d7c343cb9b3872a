"""What a text classifier says of one text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from elman.plotting.running_prediction import RunningPrediction, plain_running_prediction, running_prediction
from elman.tasks.classification.prediction import ClassPrediction

if TYPE_CHECKING:
    from rich.text import Text


@dataclass(frozen=True)
class TextPrediction(ClassPrediction):
    """The class of one text, and how the prediction came about.

    Attributes:
        opinion: the prediction after each token; empty where it was not asked for.
    """

    opinion: tuple[RunningPrediction, ...] = ()

    def show(self) -> str:
        """Class and probability, and on a second line the text with the places where the prediction turns."""
        return plain_running_prediction(self.label, self.probability, self.input, self.opinion)

    def coloured(self) -> Text:
        """The same with the tokens in the colour of the prediction after each."""
        classes = tuple(self.probabilities)
        return running_prediction(self.label, self.probability, self.input, self.opinion, classes)


def running(
    tokens: Sequence[str], classes: Sequence[str], probabilities: Sequence[Sequence[float]]
) -> tuple[RunningPrediction, ...]:
    """The most probable class after each token."""
    found = []
    for token, shares in zip(tokens, probabilities, strict=True):
        best = max(range(len(classes)), key=shares.__getitem__)
        found.append(RunningPrediction(token, classes[best], shares[best]))
    return tuple(found)
