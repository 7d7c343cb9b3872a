"""Plain text: read from files, taken from Python itself, split into a training and a validation part."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from elman.data.io.files import read_content
from elman.data.packed import packed_by, unpacked_name
from elman.errors import UserError

BYTE_ORDER_MARKS = {b"\xff\xfe": "UTF-16", b"\xfe\xff": "UTF-16"}


def read_text(paths: Sequence[Path]) -> str:
    """The text of one or several UTF-8 files, packed or not, in the order given.

    Newlines stay as they are. Where a file does not end in one, the next begins on a new line all the same.

    Raises:
        UserError: a file is missing, a folder, unreadable, empty, binary, or not UTF-8 (with the offset).
    """
    text = ""
    for path in paths:
        if text and not text.endswith("\n"):
            text += "\n"
        text += _read_file(Path(path))
    return text


def builtin_text() -> str:
    """The language reference that every Python carries (`pydoc_data.topics`): English without a network."""
    from pydoc_data.topics import topics

    return "\n".join(topics[name] for name in sorted(topics))


def split_text(text: str, validation_share: float) -> tuple[str, str]:
    """The first part of `text` for training and the last `validation_share` of its characters for validation.

    Raises:
        UserError: one of the two parts would be empty.
    """
    cut = split_point(len(text), validation_share)
    return text[:cut], text[cut:]


def split_point(characters: int, validation_share: float) -> int:
    """How many of a text's characters are for training; raises as `split_text`."""
    if not 0 < validation_share < 1:
        raise UserError(f"the validation share is {validation_share:g}; it must lie between 0 and 1, as 0.1 does")
    cut = int(characters * (1 - validation_share))
    if not 0 < cut < characters:
        empty = "training" if cut == 0 else "validation"
        raise UserError(
            f"a validation share of {validation_share:g} of {characters} characters leaves nothing"
            f" for {empty}; give more text or another share"
        )
    return cut


def decode_utf8(raw: bytes, path: Path) -> str:
    """The text of a file's bytes, without the byte-order mark that some editors put first.

    Raises:
        UserError: a NUL byte (the file is binary), or bytes that are not UTF-8; the message says where.
    """
    if raw[:2] in BYTE_ORDER_MARKS or b"\0" in raw:
        raise not_text(path, raw)
    start = 3 if raw.startswith(b"\xef\xbb\xbf") else 0
    try:
        return raw[start:].decode("utf-8")
    except UnicodeDecodeError as error:
        offset = start + error.start
        raise not_utf8(path, raw[offset], offset, raw.count(b"\n", 0, offset) + 1) from error


def not_text(path: Path, raw: bytes, offset: int = 0) -> UserError:
    """The complaint about bytes that begin as UTF-16 or have a NUL byte; they stand at `offset` in the file."""
    mark = BYTE_ORDER_MARKS.get(raw[:2]) if not offset else None
    if mark:
        return UserError(f"{path} is {mark}, not UTF-8; convert it with: {converting(path, mark)}")
    nul = offset + raw.find(b"\0")
    return UserError(f"{path} is not text: it has a NUL byte at byte offset {nul}; give a text file in UTF-8")


def not_utf8(path: Path, byte: int, offset: int, line: int) -> UserError:
    """The complaint about a byte that is not UTF-8."""
    return UserError(
        f"{path} is not UTF-8: byte 0x{byte:02x} at byte offset {offset} (line {line});"
        f" convert it, for instance with: {converting(path)}"
    )


def converting(path: Path, encoding: str = "ISO-8859-1") -> str:
    """The command of a shell that writes the text of a file, packed or not, as UTF-8 into a new file beside it."""
    import shlex

    name, packer = unpacked_name(path.name), packed_by(path)
    new = path.with_name(f"{Path(name).stem}-utf8{Path(name).suffix}")
    old = shlex.quote(str(path))
    source = f"{packer} -dc {old} | iconv -f {encoding} -t UTF-8" if packer else f"iconv -f {encoding} -t UTF-8 {old}"
    return f"{source} > {shlex.quote(str(new))}"


def line_blocks(pieces: Iterable[str]) -> Iterator[str]:
    """The same text in pieces that end where a line does, with a newline; only the last may lack it."""
    kept: list[str] = []
    for piece in pieces:
        cut = piece.rfind("\n") + 1
        if cut:
            yield "".join((*kept, piece[:cut]))
            kept = []
        if cut < len(piece):
            kept.append(piece[cut:])
    if kept:
        yield "".join(kept)


def newline_parted(pieces: Iterable[str]) -> Iterator[str]:
    """The lines of a text that comes in pieces, parted by a newline and nothing else."""
    for block in line_blocks(pieces):
        yield from block.removesuffix("\n").split("\n")


def parse_number(text: str) -> float:
    """A number as data files write it: Python's `float` without 1_0 and without the digits of other scripts.

    Raises:
        ValueError: the text is none.
    """
    if "_" in text or not text.isascii():
        raise ValueError(f"{text[:40]!r} is no number")
    return float(text)


def is_number(text: str) -> bool:
    """Whether `parse_number` takes a text."""
    try:
        parse_number(text)
    except ValueError:
        return False
    return True


def _read_file(path: Path) -> str:
    return decode_utf8(read_content(path), path)
