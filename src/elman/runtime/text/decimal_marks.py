"""Numbers as spreadsheets write them: 1.002,51 and 1,002.51, told apart by what a whole table shows."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from statistics import median
from typing import Literal

_COMMA = re.compile(r"[+-]?(\d+|\d{1,3}(\.\d{3})+)(,\d+)?([eE][+-]?\d+)?")
_POINT = re.compile(r"[+-]?(\d+|\d{1,3}(,\d{3})+)(\.\d+)?([eE][+-]?\d+)?")
THOUSANDS = re.compile(r"[+-]?\d{1,3}(\.\d{3})+")
THREE = re.compile(r"[+-]?[1-9]\d{0,2},\d{3}")
_ONCE = re.compile(r"[+-]?[1-9]\d{0,2}\.\d{3}")
"""1.002: a thousand and two, or one and a little."""
WHOLE = re.compile(r"[+-]?\d+")
DECIMAL_POINT = re.compile(r"[+-]?(0?\.\d+|0\d*\.\d*|\d+\.(\d{1,2}|\d{4,}))([eE][+-]?\d+)?")
"""A number whose point can only be decimal."""

_NOTHING_SHOWS = "nothing shows marks of thousands"

Points = Literal["", "thousands", "decimal"]
"""How points are read that could be either, "" where they leave no choice."""


def plain_numbers(
    columns: Sequence[Sequence[str]], *, typed: bool = False, thousands: Sequence[bool] = ()
) -> list[list[str]]:
    """Columns of cells, those with decimal commas or marks between thousands written as Python writes numbers.

    A column's comma is decimal where most cells can be read so (a wrong one among them is named later) and one shows
    it (1002,51 or 1.002,5 or 0,100), and stands between thousands where one shows that (1,002.5 or 1,002,500). 1,002
    alone shows neither: such a column is left, unless another one shows what commas are.
    Where one column has decimal commas, points between groups of three are marks of thousands in the others; else see
    `read_points`.

    Arguments:
        typed: the cells were numbers already, as a spreadsheet keeps them, so that their points are decimal.
        thousands: columns whose points are known to stand between thousands, where nothing shows otherwise.
    """
    marks = decimal_marks(columns)
    if typed and not any(marks):
        return [list(cells) for cells in columns]
    points = [] if typed else [points for points, _ in read_points(columns, thousands)]
    written = []
    for mark, point, cells in zip(marks, points or [""] * len(marks), columns, strict=True):
        grouped = not mark and "," in marks and any("." in cell for cell in cells)
        if point == "thousands" or (grouped and all(THOUSANDS.fullmatch(cell) for cell in cells if "." in cell)):
            mark = ","
        written.append([_plain(cell, mark) for cell in cells])
    return written


def read_points(columns: Sequence[Sequence[str]], thousands: Sequence[bool] = ()) -> list[tuple[Points, str]]:
    """How each column's points are read where all have three digits after them, as 1.002 has, and why.

    No other column may show what they are. Numbers without a point beside them tell: where 1.050 ends in a zero, a
    program that leaves out ".000" would have written 1.05, so that its point stands between thousands; else the
    reading counts that brings both sorts of numbers nearer to each other in size.
    """
    marks = decimal_marks(columns)
    nothing: tuple[Points, str] = "", ""
    if "," in marks:
        return [nothing] * len(marks)
    if any(DECIMAL_POINT.fullmatch(cell.strip()) for cells in columns for cell in cells):
        return [nothing] * len(marks)
    cells_of = [[cell.strip() for cell in cells] for cells in columns]
    found = [nothing if mark else _points(cells) for mark, cells in zip(marks, cells_of, strict=True)]
    known: tuple[Points, str] = "thousands", "training had it so"
    open_ = [why == _NOTHING_SHOWS and any(thousands[place : place + 1]) for place, (_, why) in enumerate(found)]
    return [known if is_open else one for is_open, one in zip(open_, found, strict=True)]


def point_notes(
    names: Sequence[str], columns: Sequence[Sequence[str]], *, commas: bool, thousands: Sequence[bool] = ()
) -> list[str]:
    """What is to be said of columns whose points were read one way and could be read another.

    Arguments:
        commas: whether commas part the cells: a point is decimal then where nothing shows otherwise.
    """
    found = []
    for name, cells, (points, why) in zip(names, columns, read_points(columns, thousands), strict=True):
        if points and not (commas and why == _NOTHING_SHOWS):
            cell = next(cell.strip() for cell in cells if "." in cell)
            way = "with the point between thousands" if points == "thousands" else "with a decimal point"
            other = "1.500 as 1.5 if it is decimal" if points == "thousands" else "1000 if it is a mark of thousands"
            found.append(f"column {name!r}: numbers such as {cell} are read {way}, since {why}; write {other}")
    return found


def _points(cells: Sequence[str]) -> tuple[Points, str]:
    numeric = [cell for cell in cells if not _is_missing(cell)]
    pointed = [cell for cell in numeric if "." in cell]
    whole = [cell for cell in numeric if "." not in cell]
    if not pointed or not all(map(THOUSANDS.fullmatch, pointed)) or not all(map(WHOLE.fullmatch, whole)):
        return "", ""
    if any(cell.lstrip("+-").startswith("0") for cell in pointed):
        return "", ""
    if twice := next((cell for cell in pointed if not _ONCE.fullmatch(cell)), ""):
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
    return f"{cell[:40]!r} is no number; mend it"


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
