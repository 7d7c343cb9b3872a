"""Predictions of a few texts by `elman.runtime`: importing torch takes longer than judging a text."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from elman.errors import UserError
from elman.training.run_folder import RunFolder, settings_from
from elman.training.task import Prediction, Task

if TYPE_CHECKING:
    from elman.runtime import Model

MOST_TEXTS, MOST_CHARACTERS = 32, 2_000
"""More are read side by side, and on every core, by torch's way."""
CHOICES = ("ELMAN_BACKEND", "ELMAN_MACHINE", "ELMAN_ISA")
"""What the environment may choose of the kernels, and the runtime does not heed."""


def predict_without_torch(
    folder: Path, package: ModuleType, inputs: Sequence[str], options: Any
) -> tuple[Task[Any], list[Prediction]] | None:
    """The run's task and its predictions with the best weights, or None for what torch is needed for.

    Arguments:
        folder: the run's.
        package: its task's.
        inputs: texts, as they were given.
        options: the task's `Options`.

    Raises:
        UserError: an input that the task cannot read, in the words that `predict` has for it.
    """
    kind: type[Task[Any]] = package.Task
    own = kind.__module__.startswith("elman.tasks.")  # of another's the runtime knows nothing
    if not own or not _is_small(inputs) or not kind.suits_runtime(options, len(inputs)):
        return None
    loaded = load_without_torch(folder, package)
    if loaded is None:
        return None
    settings, model = loaded
    task, known = kind(settings, folder), model.options()
    given = {field.name: getattr(options, field.name) for field in fields(options) if field.name in known}
    return task, [task.from_runtime(record) for record in model.predict(list(inputs), **given)]


def _is_small(inputs: Sequence[str]) -> bool:
    return 0 < len(inputs) <= MOST_TEXTS and sum(map(len, inputs)) <= MOST_CHARACTERS


def load_without_torch(folder: Path, package: ModuleType) -> tuple[Any, Model] | None:
    """A run's settings, and the run with its best weights; None for what torch is needed for.

    That is: the runtime has no form of it or no native library, its files are damaged, or the environment chooses how
    the recurrence is computed.
    """
    if any(os.environ.get(name) for name in CHOICES):
        return None
    from elman.runtime.model import load
    from elman.runtime.native import find_library

    if find_library()[0] is None:
        return None
    run = RunFolder(folder)
    try:
        return settings_from(package.Settings, run.read()[1], run.settings), load(folder)
    except UserError:
        return None
