"""What `predict` is given, as a list of inputs of a kind that the task takes: paths, texts, arrays."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from elman.data.io.files import path_kind, without_stray
from elman.errors import UserError
from elman.training.task import Task


def inputs_of(inputs: Any, task: Task[Any]) -> list[Any]:
    """The inputs of `predict` as a list, each of a kind that the task takes.

    Raises:
        UserError: there are none, or one is of another kind: says which.
    """
    several = isinstance(inputs, list | tuple)
    given = list(inputs) if several else [inputs]
    if not given:
        raise UserError(f"nothing to predict; a {task.name} run takes {task.inputs}")
    if several and task.takes == "arrays" and all(isinstance(one, int | float) for one in given):
        given = [given]  # one series as a list of numbers
    for number, one in enumerate(given, 1):
        text = isinstance(one, str) or (isinstance(one, Path) and task.takes != "texts")
        array = task.takes == "arrays" and (hasattr(one, "__array__") or isinstance(one, list | tuple))
        if not (text or array):
            raise UserError(f"input {number} of {len(given)} is {named(one)}; a {task.name} run takes {task.inputs}")
        if task.takes != "texts" and isinstance(one, str) and not one:
            raise UserError(f"input {number} of {len(given)} is an empty word; a {task.name} run takes {task.inputs}")
        if task.takes == "texts":
            given[number - 1] = text_of(one, f"input {number} of {len(given)}")
    return [part for one in given for part in _with_folders(task.input_from(one), task)]


def text_of(given: str, what: str) -> str:
    """A text with the bytes in it that Python could not decode, as on a command line in an ASCII locale, read as UTF-8.

    Raises:
        UserError: they are no UTF-8 either.
    """
    try:
        return given.encode("utf-8", "surrogateescape").decode("utf-8")
    except UnicodeError as error:
        raise UserError(f"{what} is not UTF-8: {given[:40]!r}; convert it") from error


def _with_folders(one: Any, task: Task[Any]) -> list[Any]:
    """An input, or the files that are meant where it is a folder and the task's files have endings of their own."""
    if not (task.input_suffixes and isinstance(one, str | Path) and path_kind(Path(one)) == "folder"):
        return [one]
    found = [path for path in Path(one).rglob("*") if path.suffix.lower() in task.input_suffixes]
    files = [str(path) for path in without_stray(found)]
    if not files:
        raise UserError(f"{one} holds no files that end in {', '.join(task.input_suffixes)}; name another folder")
    return files


def named(value: Any) -> str:
    """A value and its type, for a message."""
    return f"{str(value)[:40]!r}, of type {type(value).__name__}"
