"""What a text classifier says of one text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from elman.plotting.running_prediction import RunningPrediction, show_running_prediction
from elman.tasks.classification.prediction import ClassPrediction


@dataclass(frozen=True)
class TextPrediction(ClassPrediction):
    """The class of one text, and how the prediction came about.

    Attributes:
        opinion: the prediction after each token; empty where it was not asked for.
    """

    opinion: tuple[RunningPrediction, ...] = ()

    def show(self) -> str:
        """Class, probability, and the tokens in the colour of the prediction after each."""
        return show_running_prediction(
            self.label, self.probability, self.input, self.opinion, tuple(self.probabilities)
        )


def running(
    tokens: Sequence[str], classes: Sequence[str], probabilities: Sequence[Sequence[float]]
) -> tuple[RunningPrediction, ...]:
    """The most probable class after each token."""
    found = []
    for token, shares in zip(tokens, probabilities, strict=True):
        best = max(range(len(classes)), key=shares.__getitem__)
        found.append(RunningPrediction(token, classes[best], shares[best]))
    return tuple(found)
