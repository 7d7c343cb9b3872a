"""Delimited text in blocks of Arrow: the fast road of large tables, for files that only one reading is possible of.

What `elman.data.io.delimited` reads record by record, Arrow reads a block at a time on every core. The two agree where
the bytes are plain: lines that end in one way, quotes around whole fields alone, doubled inside. What else there is
is refused here, and read there.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from elman.data.io.delimited import Record, delimiter_of, records_of
from elman.data.io.files import file_kind
from elman.data.io.text import decode_utf8
from elman.data.packed import unpacking
from elman.errors import UserError, optional_imports

if TYPE_CHECKING:
    import pyarrow as pa

BLOCK = 1 << 24
"""Bytes of a block."""
_LONGEST_HEADER = 1 << 20
_LONGEST_RECORD = 1 << 28
_NEWLINE, _RETURN, _QUOTE = b'\n\r"'
_NONE = np.zeros(0, np.int64)


class NotPlainError(Exception):
    """The file is to be read record by record."""


class _Watched:
    """The bytes of a file as Arrow asks for them, each block looked at before it gets it.

    Arguments:
        delimiter: parts the fields.
        quoting: whether a field may be in quotes.
        multiline: whether a field in quotes may hold ends of lines; `lines` is kept then.

    Attributes:
        lines: for each record, the first among them, the line on which it begins, in arrays; those that have ended.
        refused: why a block was refused: Arrow wraps the exception, and it must not get lost.
    """

    def __init__(self, file: IO[bytes], delimiter: str, *, quoting: bool, multiline: bool) -> None:
        self._file, self._quoting, self._multiline = file, quoting, multiline
        self._around = np.frombuffer(f'{delimiter}\n\r"'.encode(), np.uint8)
        self._last, self._quotes, self._line, self._begin, self._length = 10, 0, 1, 1, 0
        self.lines: deque[NDArray[np.int64]] = deque()
        self.refused: Exception | None = None
        self.closed = False

    def read(self, size: int = -1) -> bytes:
        try:
            block = self._file.read(size)
            self._look_at(np.frombuffer(block or b"\n", np.uint8), block)
        except Exception as error:
            self.refused = error
            raise
        return block

    def readable(self) -> bool:
        return True

    def close(self) -> None:
        self.closed = True

    def whole_records(self) -> Iterator[bytes]:
        """The file in pieces of whole records, without pieces of nothing but white space."""
        waiting = b""
        while block := self.read(BLOCK):
            waiting += block
            cut = len(waiting) - self._length if self._multiline else waiting.rfind(b"\n") + 1
            if waiting[:cut].strip():
                yield waiting[:cut]
                waiting = waiting[cut:]
            if len(waiting) > _LONGEST_RECORD:
                raise NotPlainError
        if waiting.strip():
            yield waiting

    def next_lines(self, count: int) -> NDArray[np.int64]:
        """The lines of the next records, so many."""
        found = _NONE
        while len(found) < count:
            if not self.lines:
                raise NotPlainError
            found = np.concatenate([found, self.lines.popleft()])
        self.lines.appendleft(found[count:])
        return found[:count]

    def lines_left(self) -> bool:
        """Whether records were seen that nobody asked for."""
        return any(map(len, self.lines))

    def _look_at(self, signs: NDArray[np.uint8], block: bytes) -> None:
        """Look at a block, or, where none is left, at the end of the last line."""
        if b"\0" in block or block.count(b"\r") != block.count(b"\r\n") + block.endswith(b"\r"):
            raise NotPlainError
        if self._last == _RETURN and signs[0] != _NEWLINE:
            raise NotPlainError
        quoted = b'"' in block or self._last == _QUOTE or self._quotes % 2
        quotes = self._checked_quotes(signs) if quoted else _NONE
        if self._multiline:
            self._number_lines(signs, quotes)
        self._quotes += len(quotes)
        self._last = int(signs[-1])
        if not block and self._quotes % 2:
            raise NotPlainError

    def _checked_quotes(self, signs: NDArray[np.uint8]) -> NDArray[np.int64]:
        """Where the quotes of a block stand: every other one opens a field, or goes on after a doubled quote.

        One that opens stands at the beginning of a field or behind one that closes; one that closes stands at the end
        of a field or before one that opens.
        """
        if not self._quoting:
            raise NotPlainError
        quotes = np.flatnonzero(signs == _QUOTE)
        before, after = np.concatenate([[self._last], signs[:-1]]), np.concatenate([signs[1:], [_NEWLINE]])
        opens = (np.arange(len(quotes)) + self._quotes) % 2 == 0
        beside = np.concatenate([before[quotes[opens]], after[quotes[~opens]]])
        if self._last == _QUOTE and self._quotes % 2 == 0:  # the one before this block closes
            beside = np.append(beside, signs[0])
        if not np.isin(beside, self._around).all() or (not self._multiline and self._holds_newlines(signs, quotes)):
            raise NotPlainError
        return quotes

    def _holds_newlines(self, signs: NDArray[np.uint8], quotes: NDArray[np.int64]) -> bool:
        ends = np.flatnonzero(signs == _NEWLINE)
        return bool(((np.searchsorted(quotes, ends) + self._quotes) % 2).any())

    def _number_lines(self, signs: NDArray[np.uint8], quotes: NDArray[np.int64]) -> None:
        ends = np.flatnonzero(signs == _NEWLINE)
        outside = np.flatnonzero((np.searchsorted(quotes, ends) + self._quotes) % 2 == 0)
        closed, next_lines = ends[outside], self._line + 1 + outside
        begins = np.concatenate([[-self._length], closed[:-1] + 1]) if len(closed) else _NONE
        lines = np.concatenate([[self._begin], next_lines[:-1]]) if len(closed) else _NONE
        returns = (closed > 0) & (signs[np.maximum(closed - 1, 0)] == _RETURN) | (closed == 0) & (self._last == _RETURN)
        self.lines.append(lines[closed - returns > begins])
        self._line += len(ends)
        if len(closed):
            self._begin, self._length = int(next_lines[-1]), len(signs) - int(closed[-1]) - 1
        else:
            self._length += len(signs)


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


def plain_blocks(
    path: Path, columns: int, delimiter: str, *, multiline: bool = False
) -> Iterator[tuple[pa.RecordBatch, NDArray[np.int64]]]:
    """The records after the first line, their fields (texts) without white space around them.

    Arguments:
        multiline: whether fields may hold ends of lines; the line on which each record begins comes with it then.

    Raises:
        NotPlainError: anything that the two readers could read in different ways, or that is an error there.
        UserError: the file cannot be read.
    """
    with optional_imports():
        import pyarrow as pa
        import pyarrow.compute as pc
        from pyarrow import csv

    names, quoting = [str(number) for number in range(columns)], file_kind(path) != ".tsv"
    parsing = csv.ParseOptions(
        delimiter=delimiter, quote_char='"' if quoting else False, newlines_in_values=multiline and quoting
    )
    texts = csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False)
    with unpacking(path) as file:
        watched = _Watched(file, delimiter, quoting=quoting, multiline=multiline)
        begun = False
        try:
            for number, lines in enumerate(watched.whole_records()):
                # from memory: threads of Arrow that call Python would end the process at Ctrl-C
                reading = csv.ReadOptions(block_size=len(lines) + 1, skip_rows=int(number == 0), column_names=names)
                for batch in csv.read_csv(pa.BufferReader(lines), reading, parsing, texts).to_batches():
                    fields = [pc.utf8_trim_whitespace(cells) for cells in batch.columns]
                    if _an_empty_row(fields):  # a line of nothing but delimiters is passed over
                        raise NotPlainError
                    if multiline and not begun:
                        watched.next_lines(1)  # the names
                    begun = True
                    yield pa.record_batch(fields, names=names), watched.next_lines(len(batch)) if multiline else _NONE
            if begun and watched.lines_left():
                raise NotPlainError
        except (pa.ArrowInvalid, NotPlainError, UserError, OSError) as error:
            if watched.refused is not None and not isinstance(watched.refused, NotPlainError):
                raise watched.refused from None  # such as a packed file that is damaged
            raise NotPlainError from error


def _an_empty_row(fields: list[pa.Array]) -> bool:
    """Whether in some row every field is empty."""
    with optional_imports():
        import pyarrow.compute as pc

    found = pc.equal(fields[0], "")
    for one in fields[1:]:
        if not pc.any(found).as_py():
            return False
        found = pc.and_(found, pc.equal(one, ""))
    return bool(pc.any(found).as_py())


def plain_records(path: Path) -> Iterator[Record]:
    """What `elman.data.io.delimited.read_records` gives after the first line; raises as `plain_blocks`, on its way."""
    names, delimiter = plain_header(path)
    for batch, lines in plain_blocks(path, len(names), delimiter, multiline=True):
        rows = zip(*(column.to_pylist() for column in batch.columns), strict=True)
        yield from zip(lines.tolist(), map(list, rows), strict=True)
