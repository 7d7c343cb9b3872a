"""The folder that is sent to a hub: what a run needs, made anew, and nothing that tells of its author's computer."""

from __future__ import annotations

import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

from elman.atomic_io import naming_the_file, write_text
from elman.data.io.files import is_file
from elman.errors import UserError, optional_imports
from elman.hub.download import CHECKPOINT, SETTINGS, WEIGHTS
from elman.training.run_folder import RunFolder
from elman.training.settings import TrainingSettings
from elman.training.task import Task

METRICS = "metrics.csv"
MOST_PICTURES, LARGEST_PICTURE = 8, 4 << 20


def stage(run: RunFolder, task: Task[Any], folder: Path, *, checkpoint: bool) -> list[Path]:
    """Fill `folder` with a run's files; returns the pictures among them.

    The weights, what the task keeps, the settings, the table of the training and its pictures. The user's own files
    are named in the settings without their folders. Nothing else of the run's folder goes along.

    Raises:
        UserError: a file cannot be copied, or the checkpoint is asked for and is none.
    """
    task.save(folder)
    _copy(run.weights, folder / WEIGHTS)
    if checkpoint:
        if not run.has_checkpoint():
            raise UserError(f"{run.path} has no checkpoint; leave `checkpoint` out")
        _copy(run.checkpoint, folder / CHECKPOINT)
    if is_file(run.metrics):
        _copy(run.metrics, folder / METRICS)
    pictures = [path for path in sorted(run.path.glob("*.png")) if is_file(path)]
    pictures = [path for path in pictures if path.stat().st_size <= LARGEST_PICTURE][:MOST_PICTURES]
    for path in pictures:
        _copy(path, folder / path.name)
    with optional_imports():
        import tomli_w

    write_text(folder / SETTINGS, tomli_w.dumps(public_settings(task), multiline_strings=False))
    return [folder / path.name for path in pictures]


def public_settings(task: Task[Any]) -> dict[str, Any]:
    """The settings as they may be shown: the user's own files by their names alone."""
    settings: TrainingSettings = task.settings
    table: dict[str, Any] = {"task": task.name}
    own = settings.own_sources()
    for name, value in asdict(settings).items():
        if value is not None:
            table[name] = _names(value) if name in own else value
    return table


def _names(value: Any) -> Any:
    if isinstance(value, tuple | list):
        return [_names(one) for one in value]
    return Path(value).name if isinstance(value, str) else value


def _copy(path: Path, to: Path) -> None:
    with naming_the_file(to):
        shutil.copyfile(path, to)
