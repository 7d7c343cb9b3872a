"""Numbers as spreadsheets write them: 1.002,51 and 1,002.51, told apart by what a whole table shows."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

_COMMA = re.compile(r"[+-]?(\d+|\d{1,3}(\.\d{3})+)(,\d+)?([eE][+-]?\d+)?")
_POINT = re.compile(r"[+-]?(\d+|\d{1,3}(,\d{3})+)(\.\d+)?([eE][+-]?\d+)?")
_THOUSANDS = re.compile(r"[+-]?\d{1,3}(\.\d{3})+")
_THREE = re.compile(r"[+-]?\d{1,3},\d{3}")


def plain_numbers(columns: Sequence[Sequence[str]]) -> list[list[str]]:
    """Columns of cells, those with decimal commas or marks between thousands written as Python writes numbers.

    A column's comma is decimal where most cells can be read so (a wrong one among them is named later) and one shows
    it (1002,51 or 1.002,5), and stands between thousands where one shows that (1,002.5 or 1,002,500). 1,002 alone
    shows neither: such a column is left.
    Where one column has decimal commas, points between groups of three are marks of thousands in the others.
    """
    marks = decimal_marks(columns)
    if not any(marks):
        return [list(cells) for cells in columns]
    written = []
    for mark, cells in zip(marks, columns, strict=True):
        grouped = not mark and "," in marks and any("." in cell for cell in cells)
        if grouped and all(_THOUSANDS.fullmatch(cell) for cell in cells if "." in cell):
            mark = ","
        written.append([_plain(cell, mark) for cell in cells])
    return written


def decimal_marks(columns: Sequence[Sequence[str]]) -> list[str]:
    """The decimal mark of each column whose commas show it, "," or "."; empty where it has none or they show none."""
    return [_mark([cell for cell in cells if cell]) for cells in columns]


def no_number(cell: str) -> str:
    """What to say of a cell that is no number."""
    if _THREE.fullmatch(cell.strip()):
        return (
            f"{cell!r} is one number with a decimal comma and another with a mark of thousands; write it with a point"
        )
    return f"{cell[:40]!r} is no number; mend it"


def _mark(cells: Iterable[str]) -> str:
    """The decimal mark of a column with commas, as its cells show it; empty where they have none, or show none."""
    cells = [cell.strip() for cell in cells]
    with_commas = [cell for cell in cells if "," in cell]
    if not with_commas:
        return ""
    numeric = [cell for cell in cells if not _is_missing(cell)]
    for mark, form in ((",", _COMMA), (".", _POINT)):
        fit = [cell for cell in numeric if form.fullmatch(cell)]
        if 2 * len(fit) > len(numeric) and any("," in cell and not _THREE.fullmatch(cell) for cell in fit):
            return mark
    return ""


def _is_missing(cell: str) -> bool:
    return cell.strip("<>#?/-").upper() in {"", "NA", "NAN", "NULL", "NONE", "N/A"}


def _plain(cell: str, mark: str) -> str:
    if mark == ",":
        return cell.replace(".", "").replace(",", ".")
    return cell.replace(",", "") if mark == "." else cell
