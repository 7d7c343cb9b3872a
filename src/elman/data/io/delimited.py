"""Delimited text, .csv and .tsv: the one reader of it, which every reader of tables stands on.

A field in quotes may hold the delimiter, and in a .csv file line breaks too; a quote is doubled inside quotes. In a
.tsv file, and in any other than a .csv whose fields are parted by tabs, a record is one line, and a quote that does not
surround its whole field is text. Empty lines are passed over. A file whose name ends in .gz or .zst is unpacked.
The first sheet of an .xlsx file is read as if it were saved so.
A first line "sep=;" names the delimiter, as Excel writes it.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path

from elman.data.io.files import file_kind, read_content
from elman.data.io.text import decode_utf8, line_blocks, newline_parted
from elman.data.spreadsheets import read_sheet
from elman.errors import UserError

DELIMITERS = ",;|\t"
_LONGEST_FIELD = 1 << 30
_PIECES_OF_A_LINE = 16
_SEPARATOR_LINE = re.compile(r"sep=(.)\r?\n", re.IGNORECASE)
_QUOTED = re.compile(r'"(?:[^"]|"")*"')

Record = tuple[int, list[str]]
"""The line on which a record begins, from 1, and its fields without white space around them."""


@dataclass(frozen=True)
class Delimited:
    """A file with a line of names: C columns, N records of C fields each."""

    path: Path
    header: tuple[str, ...]
    records: tuple[Record, ...]
    line: int = 1
    """The line on which the names stand."""

    def without_names(self, names: Sequence[str]) -> Delimited:
        """The table where the first line is a record as any other, and the columns are called `names`."""
        return Delimited(self.path, tuple(names), ((self.line, list(self.header)), *self.records), 0)

    def column(self, name: str) -> list[str]:
        """The N fields of a column."""
        place = self.header.index(name)
        return [fields[place] for _, fields in self.records]

    def columns(self) -> list[list[str]]:
        """Every column, each N fields."""
        return [list(column) for column in zip(*(fields for _, fields in self.records), strict=True)] or [
            [] for _ in self.header
        ]

    def find(self, names: Sequence[str]) -> str | None:
        """The first column that has one of these names, in any mixture of capitals; in order of `names`."""
        small = {column.lower(): column for column in reversed(self.header)}
        return next((small[name] for name in names if name in small), None)


def read_delimited(
    path: Path, *, fill: bool = False, spill: Sequence[str] = (), names: Sequence[str] = (), delimiter: str = ""
) -> Delimited:
    """A .csv or .tsv file whose first line names its columns.

    Arguments:
        fill: a record may lack its last fields, which are empty then.
        spill: names, in small letters, of a column that takes in the fields that are too many where it is the last.
        names: of the columns, where the first line is a record as any other.
        delimiter: where it is known.

    Raises:
        UserError: no such file, not UTF-8, a quote that is not closed, or a record with more or fewer fields than the
            first line has: says the line.
    """
    records = read_records(path, delimiter)
    begin, first = (0, list(names)) if names else next(records, (0, []))
    header = tuple(first)
    return Delimited(path, header, tuple(fitting_records(path, header, records, fill=fill, spill=spill)), begin)


def fitting_records(
    path: Path, header: Sequence[str], records: Iterable[Record], *, fill: bool = False, spill: Sequence[str] = ()
) -> Iterator[Record]:
    """The records after a first line, each with as many fields as that has; see `read_delimited`."""
    takes_more = bool(header) and header[-1].lower() in spill
    for line, fields in records:
        if takes_more and len(fields) > len(header):
            fields = [*fields[: len(header) - 1], ", ".join(fields[len(header) - 1 :])]
        if fill:
            fields = fields + [""] * (len(header) - len(fields))
        if len(fields) != len(header):
            raise UserError(
                f"{path} line {line} has {len(fields)} columns where the first line has {len(header)};"
                " mend the line (a text with the separator in it must stand in quotes)"
            )
        yield line, fields


def read_records(path: Path, delimiter: str = "") -> Iterator[Record]:
    """All records of a file, the first line as any other; of an .xlsx file its rows. Raises as `read_delimited`."""
    if file_kind(path) == ".xlsx":
        return iter(read_sheet(path))
    return records_of(path, [decode_utf8(read_content(path), path)], delimiter)


def records_of(path: Path, pieces: Iterable[str], delimiter: str = "") -> Iterator[Record]:
    """The same of a text that comes in pieces; `path` is its name, for what it is and for complaints."""
    source = iter(pieces)
    head = next(source, "")
    for piece in islice(source, _PIECES_OF_A_LINE):
        head += piece
        if "\n" in head.lstrip("\r\n"):
            break
    named = _SEPARATOR_LINE.match(head)
    first = 2 if named else 1
    delimiter = delimiter_of(head) if named or not delimiter else delimiter
    rest = chain([head[named.end() :] if named else head], source)
    if file_kind(path) == ".tsv" or (delimiter == "\t" and file_kind(path) != ".csv"):
        return _tab_records(rest, first)
    return _comma_records(path, rest, delimiter, first)


def delimiter_of(text: str) -> str:
    """What parts the fields of a text: as its line "sep=" says, or the sign that the first line has most of."""
    if named := _SEPARATOR_LINE.match(text):
        return named[1]
    line = _QUOTED.sub("", text.lstrip("\r\n").split("\n", 1)[0])
    return max(DELIMITERS, key=line.count)


def delimiter_in(path: Path) -> str:
    """What parts the fields of a file that is no spreadsheet."""
    return "\t" if file_kind(path) == ".tsv" else delimiter_of(decode_utf8(read_content(path), path))


def _comma_records(path: Path, pieces: Iterable[str], delimiter: str, first: int) -> Iterator[Record]:
    csv.field_size_limit(_LONGEST_FIELD)
    lines = chain.from_iterable(io.StringIO(block, newline="") for block in line_blocks(pieces))
    reader = csv.reader(lines, delimiter=delimiter, strict=True, skipinitialspace=True)
    begin = first
    try:
        for record in reader:
            if any(field.strip() for field in record):
                yield begin, [field.strip() for field in record]
            begin = reader.line_num + first
    except csv.Error as error:
        raise UserError(f"{path} line {begin} is not a record of a CSV file ({error}); mend its quotes") from error


def _tab_records(pieces: Iterable[str], first: int) -> Iterator[Record]:
    for line, content in enumerate(newline_parted(pieces), first):
        if content.strip():
            yield line, [_unquoted(field.strip()) for field in content.rstrip("\r").split("\t")]


def _unquoted(field: str) -> str:
    whole = len(field) > 1 and field[0] == field[-1] == '"'
    return field[1:-1].replace('""', '"') if whole else field
