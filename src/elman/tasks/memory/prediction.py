"""What a network answers to one sequence of a problem of memory."""

from __future__ import annotations

from dataclasses import dataclass

from elman.errors import one_line_of
from elman.training.task import Prediction


@dataclass(frozen=True)
class ParityPrediction(Prediction):
    """YES or NO, and how probable that answer is."""

    input: str
    answer: str
    probability: float

    def show(self) -> str:
        """The string and the answer."""
        return one_line_of(f"{self.input}  {self.answer}")


@dataclass(frozen=True)
class SumPrediction(Prediction):
    """The sum that the network gives, and the right one."""

    input: str
    answer: float
    sum: float

    def show(self) -> str:
        """The numbers and the network's sum."""
        return one_line_of(f"{self.input}  {self.answer:.3f}")


@dataclass(frozen=True)
class CopyPrediction(Prediction):
    """The symbols that the network writes after the silence; "-" for a blank."""

    input: str
    answer: str

    def show(self) -> str:
        """The symbols to copy and the copy."""
        return one_line_of(f"{self.input}  {self.answer}")
