"""How a file is written: its size, encoding, line ends, separator and decimal mark; and the columns of a table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from elman.data.description.facts import Column, Fact, size_of
from elman.data.io.delimited import Delimited, delimiter_of, read_records
from elman.data.io.files import ANY_SIZE, check_file, file_kind, read_content, reading_samples
from elman.data.io.large.plain_columns import MISSING
from elman.data.io.text import decode_utf8, is_number
from elman.data.packed import packed_by
from elman.data.timeseries.dates import are_dates
from elman.errors import MissingPackageError
from elman.runtime.text.decimal_marks import plain_numbers, read_marks

HEAD = 1 << 18
"""Bytes at the beginning of a file that its form is told from."""
_SEPARATORS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}
_LINE_ENDS = {"\r\n": "CR LF", "\n": "LF", "\r": "CR"}
_SHOWN = 30
"""Characters of a cell that are shown."""


def file_facts(path: Path) -> list[Fact]:
    """How a text file is written, told from its beginning.

    Raises:
        UserError: it cannot be read, or is no UTF-8.
    """
    size = check_file(path, ANY_SIZE)
    with reading_samples(HEAD, 1):
        raw = read_content(path)
    text = decode_utf8(raw, path)
    encoding = "ASCII" if raw.isascii() else "UTF-8"
    if raw.startswith(b"\xef\xbb\xbf"):
        encoding = "UTF-8 with a byte-order mark"
    packed = packed_by(path)
    ends = {end: text.count(end) for end in _LINE_ENDS}
    ends["\n"] -= ends["\r\n"]
    ends["\r"] -= ends["\r\n"]
    found = [
        Fact("size", size, size_of(size) + (f", packed by {packed}" if packed else "")),
        Fact("encoding", encoding, brief=encoding),
    ]
    if any(ends.values()):
        found.append(Fact("line ends", " and ".join(_LINE_ENDS[end] for end, count in ends.items() if count)))
    return found


def table_facts(path: Path) -> list[Fact]:
    """The same, and how the fields of a table are parted and its numbers are written.

    Raises:
        UserError: as `file_facts`.
    """
    if file_kind(path) == ".xlsx":
        size = check_file(path)
        return [Fact("size", size, size_of(size)), Fact("encoding", "Excel", brief="Excel")]
    found = file_facts(path)
    with reading_samples(HEAD, 1):
        text = decode_utf8(read_content(path), path)
        records = [fields for _, fields in read_records(path)]
    sign = "\t" if file_kind(path) == ".tsv" else delimiter_of(text)
    separator = _SEPARATORS.get(sign, repr(sign))
    found.append(Fact("separator", sign, separator, brief=f"separator {separator}"))
    width = max(map(len, records))
    rows = [record for record in records[1:] if len(record) == width]
    columns = [list(column) for column in zip(*rows, strict=True)]
    read = read_marks(columns)
    marks = set(read.decimal)
    between = any(points == "thousands" for points, _ in read.points)
    points = any("." in cell and is_number(cell) for record in rows for cell in record)
    if "," in marks:
        found.append(Fact("decimal mark", ",", "comma", brief="decimal comma"))
    elif between:
        text = "none, points between thousands"
        found.append(Fact("decimal mark", "", text, brief="points between thousands"))
    elif points:
        thousands = ", commas between thousands" if "." in marks else ""
        found.append(Fact("decimal mark", ".", "point" + thousands, brief="decimal point" + thousands))
    return found


def columns_of(table: Delimited) -> tuple[Column, ...]:
    """What each column of a table holds."""
    typed = file_kind(table.path) == ".xlsx"
    named = zip(table.header, plain_numbers(table.columns(), typed=typed), strict=True)
    return tuple(column_of(name, cells) for name, cells in named)


def column_of(name: str, cells: Sequence[str]) -> Column:
    """What a column holds, by its cells."""
    there = [cell for cell in cells if cell not in MISSING]
    distinct = len(set(there))
    missing = len(cells) - len(there)
    if not there:
        return Column(name, "empty", missing, 0, "")
    if all(map(is_number, there)):
        numbers = list(map(float, there))
        whole = all(number.is_integer() for number in numbers)
        return Column(name, "whole numbers" if whole else "numbers", missing, distinct, _between(numbers))
    if _dates(there):
        return Column(name, "dates", missing, distinct, f"{there[0]} first, {there[-1]} last")
    common = Counter(there).most_common(3)
    shown = ", ".join(f"{_short(cell)!r} ({count:,})" for cell, count in common)
    return Column(name, "texts", missing, distinct, shown if common[0][1] > 1 else repr(_short(there[0])))


def _between(numbers: Sequence[float]) -> str:
    least, most = min(numbers), max(numbers)
    return f"{least:.6g}" if least == most else f"{least:.6g} to {most:.6g}"


def _dates(cells: Sequence[str]) -> bool:
    try:
        return are_dates(cells)
    except MissingPackageError:
        return False


def _short(cell: str) -> str:
    return cell if len(cell) <= _SHOWN else cell[: _SHOWN - 3] + "..."
