"""Tables of the user's own, CSV, by the standard library: columns of texts by their names, or a block of numbers."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Collection
from pathlib import Path

import numpy as np

from elman.errors import UserError
from elman.runtime.files import read_text
from elman.runtime.tensors import Floats
from elman.runtime.text.decimal_marks import THREE, no_number, plain_numbers, read_marks

MISSING = frozenset({"", "NA", "N/A", "n/a", "#N/A", "<NA>", "NaN", "nan", "-nan", "-NaN", "NULL", "null", "None", "?"})
"""Cells that stand for a missing number."""
_DELIMITERS = ",;|\t"
_SEPARATOR_LINE = re.compile(r"sep=(.)\r?\n", re.IGNORECASE)
_QUOTED = re.compile(r'"(?:[^"]|"")*"')


def read_rows(path: Path) -> list[list[str]]:
    """The rows of a file, none of them empty.

    Cells are parted as a first line "sep=;" says, else by the sign that the first row has most of outside quotes.

    Raises:
        UserError: it cannot be read, or has no rows.
    """
    text = read_text(path)
    if named := _SEPARATOR_LINE.match(text):
        text = text[named.end() :]
    first = _QUOTED.sub("", text.lstrip("\r\n").split("\n", 1)[0])
    delimiter = "\t" if path.suffix.lower() == ".tsv" else named[1] if named else max(_DELIMITERS, key=first.count)
    lines = io.StringIO(text, newline="")
    try:
        rows = [
            [cell.strip() for cell in row]
            for row in csv.reader(lines, delimiter=delimiter, strict=True, skipinitialspace=True)
            if any(map(str.strip, row))
        ]
    except csv.Error as error:
        raise UserError(f"{path} is no table that can be read ({str(error)[:80]}); mend it") from error
    if not rows:
        raise UserError(f"{path} has no rows; give a file with some")
    for line, row in enumerate(rows, 1):
        if len(row) != len(rows[0]):
            raise UserError(f"{path} row {line} has {len(row)} columns where the first has {len(rows[0])}; mend it")
    return rows


def read_columns(path: Path, texts: Collection[str] = (), thousands: Collection[str] = ()) -> dict[str, list[str]]:
    """The columns of a file by the names in its first row, their numbers as Python writes them.

    Arguments:
        texts: columns whose cells stay as they are.
        thousands: columns whose points stand between thousands, where nothing shows otherwise.

    Raises:
        UserError: as `read_rows`; or there are no rows under the names, or two columns of one name.
    """
    header, *rows = read_rows(path)
    names = [name.strip() for name in header]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise UserError(f"{path} has two columns called {twice!r}; rename one")
    if not rows:
        raise UserError(f"{path} has no rows under its line of names; give a file with some")
    cells = [list(column) for column in zip(*rows, strict=True)]
    numbers = plain_numbers(cells, marks=read_marks(cells, [name in thousands for name in names]))
    return {name: cells[place] if name in texts else numbers[place] for place, name in enumerate(names)}


def read_numbers(path: Path) -> Floats:
    """(T, I) a row a step, a column a channel, NaN where a cell is empty; a line of names is skipped.

    Commas are decimal, or stand between thousands, as the column shows.

    Raises:
        UserError: as `read_rows`; or a cell is no number, or may be one of two.
    """
    rows = read_rows(path)
    if not any(_is_number(cell.replace(",", "")) for cell in rows[0]):
        del rows[0]
    if not rows:
        raise UserError(f"{path} has no rows of numbers; give a file with some")
    columns = [list(column) for column in zip(*rows, strict=True)]
    marks = read_marks(columns)
    for cells, (points, why) in zip(columns, marks.points, strict=True):
        if points == "thousands":  # other files of the same data may not show it
            cell = next(cell for cell in cells if "." in cell)
            raise UserError(f"{path}: the point of {cell} stands between thousands, since {why}; write it without")
    written = enumerate(zip(*plain_numbers(columns, marks=marks), strict=True), 1)
    with np.errstate(over="ignore"):  # infinite then, and refused as such
        return np.array([[number_of(cell, f"{path} row {line}") for cell in row] for line, row in written]).astype(
            np.float32
        )


def number_of(cell: str, place: str) -> float:
    """A cell as a number, NaN where it is empty.

    Raises:
        UserError: it is none.
    """
    if cell.strip() in MISSING:
        return float("nan")
    if THREE.fullmatch(cell.strip()):
        raise UserError(f"{place}: {no_number(cell)}")
    if not _is_number(cell):
        raise UserError(
            f"{place}: {cell.strip()[:40]!r} is no number; write it with a point, without marks of thousands;"
            " leave the cell of a missing one empty"
        )
    return float(cell)


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return "_" not in cell
