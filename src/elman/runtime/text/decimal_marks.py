"""Numbers as spreadsheets write them: 1.002,51 and 1,002.51, told apart by what a whole table shows."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Literal

_COMMA = re.compile(r"[+-]?(\d+|\d{1,3}(\.\d{3})+)(,\d+)?([eE][+-]?\d+)?")
_POINT = re.compile(r"[+-]?(\d+|\d{1,3}(,\d{3})+)(\.\d+)?([eE][+-]?\d+)?")
THOUSANDS = re.compile(r"[+-]?\d{1,3}(\.\d{3})+")
THREE = re.compile(r"[+-]?[1-9]\d{0,2},\d{3}")
ONCE = re.compile(r"[+-]?[1-9]\d{0,2}\.\d{3}")
"""1.002: a thousand and two, or one and a little."""
WHOLE = re.compile(r"[+-]?\d+")
DECIMAL_POINT = re.compile(r"[+-]?(0?\.\d+|0\d*\.\d*|\d+\.(\d{1,2}|\d{4,}))([eE][+-]?\d+)?")
"""A number whose point can only be decimal."""

NO_VALUE = frozenset({"-", 2 * "-", "–", "—", ".", "..", "...", ":"})
"""What spreadsheets, statistical programs and offices write for a missing number, or for one that is 0: it is asked."""
_NOTHING_SHOWS = "nothing shows marks of thousands"

Points = Literal["", "thousands", "decimal"]
"""How points are read that could be either, "" where they leave no choice."""
_UNREAD: tuple[Points, str] = "", ""


@dataclass(frozen=True)
class Marks:
    """How the numbers in each column of a table are written.

    Attributes:
        decimal: the decimal mark of each column whose commas show it, "," or "."; "" where it has none, or they show
            none.
        points: how each column's points are read, and why; see `read_marks`.
    """

    decimal: list[str]
    points: list[tuple[Points, str]]


def plain_numbers(
    columns: Sequence[Sequence[str]], *, typed: bool = False, marks: Marks | None = None
) -> list[list[str]]:
    """Columns of cells, those with decimal commas or marks between thousands written as Python writes numbers.

    A column's comma is decimal where most cells can be read so (a wrong one among them is named later) and one shows
    it (1002,51 or 1.002,5 or 0,100), and stands between thousands where one shows that (1,002.5 or 1,002,500). 1,002
    alone shows neither: such a column is left, unless another one shows what commas are.
    Where one column has decimal commas, points between groups of three are marks of thousands in the others; else see
    `read_marks`.

    Arguments:
        typed: the cells were numbers already, as a spreadsheet keeps them, so that their points are decimal.
        marks: what `read_marks` found in the columns, where it was asked before.
    """
    if typed:
        marks = Marks(decimal_marks(columns), [_UNREAD] * len(columns))
    elif marks is None:
        marks = read_marks(columns)
    written = []
    for mark, (points, _), cells in zip(marks.decimal, marks.points, columns, strict=True):
        pointed = [cell for cell in cells if "." in cell] if not mark and "," in marks.decimal else []
        if points == "thousands" or (pointed and all(map(THOUSANDS.fullmatch, pointed))):
            mark = ","
        written.append([_plain(cell, mark) for cell in cells] if mark else list(cells))
    return written


def read_marks(columns: Sequence[Sequence[str]], thousands: Sequence[bool] = ()) -> Marks:
    """How the numbers of columns are written, their points too where all have three digits after them, as 1.002 has.

    No other column may show what such points are. Numbers without a point beside them tell: where 1.050 ends in a
    zero, a program that leaves out ".000" would have written 1.05, so that its point stands between thousands; else the
    reading counts that brings both sorts of numbers nearer to each other in size.

    Arguments:
        thousands: columns whose points are known to stand between thousands, where nothing shows otherwise.
    """
    decimal = decimal_marks(columns)
    nothing = Marks(decimal, [_UNREAD] * len(decimal))
    if "," in decimal:
        return nothing
    pointed = ["." in "".join(cells) for cells in columns]
    some = (cell for cells, has in zip(columns, pointed, strict=True) if has for cell in cells)
    if any(DECIMAL_POINT.fullmatch(cell.strip()) for cell in some):
        return nothing
    found = [
        _points([cell.strip() for cell in cells]) if has and not mark else _UNREAD
        for mark, has, cells in zip(decimal, pointed, columns, strict=True)
    ]
    known: tuple[Points, str] = "thousands", "training had it so"
    open_ = [why == _NOTHING_SHOWS and any(thousands[place : place + 1]) for place, (_, why) in enumerate(found)]
    return Marks(decimal, [known if is_open else one for is_open, one in zip(open_, found, strict=True)])


def point_notes(names: Sequence[str], columns: Sequence[Sequence[str]], marks: Marks, *, commas: bool) -> list[str]:
    """What is to be said of columns whose points were read one way and could be read another.

    Arguments:
        commas: whether commas part the cells: a point is decimal then where nothing shows otherwise.
    """
    found = []
    for name, cells, (points, why) in zip(names, columns, marks.points, strict=True):
        if points and not (commas and why == _NOTHING_SHOWS):
            cell = next(cell.strip() for cell in cells if "." in cell)
            way = "with the point between thousands" if points == "thousands" else "with a decimal point"
            other = "1.500 as 1.5 if it is decimal" if points == "thousands" else "1000 if it is a mark of thousands"
            found.append(f"column {name!r}: numbers such as {cell} are read {way}, since {why}; write {other}")
    return found


def _points(cells: Sequence[str]) -> tuple[Points, str]:
    pointed = [cell for cell in cells if "." in cell]  # which no cell has that stands for a missing number
    whole = [cell for cell in cells if "." not in cell and not _is_missing(cell)]
    if not pointed or not all(map(THOUSANDS.fullmatch, pointed)) or not all(map(WHOLE.fullmatch, whole)):
        return "", ""
    if any(cell.lstrip("+-").startswith("0") for cell in pointed):
        return "", ""
    if twice := next((cell for cell in pointed if not ONCE.fullmatch(cell)), ""):
        return "thousands", f"{twice} can be nothing else"
    sizes = [abs(int(cell)) for cell in whole if int(cell)]
    if any(size >= 1000 for size in sizes):
        return "decimal", "other numbers of a thousand or more have none"
    if not sizes:
        return "decimal", _NOTHING_SHOWS
    near = next(cell for cell in whole if int(cell))
    if zero := next((cell for cell in pointed if cell.endswith("0")), ""):
        return "thousands", f"{near} has no decimals and {zero} ends in a zero"
    decades = median(map(math.log10, sizes)) - math.log10(median(abs(float(cell)) for cell in pointed))
    if abs(decades - 3) < abs(decades):
        return "thousands", f"they lie near others such as {near} then"
    return "decimal", f"they lie near others such as {near} then"


def decimal_marks(columns: Sequence[Sequence[str]]) -> list[str]:
    """The decimal mark of each column whose commas show it, "," or "."; empty where it has none or they show none."""
    marks = [_mark(cells) if "," in "".join(cells) else "" for cells in columns]
    shown = {mark for mark in marks if mark}
    if len(shown) != 1:
        return marks
    (only,) = shown  # 1,002 beside a column of 0,5
    return [mark or (only if _all_three(cells) else "") for mark, cells in zip(marks, columns, strict=True)]


def _all_three(cells: Iterable[str]) -> bool:
    """Whether all numbers with a comma have three digits after it, and there are some."""
    numeric = [cell.strip() for cell in cells if not _is_missing(cell.strip())]
    with_commas = [cell for cell in numeric if "," in cell]
    return bool(with_commas) and all(map(THREE.fullmatch, with_commas)) and all(map(_COMMA.fullmatch, numeric))


def no_number(cell: str) -> str:
    """What to say of a cell that is no number."""
    if THREE.fullmatch(cell.strip()):
        return (
            f"{cell!r} is one number with a decimal comma and another with a mark of thousands; write it with a point"
        )
    if cell.strip() in NO_VALUE:
        what = "some write it for a missing one, some for 0"
        return f"{cell.strip()!r} is no number: {what}; leave the cell empty, or write 0"
    return f"{cell[:40]!r} is no number; mend it, or leave the cell empty where the number is missing"


def _mark(cells: Iterable[str]) -> str:
    """The decimal mark of a column with commas, as its cells show it; empty where they show none."""
    numeric = [cell for cell in (cell.strip() for cell in cells) if not _is_missing(cell)]
    for mark, form in ((",", _COMMA), (".", _POINT)):
        fit = [cell for cell in numeric if form.fullmatch(cell)]
        if 2 * len(fit) > len(numeric) and any("," in cell and not THREE.fullmatch(cell) for cell in fit):
            return mark
    return ""


def _is_missing(cell: str) -> bool:
    return cell.strip("<>#?/-").upper() in {"", "NA", "NAN", "NULL", "NONE", "N/A"}


def _plain(cell: str, mark: str) -> str:
    if mark == ",":
        return cell.replace(".", "").replace(",", ".")
    return cell.replace(",", "") if mark == "." else cell
