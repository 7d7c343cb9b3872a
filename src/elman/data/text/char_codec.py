"""Characters to ids by one table lookup for a whole text, where a tokenizer makes an object of each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

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

    def encode(self, text: str) -> NDArray[np.int64]:
        """(N,) the id of every character.

        Raises:
            UserError: characters that are not in the vocabulary, where it has no token for the unknown.
        """
        ids = self._ids[code_points(text)].astype(np.int64)
        missing = ids < 0
        if missing.any():
            if self._unknown is None:
                raise UserError(_complaint(text, np.flatnonzero(missing)))
            ids[missing] = self._unknown
        return ids


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


def _complaint(text: str, places: NDArray[np.int64]) -> str:
    first = int(places[0])
    line = text.count("\n", 0, first) + 1
    column = first - (text.rfind("\n", 0, first) + 1) + 1
    characters = list(dict.fromkeys(text[place] for place in places.tolist()))
    shown = ", ".join(map(repr, characters[:_SHOWN])) + (" ..." if len(characters) > _SHOWN else "")
    return (
        f"the vocabulary lacks {shown}, first at line {line}, column {column} of the text;"
        " leave such characters out, or train on text that has them"
    )
