"""JSON files of a run and of the user, read by a schema: types are checked before anything is made of them."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

from elman.data.io.files import read_content
from elman.errors import UserError, optional_imports, plain_quotes

LARGEST = 1 << 28
"""Bytes of a JSON file, at most: 256 MiB."""

T = TypeVar("T")


def read_json(path: Path, kind: type[T], what: str) -> T:
    """A JSON file as a value of `kind`, which may be any type that msgspec knows: list[str], a Struct, a dataclass.

    Arguments:
        what: what the file should be, for the message: "a list of names".

    Raises:
        UserError: the file is missing, too large, no JSON, nested without end, or of another form.
    """
    with optional_imports():
        import msgspec

    raw = read_content(path, LARGEST)
    try:
        return msgspec.json.decode(raw, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, ValueError, OverflowError) as error:
        reason = plain_quotes(error)[:120] or type(error).__name__
        raise UserError(f"{path} is damaged: it holds no {what} ({reason}); restore it from a copy") from error
