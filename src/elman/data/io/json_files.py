"""JSON files of a run, of the cache and of the user, read by a schema: types are checked before all else."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

from elman.atomic_io import write_bytes
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
    return _decoded(read_content(path, LARGEST), path, kind, what)


def write_checked(path: Path, value: Any) -> None:
    """Write a dataclass as a line of JSON, and below it the SHA-256 of that line."""
    line = json.dumps(asdict(value)).encode()
    write_bytes(path, line + b"\n" + hashlib.sha256(line).hexdigest().encode() + b"\n")


def read_checked(path: Path, kind: type[T], what: str) -> T:
    """What `write_checked` wrote; raises as `read_json`, and where one letter is another."""
    raw = read_content(path, LARGEST)
    line, _, rest = raw.partition(b"\n")
    if rest != hashlib.sha256(line).hexdigest().encode() + b"\n":
        raise UserError(f"{path} is damaged: its checksum is another; remove it")
    return _decoded(line, path, kind, what)


def _decoded(raw: bytes, path: Path, kind: type[T], what: str) -> T:
    with optional_imports():
        import msgspec

    try:
        return msgspec.json.decode(raw, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, ValueError, OverflowError) as error:
        reason = plain_quotes(error)[:120] or type(error).__name__
        raise UserError(f"{path} is damaged: it holds no {what} ({reason}); restore it from a copy") from error
