"""What every training run can be told, checked when it is made."""

# Annotations here are evaluated: the command line reads them from classes that inherit in other modules.

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

from elman.atomic_io import write_text
from elman.errors import UserError

Schedule = Literal["cosine", "plateau", "constant"]


CHOICES = "choices.json"
"""The file of a run that says which settings followed from its data."""


@dataclass(frozen=True)
class Choice:
    """A setting that was left to the data: its value, and why it has this one."""

    setting: str
    value: Any
    reason: str


def write_choices(folder: Path, choices: Sequence[Choice]) -> None:
    """Write the choices into a run's folder, for people to read; nothing depends on the file."""
    table = [asdict(choice) for choice in choices]
    write_text(folder / CHOICES, json.dumps(table, ensure_ascii=False, indent=1) + "\n")


@dataclass(frozen=True, kw_only=True)
class TrainingSettings:
    """How a model is trained. Tasks inherit from this and add what is theirs."""

    by_data: ClassVar[Mapping[str, Any]] = {}
    """Settings that a task finds from its data, and the value that leaves each open: 0, "auto", None."""

    steps: int = 2000
    """Optimiser steps in all."""
    batch_size: int = 64
    """Sequences in one step, over all processes together."""
    lr: float = 2e-3
    """Peak learning rate of AdamW."""
    schedule: Schedule = "cosine"
    """After the warm-up: cosine to `lr_floor`, divided by 4 when validation stops improving, or constant."""
    warmup: int = 100
    """Steps over which the learning rate rises linearly to its peak."""
    lr_floor: float = 0.02
    """Where the cosine ends, as a share of the peak."""
    weight_decay: float = 0.01
    """AdamW's decay of matrices; vectors are left alone."""
    beta2: float = 0.99
    """AdamW's memory of squared gradients."""
    clip_norm: float = 1.0
    """Largest norm of the whole gradient; 0 does not clip."""
    clip_value: float = 0.0
    """Largest size of one gradient entry; 0 does not clip."""
    eval_every: int = 250
    """Steps between two looks at the validation part."""
    checkpoint_every: int = 250
    """Steps between two checkpoints to resume from."""
    log_every: int = 25
    """Steps between two rows of metrics.csv."""
    patience: int = 0
    """Stop after this many evaluations without a new best; 0 never stops early. The plateau schedule waits for 3."""
    seed: int = 1
    """Seed of initial weights, data order and dropout."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """bfloat16 computes the products in half the bits (autocast); weights stay float32."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where to train; auto takes a GPU if there is one."""
    threads: int = 0
    """Processor threads; 0 leaves the choice to torch."""
    watch: int = 0
    """Steps between two looks at the gradient flow (100, say): figures in metrics.csv, a warning if it vanishes or
    explodes; 0 never looks."""
    tensorboard: bool = False
    """Also write TensorBoard event files into the run folder."""

    def __post_init__(self) -> None:
        for name in ("steps", "batch_size", "eval_every", "checkpoint_every", "log_every"):
            at_least(self, name, 0 if name in self.by_data else 1)
        for name in (
            "warmup",
            "lr_floor",
            "weight_decay",
            "clip_norm",
            "clip_value",
            "patience",
            "threads",
            "watch",
            "seed",
        ):
            at_least(self, name, 0)
        if not (math.isfinite(self.lr) and self.lr > 0) and "lr" not in self.left_open():
            raise UserError(f"`lr` is {self.lr}; it must be a number above 0, 0.002 for instance")
        below_one(self, "beta2")
        at_most(self, "threads", 4096)
        at_most(self, "seed", 2**63 - 1)
        at_most(self, "batch_size", 1 << 24)

    def left_open(self) -> frozenset[str]:
        """The settings that are still to be found from the data."""
        return frozenset(name for name, still_open in self.by_data.items() if getattr(self, name) == still_open)

    def chosen(self, choices: Sequence[Choice]) -> Self:
        """These settings with the choices in their places, checked again."""
        return replace(self, **{choice.setting: choice.value for choice in choices})

    def filled_from(self, stored: dict[str, Any]) -> Self:
        """These settings with what is left open as a run's settings file has it."""
        known = {field.name for field in fields(self)}
        return replace(self, **{name: stored[name] for name in self.left_open() & stored.keys() & known})


def at_least(settings: Any, name: str, least: float) -> None:
    """Raise a UserError unless the setting `name` is a finite number >= `least`."""
    value = getattr(settings, name)
    if not (math.isfinite(value) and value >= least):
        raise UserError(f"`{name}` is {value}; it must be at least {least}")


def at_most(settings: Any, name: str, most: float) -> None:
    """Raise a UserError if the setting `name` is above `most`."""
    value = getattr(settings, name)
    if value > most:
        raise UserError(f"`{name}` is {value}; it must be at most {most}")


def below_one(settings: Any, *names: str) -> None:
    """Raise a UserError unless each named setting is a share: at least 0 and below 1."""
    for name in names:
        value = getattr(settings, name)
        if not 0 <= value < 1:
            raise UserError(f"`{name}` is {value}; it must be at least 0 and below 1")
