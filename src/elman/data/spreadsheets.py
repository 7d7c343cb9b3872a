"""The first sheet of an .xlsx file as rows of texts; nothing in it is computed."""

from __future__ import annotations

import datetime
import io
import logging
import zipfile
from pathlib import Path
from typing import Any

from elman.data.io.files import LARGEST_RATIO, LARGEST_UNPACKED, UNCHECKED_UNPACKED, read_bytes
from elman.errors import UserError, optional_imports

log = logging.getLogger("elman")
MOST_COLUMNS = 10_000
"""Columns of a sheet, at most."""


def read_sheet(path: Path) -> list[tuple[int, list[str]]]:
    """The rows of the first sheet that has some, each with its number, as many cells in each as in the longest.

    Dates become texts such as 2020-01-31 or 2020-01-31 13:00:00, numbers what Python writes, empty cells "". Of a
    formula the value is read that the spreadsheet has stored. Empty rows are passed over.

    Raises:
        UserError: it is missing, damaged, encrypted, empty, or packed as no data are.
    """
    with optional_imports():
        import openpyxl

    raw = read_bytes(path)
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as packed:
            size = sum(entry.file_size for entry in packed.infolist())
        if size > min(LARGEST_UNPACKED, max(UNCHECKED_UNPACKED, LARGEST_RATIO * len(raw))):
            raise UserError(f"{path} holds {size:,} bytes in {len(raw):,}, as no data do; check where it is from")
        book = openpyxl.load_workbook(io.BytesIO(raw), read_only=True, data_only=True)
        try:
            return _first_with_rows(book, path)
        finally:
            book.close()
    except UserError:
        raise
    except Exception as error:  # openpyxl raises many kinds for a damaged file
        reason = " ".join(str(error).split())[:120] or type(error).__name__
        raise UserError(f"{path} cannot be read as .xlsx ({reason}); save it again, or as .csv") from error


def _first_with_rows(book: Any, path: Path) -> list[tuple[int, list[str]]]:
    filled = [(sheet.title, rows) for sheet in book.worksheets if (rows := _rows(sheet, path))]
    if not filled:
        raise UserError(f"{path} has no cells with something in them; give a file with some")
    if len(filled) > 1:
        others = ", ".join(repr(name) for name, _ in filled[1:])
        log.info("%s: the sheet %r is read; the others (%s) are not", path, filled[0][0], others)
    return filled[0][1]


def _rows(sheet: Any, path: Path) -> list[tuple[int, list[str]]]:
    found = []
    for number, row in enumerate(sheet.iter_rows(values_only=True), 1):
        cells = [_text(cell) for cell in row]
        while cells and not cells[-1]:
            cells.pop()
        if len(cells) > MOST_COLUMNS:
            raise UserError(f"{path} row {number} has {len(cells):,} columns, and {MOST_COLUMNS:,} are read; cut it")
        if cells:
            found.append((number, cells))
    width = max((len(cells) for _, cells in found), default=0)
    return [(number, cells + [""] * (width - len(cells))) for number, cells in found]


def _text(cell: Any) -> str:
    if cell is None:
        return ""
    if isinstance(cell, datetime.datetime):
        return cell.date().isoformat() if cell.time() == datetime.time() else cell.isoformat(" ")
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < 1e15:
        return str(int(cell))
    return str(cell).strip()
