"""Text files of any size, piece by piece: UTF-8, plain or packed by gzip or zstd, never a file as a whole.

The pieces together are what `elman.data.io.text.read_text` gives for the same files, and what is no text raises the
same errors.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from elman.data.io.files import ANY_SIZE, check_file
from elman.data.io.text import BYTE_ORDER_MARKS, not_text, not_utf8
from elman.data.packed import unpacking
from elman.errors import UserError

BLOCK = 1 << 22
"""Bytes that are read at once."""
_MARK = b"\xef\xbb\xbf"
_MAYBE = re.compile("[ \n]")  # a set alone is searched for many times faster than what stands around it
_LONGEST = 64  # times the size asked for, where there is no such place


def text_pieces(paths: Sequence[Path]) -> Iterator[str]:
    """The text of files in the order given, a few million characters at a time.

    Newlines stay as they are. Where a file does not end in one, the next begins on a new line all the same.

    Raises:
        UserError: a file is missing, unreadable, empty, binary, damaged, or not UTF-8 (with the offset).
    """
    ended = True
    for path in paths:
        if not ended:
            yield "\n"
        for piece in file_pieces(path):
            yield piece
            ended = piece.endswith("\n")


def file_pieces(path: Path) -> Iterator[str]:
    """The text of one file; raises as `text_pieces`."""
    decoder, offset, first = codecs.getincrementaldecoder("utf-8")(), 0, True
    for block in _blocks(path):
        if first and block[:2] in BYTE_ORDER_MARKS:
            raise not_text(path, block)
        nul = block.find(b"\0")
        if nul >= 0:
            raise not_text(path, block, offset)
        skipped = len(_MARK) if first and block.startswith(_MARK) else 0
        first = False
        waiting = len(decoder.getstate()[0])  # bytes of a character that the block before began
        try:
            piece = decoder.decode(block[skipped:])
        except UnicodeDecodeError as error:
            raise _not_utf8(path, offset + skipped - waiting + error.start, error) from error
        offset += len(block)
        if piece:
            yield piece
    if first:
        raise UserError(f"{path} is empty; give a file with something in it")
    waiting = len(decoder.getstate()[0])
    try:
        decoder.decode(b"", final=True)
    except UnicodeDecodeError as error:
        raise _not_utf8(path, offset - waiting + error.start, error) from error


def cut_at(pieces: Iterable[str], characters: int) -> tuple[Iterator[str], Iterator[str]]:
    """The pieces of the first `characters` characters, and those of the rest; the first must be used up first."""
    rest, source = "", iter(pieces)

    def before() -> Iterator[str]:
        nonlocal rest
        left = characters
        for piece in source:
            rest = piece[left:]
            yield piece[:left]
            left -= min(left, len(piece))
            if not left:
                return

    def after() -> Iterator[str]:
        if rest:
            yield rest
        yield from source

    return before(), after()


def whole_tokens(pieces: Iterable[str], size: int) -> Iterator[str]:
    """The same text in pieces of about `size` characters that end where no token of words or byte-level BPE goes on.

    A text without spaces and line ends is cut after 64 times that size: `tokenizers` takes some fifty times the memory
    of what it is given at once, and ends the process where there is no more.
    """
    kept = ""
    for piece in pieces:
        kept += piece
        start = 0
        while len(kept) - start > size:
            end = _cut(kept, start + size, start + _LONGEST * size)
            if end >= len(kept):
                break
            yield kept[start:end]
            start = end
        kept = kept[start:]
    if kept:
        yield kept


def _cut(text: str, first: int, last: int) -> int:
    """Where a text may be cut so that words and byte-level BPE find the same tokens as in the whole; `last` if nowhere.

    That is before a space that goes with the word after it, or after a line's end with no other white space beside it.
    """
    for found in _MAYBE.finditer(text, first, last):
        at = found.start()
        before, after = text[at - 1 : at], text[at + 1 : at + 2]
        if after and not after.isspace():
            if text[at] == " ":
                return at
            if not before.isspace():
                return at + 1
    return last


def _blocks(path: Path) -> Iterator[bytes]:
    check_file(path, ANY_SIZE)
    with unpacking(path) as file:
        while block := file.read(BLOCK):
            yield block


def _not_utf8(path: Path, place: int, error: UnicodeDecodeError) -> UserError:
    """The complaint, with the line, for which the file is read once more."""
    line, left = 1, place
    for block in _blocks(path):
        line += block.count(b"\n", 0, left)
        left -= len(block)
        if left <= 0:
            break
    return not_utf8(path, error.object[error.start], place, line)
