"""What every training run can be told, checked when it is made."""

# Annotations here are evaluated: the command line reads them from classes that inherit in other modules.

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

from elman.atomic_io import write_text
from elman.errors import UserError
from elman.training.checks.ranges import SEED, SHARE, STEPS, Range, Ranges, check_fields

Schedule = Literal["cosine", "plateau", "constant"]


MOST_SEQUENCES = 1 << 24
"""In one step of the optimiser."""
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
    minutes: float = 0.0
    """Minutes from the start of the command to its last plot: they decide how many steps there are, and where the data
    leave it open how large the network is; 0 is no limit and leaves both as they are."""
    tune: bool = False
    """Look for better settings first, by short trainings compared on the validation part or by cross-validation; with
    `minutes` within them, else in up to five times as long as the training."""
    batch_size: int = 64
    """Sequences in one step, or in one micro-batch of it, over all processes together."""
    gradient_accumulation_steps: int = 1
    """Micro-batches in one step: their gradients are summed before the weights change, as of one batch that is so many
    times as large, in the memory of one."""
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

    RANGES: ClassVar[Ranges] = {
        **dict.fromkeys(("steps", "eval_every", "checkpoint_every", "log_every"), STEPS),
        "minutes": Range(0, 1e6, note="0 is no limit"),
        "batch_size": Range(1, MOST_SEQUENCES),
        "gradient_accumulation_steps": Range(1, MOST_SEQUENCES),
        "lr": Range(0, 1e38, above=True),
        "warmup": Range(0, STEPS.most),
        "lr_floor": Range(0, 1e6),
        "weight_decay": Range(0, 1e6),
        "beta2": SHARE,
        "clip_norm": Range(0, 1e30),
        "clip_value": Range(0, 1e30),
        "patience": Range(0, STEPS.most),
        "seed": SEED,
        "threads": Range(0, 4096),
        "watch": Range(0, STEPS.most),
    }
    """What each number may be; a task's settings have a table of their own for what they add."""

    def __post_init__(self) -> None:
        check_fields(self)
        if self.effective_batch_size > MOST_SEQUENCES:
            product = f"{self.batch_size} times `gradient_accumulation_steps={self.gradient_accumulation_steps}`"
            raise UserError(f"`batch_size` is {product}; together they must be at most {MOST_SEQUENCES:,}")

    @property
    def effective_batch_size(self) -> int:
        """Sequences in one step of the optimiser: a task's batch, of which `Task.batch` gives shares."""
        return self.batch_size * self.gradient_accumulation_steps

    def own_sources(self) -> tuple[str, ...]:
        """The settings that name files or folders of the user's own; a task with data says which, none by default."""
        return ()

    def left_open(self) -> frozenset[str]:
        """The settings that are still to be found from the data."""
        return frozenset(name for name, still_open in self.by_data.items() if getattr(self, name) == still_open)

    def to_be_found(self) -> frozenset[str]:
        """The settings that a training finds: those left open, and with `minutes` or `tune` all that nobody has set."""
        if not (self.minutes or self.tune):
            return self.left_open()
        standard = {field.name: field.default for field in fields(self)}
        return self.left_open() | {name for name, value in standard.items() if getattr(self, name) == value}

    def chosen(self, choices: Sequence[Choice]) -> Self:
        """These settings with the choices in their places, checked again."""
        return replace(self, **{choice.setting: choice.value for choice in choices})

    def filled_from(self, stored: dict[str, Any]) -> Self:
        """These settings with what is left open as a run's settings file has it."""
        known = {field.name for field in fields(self)}
        return replace(self, **{name: stored[name] for name in self.to_be_found() & stored.keys() & known})
