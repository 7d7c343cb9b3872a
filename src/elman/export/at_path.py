"""What lies at a path: a run, or a file that one was exported to."""

from __future__ import annotations

from pathlib import Path

from elman.data.io.files import path_kind
from elman.errors import UserError
from elman.export.onnx.file import is_export
from elman.training.run_folder import RunFolder


def holds_run(path: Path) -> bool:
    """Whether a run, or a file that one was exported to, is there."""
    return path_kind(path) == "file" if is_export(path) else RunFolder(path).exists()


def task_name_of(path: Path) -> str:
    """The name of the task of a run, or of a file that one was exported to.

    Raises:
        UserError: neither is there, or it is damaged.
    """
    if is_export(path):
        from elman.export.onnx.read import task_of_file

        return task_of_file(path)
    return RunFolder(path).read()[0]


def check_task(path: Path, task_name: str) -> None:
    """Raise a UserError if the run at `path` is of another task."""
    name = task_name_of(path)
    if name != task_name:
        raise UserError(f"{path} is a run of the task {name}, not {task_name}; name a run of the task {task_name}")
