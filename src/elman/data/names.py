"""Names that a run keeps as a JSON list: its classes, its symbols."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from elman.atomic_io import write_text
from elman.data.io.json_files import read_json
from elman.errors import UserError
from elman.runtime.files import has_control

MOST = 1_000_000
"""Names of one list; the output layer has a unit for each."""
LONGEST = 100_000
"""Characters of one name: a transcript that is a class may be a whole page."""


def save_names(path: Path, names: Sequence[str]) -> None:
    """Write a list of names that `read_names` reads.

    Raises:
        UserError: one of them is empty or has a control character: says which.
    """
    if wrong := _wrong(names):
        raise UserError(f"the names of classes or symbols of these data {wrong}; correct the data")
    write_text(path, json.dumps(list(names), ensure_ascii=False, indent=1) + "\n")


def read_names(path: Path) -> tuple[str, ...]:
    """A list of names from a JSON file.

    Raises:
        UserError: the file cannot be read, or holds no list, an empty name, a control character, or a name twice.
    """
    names = read_json(path, list[str], "list of names")
    if wrong := _wrong(names):
        raise UserError(f"{path} is damaged: its names {wrong}; restore it from a copy")
    return tuple(names)


def _wrong(names: Sequence[str]) -> str:
    """What is wrong with names; "" for nothing."""
    if not names:
        return "are none"
    if len(names) > MOST or any(len(name) > LONGEST for name in names):
        return "are too many, or one is too long"
    if len(set(names)) < len(names):
        return f"have {next(name for name in names if names.count(name) > 1)!r} twice"
    if "" in names:
        return "have an empty one"
    odd = [name for name in names if has_control(name)]
    return f"have {odd[0]!r}, which has a control character" if odd else ""
