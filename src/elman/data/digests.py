"""The SHA-256 of a user's file, which is computed once: remembered for as long as the file is untouched.

A file counts as untouched while its place, size, inode and both of its times (of change of content and of state, to the
nanosecond) are what they were. A file that changed within two seconds before it was read is not remembered: a second
change could have the same time. What is remembered lies in `cache_root()`, a few hundred bytes a file.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import time
from pathlib import Path

from elman.atomic_io import UnwritableError, write_text
from elman.data.io.files import ANY_SIZE, check_file
from elman.errors import UserError, optional_imports

_BLOCK = 1 << 22
_FRESH = 2_000_000_000  # nanoseconds

Signature = tuple[int, ...]


def cache_root() -> Path:
    """Where elman keeps what it can make again: the folder that ELMAN_CACHE names, else one of the system's cache."""
    named = os.environ.get("ELMAN_CACHE")
    if named:
        try:
            return Path(named).expanduser()
        except RuntimeError as error:  # of ~nobody
            raise UserError(f"ELMAN_CACHE is {named!r}, and there is no such home folder; name another") from error
    with optional_imports():
        import platformdirs

    return Path(platformdirs.user_cache_dir("elman", appauthor=False)) / "made"


def signature(path: Path) -> Signature:
    """What tells whether a file is untouched: device, inode, size, and the times of change in nanoseconds.

    Raises:
        UserError: there is no such file.
    """
    check_file(path, ANY_SIZE)
    state = path.stat()
    return state.st_dev, state.st_ino, state.st_size, state.st_mtime_ns, state.st_ctime_ns


def content_digest(path: Path) -> str:
    """The SHA-256 of a file's bytes, in hexadecimal digits; read once, in blocks.

    Raises:
        UserError: the file is missing or unreadable, or changes while it is read.
    """
    before = signature(path)
    known = known_digest(path)
    if known:
        return known
    begun = time.time_ns()
    digest = hashlib.sha256()
    try:
        with open(path, "rb", buffering=0) as file:
            buffer = bytearray(_BLOCK)
            while read := file.readinto(buffer):
                digest.update(memoryview(buffer)[:read])
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise UserError(f"cannot read {path}: {reason}; check its permissions") from error
    check_untouched(path, before)
    found = digest.hexdigest()
    if begun - max(before[-2:]) > _FRESH:
        words = " ".join(map(str, (*before, found)))
        with contextlib.suppress(UnwritableError):  # it is computed again the next time
            write_text(_note(path), f"{words} {_checksum(words)}\n")
    return found


def known_digest(path: Path) -> str:
    """The digest as it is remembered, or nothing; the file's content is not read."""
    try:
        words, _, checksum = _note(path).read_text(encoding="ascii").strip().rpartition(" ")
        *numbers, found = words.split()
    except (OSError, ValueError):  # none, or a damaged one
        return ""
    whole = checksum == _checksum(words)
    return found if whole and numbers == [str(number) for number in signature(path)] else ""


def check_untouched(path: Path, before: Signature) -> None:
    """Raise a UserError where a file is not what it was."""
    if signature(path) != before:
        raise UserError(f"{path} changed while it was read; try again when nothing writes to it")


def _checksum(words: str) -> str:
    return hashlib.sha256(words.encode()).hexdigest()[:16]


def _note(path: Path) -> Path:
    name = hashlib.sha256(os.fsencode(path.resolve())).hexdigest()[:32]
    return cache_root() / "digests" / f"{name}.txt"
