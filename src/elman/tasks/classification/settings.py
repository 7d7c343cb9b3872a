"""What a task that gives a sequence one class can be told."""

# Annotations here are evaluated: the command line reads them from classes that inherit in other modules.

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from elman.errors import UserError
from elman.models.config import Readout
from elman.training.checks.ranges import MOST_UNITS, PART, Range, Ranges
from elman.training.recurrent_settings import RecurrentSettings


@dataclass(frozen=True, kw_only=True)
class ClassifierSettings(RecurrentSettings):
    """Training settings, the shape of the recurrent part, and how its states become an answer."""

    readout: Readout = "last"
    """What is read of the states: the last one, or the mean, sum, maximum, mean and maximum side by side, or
    attention-weighted mean of all."""
    bidirectional: bool = False
    """Also read from the end to the beginning."""
    small_init: bool = False
    """Begin with small input weights and no biases, so that tanh hardly bends and an orthogonal matrix forgets
    nothing; the output layer learns 50 times as fast. For very long sequences."""
    head: int = 0
    """Units of a relu layer between what is read of the states and the output layer; 0 for none."""
    fixed: bool = False
    """Train only what reads the states and leave the rest as it begins (Jaeger 2001): quick, and with `init`
    orthogonal `small_init` `head` a memory for very long sequences."""
    validation_share: float = 0.1
    """Share of every class held out to choose the best weights, where the data come without a validation part."""
    best_by: Literal["accuracy", "loss"] = "accuracy"
    """The validation figure that decides which weights are best."""

    RANGES: ClassVar[Ranges] = {"head": Range(0, MOST_UNITS), "validation_share": PART}
    """What each number may be."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.small_init and self.cell != "rnn":
            raise UserError(f"`small_init` is for `cell=rnn`, not {self.cell}; leave one of the two out")

    @property
    def answering(self) -> dict[str, Any]:
        """How the classifier is to make an answer of its states."""
        names = ("readout", "dropout", "small_init", "head", "fixed")
        return {name: getattr(self, name) for name in names}


@dataclass(frozen=True, kw_only=True)
class EnsembleSettings(ClassifierSettings):
    """The same for several classifiers at once, whose number follows from the data where it is left open."""

    members: int = 0
    """Networks trained at once, each from a seed of its own, whose probabilities are averaged; 0: by the data."""
    folds: int = -1
    """Cross-validation: the training data are cut into so many folds, network k never sees fold k, and the validation
    figures are of the examples that a network never saw; 0 holds out a part for all; -1: by the data."""

    RANGES: ClassVar[Ranges] = {"members": Range(1, 1000), "folds": Range(0, 10000)}
    """What each number may be."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.folds == 1:
            raise UserError("`folds` is 1; cross-validation takes at least 2, and 0 holds out a part instead")
        if self.members == 1 and self.folds > 0:
            raise UserError("`folds` is for several networks, and `members` is 1; leave one of the two out")
