"""The rows of tables that are larger than memory: read once, then their texts and columns lie in files of a entries.

An entry of the cache: KEY.texts (the texts in UTF-8, one after the other), KEY.rows (N of `ROW`), KEY.json (`Facts`).
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import pairwise
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from elman.atomic_io import write_whole
from elman.data import entries
from elman.data.digests import check_untouched, content_digest, signature
from elman.data.io.columns import Columns
from elman.data.io.files import file_kind
from elman.data.io.folders import known_part
from elman.data.io.labelled import streamed_rows
from elman.data.io.large.plain_text import NotPlainError
from elman.data.io.rows import Row
from elman.data.packed import packed_by
from elman.data.text.blocks import file_pieces
from elman.errors import UserError

_NUMBERS = {"end": "<i8", "line": "<i8", "characters": "<i4", "source": "<i4", "label": "<i4"}
ROW = np.dtype([*_NUMBERS.items(), ("part", "i1"), ("empty", "?")])
"""A row: where its text ends in KEY.texts, its line, its text's characters, the numbers of its file and its label, the
part that its table names (-1: none that is known), and whether its text is white space alone."""
PARTS = ("train", "validation", "test")
_TOGETHER = 4096  # rows that are written at once
_SPARSE = 16  # rows from one that is asked for to the next, on average, from which on each is read by itself
_BLOCK = 1 << 22  # bytes that are read at once, about


class Source(NamedTuple):
    """A table, and the part that all its rows belong to; "" where a column of its own may say that."""

    path: Path
    part: str = ""


@dataclass(frozen=True)
class Facts:
    """What KEY.json says of rows.

    Attributes:
        labels: the different ones, in the order in which they come.
        column: the first column of parts; "" where there is none.
        stranger: the first cell that names no part, and the line it stands in; none where all do.
    """

    rows: int
    labels: list[str]
    column: str
    stranger: tuple[str, int] | None


class StoredRows:
    """N rows of tables; `columns` is (N,) of `ROW`, mapped into memory. The texts are read when they are asked for."""

    def __init__(self, key: str, sources: Sequence[Source], facts: Facts) -> None:
        self.key, self.sources, self.facts = key, tuple(sources), facts
        self.columns: NDArray[Any] = np.memmap(entries.folder() / f"{key}.rows", ROW, mode="r")
        self._texts = open(entries.folder() / f"{key}.texts", "rb", buffering=0)  # noqa: SIM115  (closed with the rows)
        weakref.finalize(self, self._texts.close)
        self._alone = threading.Lock()

    def __len__(self) -> int:
        return self.facts.rows

    def text(self, row: int) -> str:
        """The text of a row."""
        ends = self.columns["end"]
        begin = int(ends[row - 1]) if row else 0
        return self._read(begin, int(ends[row]) - begin).decode()

    def _read(self, begin: int, size: int) -> bytes:
        """Bytes of the texts: read, since every page of a map that was looked at counts as memory in use."""
        with self._alone:
            self._texts.seek(begin)
            return self._texts.read(size)

    def texts_of(self, rows: NDArray[np.int64]) -> Iterator[str]:
        """The texts of rows in ascending order; what lies close together is read together."""
        for some in np.split(rows, range(_TOGETHER, len(rows), _TOGETHER)):
            if not len(some):
                continue
            first, last = int(some[0]), int(some[-1])
            ends = np.array(self.columns["end"][max(0, first - 1) : last + 1])
            if not first:
                ends = np.insert(ends, 0, 0)
            begins, stops = (ends[some - first + at].tolist() for at in (0, 1))
            if len(some) * _SPARSE < last - first:
                yield from (self._read(a, b - a).decode() for a, b in zip(begins, stops, strict=True))
                continue
            raw = self._read(begins[0], stops[-1] - begins[0])
            yield from (raw[a - begins[0] : b - begins[0]].decode() for a, b in zip(begins, stops, strict=True))

    def label(self, row: int) -> str:
        """The label of a row."""
        return self.facts.labels[int(self.columns["label"][row])]

    def place(self, row: int) -> str:
        """File and line of a row as a person looks for them."""
        return Row("", "", self.sources[int(self.columns["source"][row])].path, int(self.columns["line"][row])).place

    def groups(self) -> Iterator[list[str]]:
        """All texts in order, some million characters at a time."""
        begin, number = 0, 0
        while number < len(self):
            ends = self.columns["end"][number : number + _TOGETHER]
            some = max(1, int(np.searchsorted(ends, begin + _BLOCK, "right")))
            raw, cuts = self._read(begin, int(ends[some - 1]) - begin), [0, *(ends[:some] - begin).tolist()]
            yield [raw[a:b].decode() for a, b in pairwise(cuts)]
            begin, number = int(ends[some - 1]), number + some


def open_rows(sources: Sequence[Source], columns: Columns) -> StoredRows:
    """The rows of .csv, .tsv and .jsonl files, packed or not, in this order; from the cache, or read now.

    Raises:
        UserError: a file cannot be read (says the line), has no such column, or changes meanwhile; or the cache cannot
            be used.
    """
    entries.make_ready()
    before = [signature(source.path) for source in sources]
    digests = [content_digest(source.path) for source in sources]
    forms = [[file_kind(source.path), packed_by(source.path), source.part] for source in sources]
    key = entries.key_of("labelled rows", digests, forms, columns.text, columns.label)
    with entries.made_once(key):
        found = _load(key, sources)
        if found is None:
            facts = _make(key, sources, columns)
            for source, state in zip(sources, before, strict=True):
                check_untouched(source.path, state)
            entries.describe(key, facts, [".texts", ".rows"])
            found = _load(key, sources)
    if found is None:
        raise UserError(f"the texts in {entries.folder()} vanished; try again")
    return found


def _load(key: str, sources: Sequence[Source]) -> StoredRows | None:
    facts = entries.description(key, Facts)
    return StoredRows(key, sources, facts) if facts is not None else None


def _make(key: str, sources: Sequence[Source], columns: Columns) -> Facts:
    made: list[Facts] = []

    def write(texts: Path) -> None:
        def write_beside(rows: Path) -> None:
            with open(texts, "wb") as text_file, open(rows, "wb") as row_file:
                try:
                    made.append(_written(sources, columns, text_file, row_file, plain=True))
                except (NotPlainError, UserError):  # what is wrong is said by the other reader
                    for file in (text_file, row_file):
                        file.seek(0)
                        file.truncate()
                    made.append(_written(sources, columns, text_file, row_file, plain=False))

        write_whole(entries.folder() / f"{key}.rows", write_beside)

    write_whole(entries.folder() / f"{key}.texts", write)
    return made[0]


def _written(sources: Sequence[Source], columns: Columns, texts: IO[bytes], rows: IO[bytes], *, plain: bool) -> Facts:
    """Read all rows, and write them."""
    part_of = lru_cache(1000)(lambda cell: -1 if (part := known_part(cell)) is None else PARTS.index(part))
    labels: dict[str, int] = {}
    column, stranger = "", None
    waiting: list[tuple[int, int, int, int, int, int, bool]] = []
    raws: list[bytes] = []
    count, end = 0, 0

    def flush() -> None:
        texts.write(b"".join(raws))
        rows.write(np.array(waiting, ROW).tobytes())
        raws.clear()
        waiting.clear()

    for number, (path, known) in enumerate(sources):
        read = streamed_rows(path, columns, partial(file_pieces, path), plain=plain)
        for text, label, _, line, (name, cell) in read:
            raw = text.encode()
            end += len(raw)
            part = part_of(known or cell)
            if part < 0 and stranger is None:
                stranger = cell, line
            column = column or name
            code = labels.setdefault(label, len(labels))
            raws.append(raw)
            waiting.append((end, line, len(text), number, code, part, not text or text.isspace()))
            count += 1
            if len(waiting) == _TOGETHER:
                flush()
    flush()
    if not count:
        raise UserError(f"{sources[0].path} has no texts under its line of names; give a file with some")
    return Facts(count, list(labels), column, stranger)
