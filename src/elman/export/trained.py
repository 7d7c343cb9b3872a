"""What the formats are given, and what they say of what they wrote."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from torch import nn

from elman.training.run_folder import RunFolder
from elman.training.task import Task


class TrainedRun(Protocol):
    """A run as `elman.load` gives it: the task, its network in evaluation mode, and what the weights file says."""

    folder: RunFolder
    task: Task[Any]
    model: nn.Module
    header: dict[str, Any]


@dataclass(frozen=True)
class Exported:
    """A run that was written in another format.

    Attributes:
        path: the file.
        size: in bytes.
        precision: of the weights.
        difference: the largest one between the run's numbers and the file's on inputs that were drawn.
        measured: for a precision below float32 the run's metric on the validation part, by the name of who reached it.
    """

    path: Path
    size: int
    precision: str
    difference: float
    measured: Mapping[str, float] = field(default_factory=dict)


class Exporter(Protocol):
    """The function of a format: writes a run into a file, whole or not at all.

    Raises:
        UserError: a precision that the format does not have, or a part of the run that has no form in it.
    """

    def __call__(self, run: TrainedRun, out: Path | None, precision: str) -> Exported:
        """Write `run` into `out`, or into its own folder."""
