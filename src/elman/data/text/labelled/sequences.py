"""The ids of stored texts: encoded once into a mapped file. N texts.

An entry of the cache: KEY.ids (the ids of all rows, then, at a multiple of 8 bytes, where each row's end, int64) and
KEY.json (`Encoded`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from elman.atomic_io import write_whole
from elman.data import entries
from elman.data.text.encoded_cache import DtypeName, dtype_for, dtype_name
from elman.data.text.labelled.parts import StoredTexts
from elman.data.text.labelled.rows import StoredRows
from elman.data.text.vocabulary import Vocabulary
from elman.errors import UserError


@dataclass(frozen=True)
class Encoded:
    """What KEY.json says of the ids of texts."""

    dtype: DtypeName
    rows: int
    ids: int


class StoredSequences(Sequence[NDArray[np.int64]]):
    """N sequences of ids, each (T_n,) int64 when it is asked for; `lengths` is (N,).

    Arguments:
        ids: of all rows, mapped.
        ends: where each row's end there.
        rows: (N,) those that are meant.
    """

    def __init__(self, ids: NDArray[Any], ends: NDArray[np.int64], rows: NDArray[np.int64]) -> None:
        self._ids, self._ends, self._rows = ids, ends, rows
        self.lengths: NDArray[np.int64] = np.diff(ends, prepend=0)[rows]

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, place: int) -> NDArray[np.int64]: ...
    @overload
    def __getitem__(self, place: slice) -> StoredSequences: ...
    def __getitem__(self, place: int | slice) -> NDArray[np.int64] | StoredSequences:
        """One sequence, or some."""
        if isinstance(place, slice):
            return StoredSequences(self._ids, self._ends, self._rows[place])
        row = int(self._rows[place])
        begin = int(self._ends[row - 1]) if row else 0
        return self._ids[begin : int(self._ends[row])].astype(np.int64)


def encode_stored(texts: StoredTexts, vocabulary: Vocabulary, most: int) -> StoredSequences:
    """The ids of texts, from the cache or made now for all rows that are stored with them.

    Arguments:
        vocabulary: has an id for what is unknown, which also stands for a text without any token.
        most: of a longer text the last so many ids are kept.

    Raises:
        UserError: the cache cannot be used.
    """
    numbered = hashlib.sha256("\0".join(vocabulary.tokens).encode("utf-8", "surrogatepass")).hexdigest()
    key = entries.key_of("labelled ids", texts.stored.key, vocabulary.kind, vocabulary.lowercase, numbered, most)
    with entries.made_once(key):
        found = _load(key, texts.rows)
        if found is None:
            entries.describe(key, _make(key, texts.stored, vocabulary, most), [".ids"])
            found = _load(key, texts.rows)
    if found is None:
        raise UserError(f"the encoded texts in {entries.folder()} vanished; try again")
    return found


def _load(key: str, rows: NDArray[np.int64]) -> StoredSequences | None:
    entry = entries.description(key, Encoded)
    if entry is None:
        return None
    dtype = np.dtype(entry.dtype)
    begin = _padded(entry.ids * dtype.itemsize)
    path = entries.folder() / f"{key}.ids"
    ids: NDArray[Any] = np.memmap(path, dtype, mode="r")[: entry.ids]
    ends: NDArray[np.int64] = np.memmap(path, "<i8", mode="r", offset=begin)
    return StoredSequences(ids, ends, rows)


def _padded(size: int) -> int:
    return -(-size // 8) * 8


def _make(key: str, stored: StoredRows, vocabulary: Vocabulary, most: int) -> Encoded:
    dtype, lengths = dtype_for(len(vocabulary)), [np.empty(0, np.int64)]

    def write(part: Path) -> None:
        with open(part, "wb") as file:
            for texts in stored.groups():
                raw, some = _encoded(texts, vocabulary, dtype, most)
                file.write(raw)
                lengths.append(np.array(some, np.int64))
            ends = np.concatenate(lengths).cumsum()
            size = int(ends[-1]) * dtype.itemsize
            file.write(bytes(_padded(size) - size) + ends.astype("<i8").tobytes())

    write_whole(entries.folder() / f"{key}.ids", write)
    return Encoded(dtype_name(dtype), len(stored), int(sum(part.sum() for part in lengths)))


def _encoded(texts: Sequence[str], vocabulary: Vocabulary, dtype: np.dtype[Any], most: int) -> tuple[bytes, list[int]]:
    """The ids of texts one after the other, and how many each has."""
    if vocabulary.kind == "characters":
        last = [text[-most:] for text in texts]
        return vocabulary.encode_bytes("".join(last), dtype), list(map(len, last))
    assert vocabulary.unk is not None
    unknown = [vocabulary.unk]
    ids = [one[-most:] or unknown for one in vocabulary.encode_lines(texts)]
    return np.fromiter(chain.from_iterable(ids), dtype).tobytes(), list(map(len, ids))
