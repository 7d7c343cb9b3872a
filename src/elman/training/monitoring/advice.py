"""What a training says of itself: what was read before it begins, and what to try where it has blown up."""

from __future__ import annotations

from typing import Any

from elman.training.monitoring.gradient_monitor import remedies
from elman.training.run_folder import RunFolder
from elman.training.run_state import NotFiniteError
from elman.training.settings import TrainingSettings
from elman.training.task import Task


def what_was_read(task: Task[Any], *, described: bool = False) -> list[str]:
    """What a training begins with: its data in a line, unless that is said already, and what followed from them."""
    description = None if described else task.understood()
    return [description.brief(), *task.findings()] if description else [*task.findings()]


def what_to_try(error: NotFiniteError, settings: TrainingSettings, folder: RunFolder) -> str:
    """What mends a training that has blown up, and what is left of it."""
    if not error.updates:
        return (
            "no weight had changed by then, so the data or the first weights are the cause: look for values that are"
            " far larger than the others, and choose a smaller `init` if it is a number"
        )
    kept = "the last good checkpoint stays" if folder.checkpoint.exists() else "no checkpoint was saved before it"
    return f"{remedies(settings)['not finite']}; {kept}"
