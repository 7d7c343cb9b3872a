"""An exported file as a run: the task from its metadata, the graph in the place of the network."""

from __future__ import annotations

import tempfile
from functools import lru_cache
from pathlib import Path
from typing import Any

from torch import nn

from elman.atomic_io import write_text
from elman.data.io.files import path_kind
from elman.export.onnx.file import Facts, read_checked
from elman.export.onnx.running.in_place import in_place
from elman.export.onnx.running.session import Session
from elman.tasks import task_module
from elman.training.compatibility import current_settings
from elman.training.run_folder import settings_from
from elman.training.task import Task


def task_of_file(path: Path) -> str:
    """The name of the task of an exported file.

    Raises:
        UserError: as `read_onnx`.
    """
    return _open(path)[1].task


def read_onnx(path: Path) -> tuple[Task[Any], nn.Module, dict[str, Any]]:
    """The task of an exported file, its graph as a network, and what the weights file said.

    Raises:
        UserError: elman did not export it, it has changed since, or it is of another version.
    """
    session, facts = _open(path)
    task = task_of(facts, path)
    return task, in_place(session, task, facts, path), facts.header


def task_of(facts: Facts, path: Path) -> Task[Any]:
    """The task that a file's metadata describe.

    Raises:
        UserError: its settings or what it keeps are not those of such a task.
    """
    module = task_module(facts.task)
    table = {name: tuple(value) if isinstance(value, list) else value for name, value in facts.settings.items()}
    settings = settings_from(module.Settings, current_settings(table), path)
    with tempfile.TemporaryDirectory() as place:
        for name, text in facts.files.items():
            write_text(Path(place) / name, text)
        task: Task[Any] = module.Task.load(Path(place), settings)
    task.folder = path
    return task


def _open(path: Path) -> tuple[Session, Facts]:
    changed = path.stat().st_mtime_ns if path_kind(path) == "file" else 0
    return _opened(path, changed)


@lru_cache(maxsize=1)
def _opened(path: Path, changed: int) -> tuple[Session, Facts]:
    """A file as it was when it last changed: the command line asks for its task first, and then for all of it."""
    session = Session(read_checked(path), str(path))
    return session, Facts.read(session.metadata, path)
