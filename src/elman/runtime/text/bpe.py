"""Byte-level byte-pair encoding (Sennrich et al. 2016; Radford et al. 2019): bytes joined by learned merges."""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import pairwise

from elman.runtime.text.characters import pieces

_PLAIN = (*range(33, 127), *range(161, 173), *range(174, 256))
"""Bytes that stand for themselves; the others are written as the characters from 256 on, as GPT-2 writes them."""
MOST_CACHED = 1 << 16


def byte_letters() -> dict[int, str]:
    """Byte -> the character that stands for it in a token."""
    letters = {byte: chr(byte) for byte in _PLAIN}
    others = [byte for byte in range(256) if byte not in letters]
    return letters | {byte: chr(256 + number) for number, byte in enumerate(others)}


class BytePairs:
    """Texts to ids and back.

    Arguments:
        numbered: token -> id.
        merges: pairs of tokens, the first learned first.
    """

    def __init__(self, numbered: Mapping[str, int], merges: Sequence[tuple[str, str]]) -> None:
        self._letters = byte_letters()
        self._numbered = numbered
        self._tokens = {number: token for token, number in numbered.items()}  # a letter a byte
        self._ranks = {pair: rank for rank, pair in reversed(list(enumerate(merges)))}
        self._ids_of = lru_cache(MOST_CACHED)(self._ids)
        self._bytes = {letter: byte for byte, letter in self._letters.items()}

    def encode(self, text: str) -> list[int]:
        """The ids of a text."""
        return [number for piece in pieces(text) for number in self._ids_of(piece)]

    def _ids(self, piece: str) -> tuple[int, ...]:
        parts = [self._letters[byte] for byte in piece.encode("utf-8", "replace")]
        while len(parts) > 1:
            ranked = [self._ranks.get(pair, len(self._ranks)) for pair in pairwise(parts)]
            best = min(ranked)
            if best == len(self._ranks):
                break
            at = ranked.index(best)
            parts[at : at + 2] = [parts[at] + parts[at + 1]]
        return tuple(self._numbered[part] for part in parts if part in self._numbered)

    def spans(self, text: str) -> Iterator[tuple[int, int]]:
        """Where the token of each id that `encode` gives begins and ends in the text."""
        owner = [at for at, character in enumerate(text) for _ in character.encode("utf-8", "replace")]
        begin = 0
        for token in self.encode(text):
            end = begin + len(self._tokens[token])
            yield owner[begin], owner[end - 1] + 1
            begin = end

    def bytes_of(self, token: str) -> bytes:
        """The bytes that a token stands for; its own where it is a special one."""
        try:
            return bytes(self._bytes[letter] for letter in token)
        except KeyError:
            return token.encode()

    def decoded(self, tokens: Iterable[str]) -> Iterator[str]:
        """The text of tokens bit by bit; a character of several bytes comes when it is whole."""
        decoder, held = codecs.getincrementaldecoder("utf-8")("replace"), ""
        for token in tokens:
            held += decoder.decode(self.bytes_of(token))
            if held and not held.endswith("\ufffd") and not decoder.getstate()[0]:
                yield held
                held = ""
