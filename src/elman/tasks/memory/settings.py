"""What the task `parity` and its siblings can be told: in training, and in prediction."""

# Annotations here are evaluated: the command line reads them.

from dataclasses import dataclass
from typing import ClassVar, Literal

from elman.errors import UserError
from elman.models.config import InitSetting
from elman.training.checks.ranges import SHARE, Range, Ranges
from elman.training.recurrent_settings import RecurrentSettings


@dataclass(frozen=True, kw_only=True)
class Settings(RecurrentSettings):
    """A network for a problem of memory and its training."""

    problem: Literal["parity", "adding", "copy"] = "parity"
    """Even or odd; the sum of two marked numbers; or ten symbols again after a silence."""
    max_length: int = 40
    """parity: longest string in training (lengths are drawn uniformly); adding: how many numbers; copy: the silence."""
    curriculum: float = 0.5
    """Share of the steps over which the length grows to `max_length`."""
    supervise: Literal["every", "last"] = "every"
    """parity: ask after every bit (each prefix is a string too), or only at the end."""
    hidden_size: int = 16
    """Hidden units of each layer."""
    init: InitSetting = "auto"
    """How the recurrent matrix begins; a number is its spectral radius; auto: orthogonal, for gated cells uniform."""
    fixed: bool = False
    """Leave all but the output layer as it begins (Jaeger 2001): an orthogonal matrix is a memory unlearned."""
    steps: int = 2000
    """Optimiser steps in all."""
    lr: float = 5e-3
    """Peak learning rate of AdamW."""
    weight_decay: float = 0.0
    """AdamW's decay of matrices; vectors are left alone."""

    RANGES: ClassVar[Ranges] = {"max_length": Range(2, 100_000), "curriculum": SHARE}
    """What each number may be."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.problem == "adding" and self.max_length < 4:
            raise UserError(f"`max_length` is {self.max_length}; `problem=adding` takes at least 4 numbers")


@dataclass(frozen=True, kw_only=True)
class Options:
    """There is nothing to choose."""
