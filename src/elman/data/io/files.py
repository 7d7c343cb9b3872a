"""The one place that opens a user's file: regular files only, their sizes looked at first."""

from __future__ import annotations

import gzip
import stat
import zlib
from collections.abc import Iterable
from pathlib import Path

from elman.errors import UserError

LARGEST = 1 << 36
"""Bytes of a file that is read whole, at most: 64 GiB."""
LARGEST_UNPACKED = 1 << 32
"""Bytes that a compressed file may hold, at most: 4 GiB."""
_STRAY = frozenset({"thumbs.db", "desktop.ini", "__macosx"})


def path_kind(path: Path) -> str:
    """What lies at a path: "file", "folder", "nothing", or in words what else.

    Raises:
        UserError: the path cannot be looked at: a name too long, a folder without permission.
    """
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return "nothing"
    except (OSError, ValueError) as error:  # ValueError: a NUL byte in the name
        reason = (getattr(error, "strerror", None) or str(error)).lower()
        raise UserError(f"cannot look at {str(path)[:200]}: {reason}; check the path and its permissions") from error
    if stat.S_ISREG(mode):
        return "file"
    if stat.S_ISDIR(mode):
        return "folder"
    named = {stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket", stat.S_IFCHR: "a device", stat.S_IFBLK: "a device"}
    return named.get(stat.S_IFMT(mode), "no regular file")


def is_file(path: Path) -> bool:
    """Whether a regular file lies there; raises as `path_kind`."""
    return path_kind(path) == "file"


def check_file(path: Path, most: int = LARGEST) -> int:
    """The size of a regular file in bytes.

    Raises:
        UserError: nothing is there, or something else, or more than `most` bytes.
    """
    kind = path_kind(path)
    if kind == "nothing":
        raise UserError(f"there is no file {path}; check the path")
    if kind == "folder":
        raise UserError(f"{path} is a folder; give the file inside it")
    if kind != "file":
        raise UserError(f"{path} is {kind}; give a regular file")
    size = path.stat().st_size
    if size > most:
        raise UserError(f"{path} has {size:,} bytes, and at most {most:,} are read; give a smaller file")
    return size


def read_bytes(path: Path, most: int = LARGEST) -> bytes:
    """The bytes of a regular file that is readable and not empty.

    Raises:
        UserError: it is not so, or there are more than `most`.
    """
    check_file(path, most)
    try:
        raw = path.read_bytes()
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise UserError(f"cannot read {path}: {reason}; check its permissions") from error
    if not raw:
        raise UserError(f"{path} is empty; give a file with something in it")
    return raw


def read_gzip(path: Path, most: int = LARGEST_UNPACKED) -> bytes:
    """What a gzip file holds.

    Raises:
        UserError: it cannot be read, is damaged, or holds more than `most` bytes.
    """
    check_file(path)
    try:
        with gzip.open(path) as file:
            raw = file.read(most + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f"{path} is damaged ({error}); get a whole copy") from error
    if len(raw) > most:
        raise UserError(f"{path} holds more than {most:,} bytes; unpack it and give a part")
    return raw


def without_stray(paths: Iterable[Path]) -> list[Path]:
    """Paths in order of name without those that a file manager left (._a.jpg, .DS_Store, Thumbs.db)."""
    return sorted(path for path in paths if not is_stray(path.name))


def is_stray(name: str) -> bool:
    """Whether a name is hidden, or of a file manager's own files."""
    return name.startswith(".") or name.lower() in _STRAY
