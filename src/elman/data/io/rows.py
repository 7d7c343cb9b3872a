"""One text with its label, and where it was read, so that every complaint can name the place."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from elman.errors import UserError


class Row(NamedTuple):
    """A text, its label, the file it came from, and its line there (0: the whole file)."""

    text: str
    label: str
    path: Path
    line: int = 0

    @property
    def place(self) -> str:
        """File and line as a person looks for them."""
        return f"{self.path} line {self.line}" if self.line else str(self.path)


Parts = dict[str, list[Row]]
"""Rows by part: "train", and "validation" and "test" where they are given."""


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
