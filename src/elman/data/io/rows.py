"""One text with its label, and where it was read, so that every complaint can name the place."""

from __future__ import annotations

from collections.abc import Sequence
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
    place = f"{rows[0].path}, column {column!r}"
    found: Parts = {}
    for row in rows:
        part = known_part(row.part[1])
        if part is None:
            why = f"{row.part[1][:40]!r} in line {row.line} is no part such as train, validation or test"
            return {"train": list(rows)}, (f"{place} is not read as parts: {why}",)
        found.setdefault(part, []).append(row)
    if "train" not in found:
        return {"train": list(rows)}, (f"{place} is not read as parts: it names none for training",)
    sizes = ", ".join(f"{part} {len(inside):,}" for part, inside in found.items())
    return found, (f"{place} says which part a text belongs to: {sizes}",)


def without_empty(rows: Sequence[Row]) -> tuple[list[Row], tuple[str, ...]]:
    """The rows that have a text, and a line that says how many had none.

    Raises:
        UserError: none has.
    """
    kept = [row for row in rows if row.text.strip()]
    lost = [row for row in rows if not row.text.strip()]
    if not lost:
        return kept, ()
    if not kept:
        raise UserError(f"{rows[0].path}: all {len(rows)} texts are empty; is it the right column?")
    return kept, (f"{len(lost)} of {len(rows)} texts are empty and are skipped; the first is {lost[0].place}",)
