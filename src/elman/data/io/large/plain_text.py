"""Delimited text in blocks of Arrow: the fast road of large tables, for files that only one reading is possible of.

What `elman.data.io.delimited` reads record by record, Arrow reads a block at a time on every core. The two agree where
the bytes are plain: lines that end in one way, quotes around whole fields alone. Whatever else is refused here, and is
read there.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from elman.data.io.delimited import delimiter_of, records_of
from elman.data.io.files import file_kind
from elman.data.io.text import decode_utf8
from elman.data.packed import unpacking
from elman.errors import UserError, optional_imports

if TYPE_CHECKING:
    import pyarrow as pa

BLOCK = 1 << 24
"""Bytes of a block."""
_LONGEST_HEADER = 1 << 20


class NotPlainError(Exception):
    """The file is to be read record by record."""


class _Watched:
    """The bytes of a file as Arrow asks for them, whole lines of them looked at before it gets them."""

    def __init__(self, file: IO[bytes], delimiter: bytes, *, quoting: bool) -> None:
        self._file, self._delimiter, self._quoting = file, delimiter, quoting
        self._waiting, self.closed = b"", False
        self.refused: Exception | None = None

    def read(self, size: int = -1) -> bytes:
        try:
            block = self._file.read(size)
            lines = self._waiting + block
            end = lines.rfind(b"\n") + 1 if block else len(lines)
            self._check(lines[:end])
            self._waiting = lines[end:]
        except Exception as error:  # Arrow wraps it, and the reason must not get lost
            self.refused = error
            raise
        return block

    def readable(self) -> bool:
        return True

    def close(self) -> None:
        self.closed = True

    def _check(self, lines: bytes) -> None:
        if b"\0" in lines or lines.count(b"\r") != lines.count(b"\r\n"):
            raise NotPlainError
        if b'"' not in lines:
            return
        d = self._delimiter
        opening = lines.startswith(b'"') + lines.count(d + b'"') + lines.count(b'\n"')
        closing = lines.endswith(b'"') + sum(lines.count(b'"' + end) for end in (d, b"\n", b"\r\n"))
        if not self._quoting or opening != closing or opening + closing != lines.count(b'"'):
            raise NotPlainError


def plain_header(path: Path) -> tuple[list[str], str]:
    """The names in the first line of a .csv or .tsv file, and its delimiter.

    Raises:
        NotPlainError: there are not at least two names, all different, or the names are not one line.
        UserError: the file cannot be read.
    """
    with unpacking(path) as file:
        raw = file.read(_LONGEST_HEADER)
    line, newline, _ = raw.partition(b"\n")
    try:
        text = decode_utf8(line, path) + "\n"
        found = list(records_of(path, [text]))
    except UserError as error:
        raise NotPlainError from error  # the other reader says what is wrong, or reads on
    tabs = file_kind(path) == ".tsv"
    if not newline or len(found) != 1 or found[0][0] != 1 or (tabs and '"' in text):
        raise NotPlainError
    names, delimiter = found[0][1], "\t" if tabs else delimiter_of(text)
    if len(names) < 2 or len(set(names)) < len(names):
        raise NotPlainError
    return names, delimiter


def plain_blocks(path: Path, columns: int, delimiter: str) -> Iterator[pa.RecordBatch]:
    """The records after the first line, their fields (texts) without white space around them.

    Raises:
        NotPlainError: anything that the two readers could read in different ways, or that is an error there.
        UserError: the file cannot be read.
    """
    with optional_imports():
        import pyarrow as pa
        import pyarrow.compute as pc
        from pyarrow import csv

    names, quoting = [str(number) for number in range(columns)], file_kind(path) != ".tsv"
    options: dict[str, Any] = {
        "read_options": csv.ReadOptions(block_size=BLOCK, skip_rows=1, column_names=names),
        "parse_options": csv.ParseOptions(delimiter=delimiter, quote_char='"' if quoting else False),
        "convert_options": csv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False
        ),
    }
    with unpacking(path) as file:
        watched = _Watched(file, delimiter.encode(), quoting=quoting)
        try:
            for batch in csv.open_csv(pa.PythonFile(watched, mode="r"), **options):
                fields = [pc.utf8_trim_whitespace(batch.column(number)) for number in range(columns)]
                if len(batch):
                    yield pa.record_batch(fields, names=names)
        except (pa.ArrowInvalid, NotPlainError, UserError, OSError) as error:
            if watched.refused is not None and not isinstance(watched.refused, NotPlainError):
                raise watched.refused from None  # such as a packed file that is damaged
            raise NotPlainError from error
