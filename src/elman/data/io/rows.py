"""One text with its label, and where it was read, so that every complaint can name the place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from elman.data.io.folders import known_part
from elman.errors import UserError


class Row(NamedTuple):
    """A text, its label, the file it came from, its line there (0: the whole file), and the part its table names.

    `part` is the name of the column of parts, and the cell; both empty where there is none.
    """

    text: str
    label: str
    path: Path
    line: int = 0
    part: tuple[str, str] = ("", "")

    @property
    def place(self) -> str:
        """File and line as a person looks for them."""
        return f"{self.path} line {self.line}" if self.line else str(self.path)


Parts = dict[str, list[Row]]
"""Rows by part: "train", and "validation" and "test" where they are given."""


def by_part(rows: Sequence[Row]) -> tuple[Parts, tuple[str, ...]]:
    """The rows of a table by the parts that one of its columns names, and a line that says so; else all for training.

    A column of parts that cannot be used is named in the line too.
    """
    column = next((row.part[0] for row in rows if row.part[0]), "")
    if not column:
        return {"train": list(rows)}, ()
    found: Parts = {}
    stranger = None
    for row in rows:
        part = known_part(row.part[1])
        if part is None:
            stranger = row.part[1], row.line
            break
        found.setdefault(part, []).append(row)
    sizes = {part: len(inside) for part, inside in found.items()}
    usable, note = part_note(rows[0].path, column, stranger, sizes)
    return found if usable else {"train": list(rows)}, (note,)


def part_note(path: Path, column: str, stranger: tuple[str, int] | None, sizes: Mapping[str, int]) -> tuple[bool, str]:
    """Whether a column of parts can be used, and the line that says so.

    Arguments:
        stranger: a cell that names no part, and its line; None where all do.
        sizes: how many rows each part has.
    """
    place = f"{path}, column {column!r}"
    if stranger is not None:
        why = f"{stranger[0][:40]!r} in line {stranger[1]} is no part such as train, validation or test"
        return False, f"{place} is not read as parts: {why}"
    if "train" not in sizes:
        return False, f"{place} is not read as parts: it names none for training"
    said = ", ".join(f"{part} {count:,}" for part, count in sizes.items())
    return True, f"{place} says which part a text belongs to: {said}"


def without_empty(rows: Sequence[Row]) -> tuple[list[Row], tuple[str, ...]]:
    """The rows that have a text, and a line that says how many had none.

    Raises:
        UserError: none has.
    """
    kept = [row for row in rows if row.text.strip()]
    lost = [row for row in rows if not row.text.strip()]
    return kept, empty_note(len(lost), len(rows), rows[0].path, lost[0].place) if lost else ()


def empty_note(lost: int, rows: int, path: Path, place: str) -> tuple[str]:
    """The line that says how many rows had no text, the first of them at `place`; raises as `without_empty`."""
    if lost == rows:
        raise UserError(f"{path}: all {rows} texts are empty; is it the right column?")
    return (f"{lost} of {rows} texts are empty and are skipped; the first is {place}",)
