"""Characters to ids by one table lookup for a whole text, where a tokenizer makes an object of each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from elman.errors import UserError

_CODE_POINTS = 0x110000
_SHOWN = 8


class CharacterTable:
    """The lookup tables of a character vocabulary.

    Arguments:
        tokens: what each id stands for; a token longer than one character stands for no text.
        unknown: the id of characters that are not among the tokens; None refuses them.
    """

    def __init__(self, tokens: Sequence[str], unknown: int | None):
        self._unknown = unknown
        self._ids = np.full(_CODE_POINTS, -1, dtype=np.int32)
        for number, token in enumerate(tokens):
            if len(token) == 1:
                self._ids[ord(token)] = number

        self._by_byte = bytes(max(0, int(i)) & 0xFF for i in self._ids[:256])
        self._ascii = bytes(np.flatnonzero(self._ids[:128] >= 0).tolist())

    def encode_bytes(self, text: str, dtype: np.dtype[Any], line: int = 1) -> bytes:
        """The ids in memory as unsigned `dtype`, which must hold them all: the way for gigabytes.

        Arguments:
            line: the number of the line that the text begins with, for the complaint.

        Raises:
            UserError: as `encode`.
        """
        if dtype.itemsize == 1 and text.isascii():
            raw = text.encode("ascii")
            if not raw.translate(None, self._ascii):  # all are in the vocabulary
                return raw.translate(self._by_byte)
        ids: NDArray[Any] = self._ids[code_points(text)]
        if len(ids) and ids.min() < 0:
            ids = self.encode(text, line)
        return ids.astype(dtype).tobytes()

    def encode(self, text: str, line: int = 1) -> NDArray[np.int64]:
        """(N,) the id of every character.

        Arguments:
            line: the number of the line that the text begins with, for the complaint.

        Raises:
            UserError: characters that are not in the vocabulary, where it has no token for the unknown.
        """
        ids = self._ids[code_points(text)].astype(np.int64)
        missing = ids < 0
        if missing.any():
            if self._unknown is None:
                raise UserError(_complaint(text, np.flatnonzero(missing), line))
            ids[missing] = self._unknown
        return ids


class Alphabet:
    """The different characters of a text that comes piece by piece."""

    def __init__(self) -> None:
        self._seen = np.zeros(_CODE_POINTS, dtype=np.bool_)
        self._known = b""  # the ASCII characters among them

    def add(self, text: str) -> None:
        """Take in a piece."""
        if not text.isascii():
            self._seen[code_points(text)] = True
            return
        new = text.encode("ascii").translate(None, self._known)
        if new:
            self._seen[np.frombuffer(new, np.uint8)] = True
            self._known = bytes(np.flatnonzero(self._seen[:128]).tolist())

    def characters(self) -> list[str]:
        """All of them, in order of code point."""
        return [chr(point) for point in np.flatnonzero(self._seen).tolist()]


def code_points(text: str) -> NDArray[np.uint32]:
    """(N,) the Unicode code point of every character."""
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4")


def distinct_characters(texts: Iterable[str], size: int | None) -> list[str]:
    """The characters of the texts in order of code point; of more than `size`, the most frequent."""
    counts: Counter[str] = Counter()
    for text in texts:
        points, times = np.unique(code_points(text), return_counts=True)
        counts.update(dict(zip(map(chr, points.tolist()), times.tolist(), strict=True)))
    kept = sorted(counts, key=lambda character: (-counts[character], character))[:size]
    return sorted(kept)


def _complaint(text: str, places: NDArray[np.int64], line: int) -> str:
    first = int(places[0])
    line += text.count("\n", 0, first)
    column = first - (text.rfind("\n", 0, first) + 1) + 1
    characters = list(dict.fromkeys(text[place] for place in places.tolist()))
    shown = ", ".join(map(repr, characters[:_SHOWN])) + (" ..." if len(characters) > _SHOWN else "")
    return (
        f"the vocabulary lacks {shown}, first at line {line}, column {column} of the text;"
        " leave such characters out, or train on text that has them"
    )
