"""What kind of character each character of a text is, for the patterns that cut texts into words and pieces.

The patterns are of Oniguruma (words) and of Rust's regex (GPT-2's pieces): their classes are told here by Unicode
category, since those of Python's `re` are others.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

# One letter for each kind, of which the patterns below are made
LETTER, NUMBER, MARK, JOIN, SPACE, OTHER = "lnmjsx"
_SPACES = frozenset("\t\n\x0b\x0c\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000") | {
    chr(c) for c in range(0x2000, 0x200B)
}
"""The characters that Unicode calls White_Space."""
_LATIN_NUMBERS = frozenset("\xb2\xb3\xb9\xbc\xbd\xbe")
"""Superscripts and fractions of Latin-1, which Oniguruma takes for a word's, unlike all others."""
_LETTERLIKE = ((0x24B6, 0x24E9), (0x1F130, 0x1F149), (0x1F150, 0x1F169), (0x1F170, 0x1F189))
"""Symbols that Unicode calls alphabetic: letters in circles and squares."""
CONTRACTIONS = "s t re ve m ll d".split()


def kind_of(character: str) -> str:
    """The kind of one character."""
    if character in _SPACES:
        return SPACE
    category = unicodedata.category(character)
    if category[0] in "LNM":
        return {"L": LETTER, "N": NUMBER, "M": MARK}[category[0]]
    return JOIN if category == "Pc" else OTHER


def is_word(character: str) -> bool:
    r"""Whether Oniguruma's \w takes it: letters, also in circles, marks, decimal and letter numbers, connectors."""
    kind, point = kind_of(character), ord(character)
    if kind == NUMBER:
        return unicodedata.category(character) != "No" or character in _LATIN_NUMBERS
    return kind in (LETTER, MARK, JOIN) or any(low <= point <= high for low, high in _LETTERLIKE)


class _Kinds(dict[int, str]):
    """Code point -> its kind, found when it is first met."""

    def __missing__(self, point: int) -> str:
        self[point] = kind_of(chr(point))
        return self[point]


class _Words(dict[int, str]):
    """Code point -> itself where a pattern names it, else w, s or x: a word's, a space, another."""

    def __missing__(self, point: int) -> str:
        character = chr(point)
        if character in "\n-.'’":
            found = character
        else:
            found = "w" if is_word(character) else SPACE if character in _SPACES else OTHER
        self[point] = found
        return found


_KINDS, _WORDS = _Kinds(), _Words()
_WORD = re.compile(r"\n|w+(?:[-'’.]w+)*|['’]w+|[-.'’x]")
_ASCII_WORD = re.compile(r"\n|<unk>|\w+(?:[-'.]\w+)*|'\w+|([^\w\s])\1*")
_PIECE = re.compile(r" ?l+| ?n+| ?[xjm]+|(?:s| )+(?![^s ])|(?:s| )+")
_ASCII_PIECE = re.compile(r"'(?:s|t|re|ve|m|ll|d)| ?[A-Za-z]+| ?[0-9]+| ?[^\sA-Za-z0-9]+|\s+(?!\S)|\s+")
_CONTRACTION = re.compile(r"'(?:s|t|re|ve|m|ll|d)")
_ODD_SPACES = re.compile("[\x1c-\x1f]")  # spaces to `re`, and to Unicode none


def lowered(text: str) -> str:
    """The text in small letters, each character by itself: Σ becomes σ also at the end of a word."""
    return text.lower() if text.isascii() else "".join(map(str.lower, text))


def words(text: str) -> Iterator[tuple[int, int]]:
    """Where each word, run of one sign, and newline of a text begins and ends; spaces are left out."""
    if text.isascii() and not _ODD_SPACES.search(text):
        yield from (found.span() for found in _ASCII_WORD.finditer(text))
        return
    classes, at, end = text.translate(_WORDS), 0, len(text)
    while at < end:
        if text.startswith("<unk>", at):
            found = at + 5
        else:
            match = _WORD.match(classes, at)
            if match is None:
                at += 1
                continue
            found = match.end()
            if classes[at] not in "\nw" and found == at + 1:  # a sign, as often as it is repeated
                while found < end and text[found] == text[at]:
                    found += 1
        yield at, found
        at = found


def pieces(text: str) -> Iterator[str]:
    """A text cut as GPT-2 cuts it: contractions, words, numbers and signs with a space before, spaces."""
    if text.isascii() and not _ODD_SPACES.search(text):
        yield from _ASCII_PIECE.findall(text)
        return
    classes = text.translate(_KINDS)
    classes = "".join(" " if c == " " else k for c, k in zip(text, classes, strict=True))
    at = 0
    while at < len(text):
        match = _CONTRACTION.match(text, at) or _PIECE.match(classes, at)
        assert match is not None, "the pattern takes every character"
        yield text[at : match.end()]
        at = match.end()
