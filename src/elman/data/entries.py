"""What elman makes once of a user's files and finds again: entries of a cache, by what they follow from.

An entry is several files, each written whole or not at all, the one that says that the others are there last: KEY.json,
which has a checksum. The sizes and CRC-32 of the others are in KEY.sums.json: a damaged entry is no entry. Files of up
to `WHOLLY_CHECKED` bytes an entry are checked whole, and of larger ones some blocks from the first to the last.
The entries together take at most `limit()` bytes: the one that was used longest ago goes first. All of it can be
deleted at any time.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
import zlib
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from elman.atomic_io import NO_ROOM, UnwritableError, reason_of, remove_leftovers
from elman.data.digests import cache_root
from elman.data.io.json_files import read_checked, write_checked
from elman.errors import UserError

_FORMAT = 1
_LARGE = (".ids", ".texts", ".column", ".vectors")
"""Endings of the files that take room: what lies beside one of them goes with it."""
_GIGABYTES = 50.0
WHOLLY_CHECKED = 256_000_000
"""Bytes of an entry that are read to see whether it is damaged, 0.2 to 0.3 s; shared equally by its files."""
_BLOCKS = 16
_AT_ONCE = 1 << 18
T = TypeVar("T")


@dataclass(frozen=True)
class _Sum:
    """Bytes of a file, whether all of them were summed, and the CRC-32."""

    size: int
    wholly: bool
    crc: int


@dataclass(frozen=True)
class _Sums:
    """What KEY.sums.json says: the files of an entry by their endings."""

    files: dict[str, _Sum]


class CacheError(UserError):
    """The cache's folder cannot be used: the message says why, and that ELMAN_CACHE names another."""

    def __init__(self, cause: OSError) -> None:
        first = "free some space there" if cause.errno in NO_ROOM else "mend it"
        super().__init__(
            f"the cache's folder {folder()} cannot be used: {reason_of(cause)}; {first}, or name another by the"
            " environment variable ELMAN_CACHE"
        )


def folder() -> Path:
    """Where the entries lie, those of tables too: `texts` in the folder that ELMAN_CACHE names, or in the system's."""
    return cache_root() / "texts"


def limit() -> int:
    """The bytes that all entries together may take: ELMAN_CACHE_GB gigabytes, 50 without it.

    Raises:
        UserError: ELMAN_CACHE_GB is no number.
    """
    said = os.environ.get("ELMAN_CACHE_GB", str(_GIGABYTES))
    try:
        return max(0, int(float(said) * 1e9))  # int, since nan is no number either
    except (ValueError, OverflowError) as error:
        raise UserError(f"ELMAN_CACHE_GB is {said!r}; it must be a number of gigabytes, 50 for instance") from error


def make_ready() -> None:
    """Make the folder and look at the limit, before any work is done that needs them.

    Raises:
        CacheError: the folder cannot be written to.
        UserError: ELMAN_CACHE_GB is no number.
    """
    limit()
    try:
        folder().mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder()):
            pass
    except OSError as error:
        raise CacheError(error) from error


@contextlib.contextmanager
def naming_the_folder() -> Iterator[None]:
    """Turn what the operating system refuses inside, of the cache's files, into a `CacheError`; of others it passes."""
    try:
        yield
    except UnwritableError as error:
        if not _is_inside(error.path):
            raise
        raise CacheError(error.cause) from error
    except OSError as error:
        if not _is_inside(error.filename):
            raise
        raise CacheError(error) from error


def _is_inside(name: Any) -> bool:
    return isinstance(name, str | Path) and Path(name).is_relative_to(cache_root())


def key_of(*parts: Any) -> str:
    """The name of what follows from `parts`, plain values."""
    return hashlib.sha256(json.dumps([_FORMAT, *parts]).encode()).hexdigest()[:40]


def description(key: str, kind: type[T]) -> T | None:
    """What KEY.json says, which counts as a use of the entry; None where any of its files is missing or damaged."""
    try:
        entry = read_checked(folder() / f"{key}.json", kind, "description of what was made")
        known = read_checked(folder() / f"{key}.sums.json", _Sums, "checksums").files
        if known != {name: _sum(key, name, len(known), wholly=one.wholly) for name, one in known.items()}:
            return None
    except (UserError, OSError):
        return None
    with contextlib.suppress(OSError):
        os.utime(folder() / f"{key}.json")  # the time of its last use
    return entry


def describe(key: str, entry: Any, files: Collection[str], *, wholly: Collection[str] = ()) -> None:
    """Write the file that makes an entry whole, and make room for it.

    Arguments:
        entry: a dataclass.
        files: the endings of its other files.
        wholly: those that are checked whole, however large they are.
    """
    share = WHOLLY_CHECKED // max(1, len(files))
    small = {name for name in files if (folder() / f"{key}{name}").stat().st_size <= share}
    sums = {name: _sum(key, name, len(files), wholly=name in wholly or name in small) for name in files}
    write_checked(folder() / f"{key}.sums.json", _Sums(sums))
    write_checked(folder() / f"{key}.json", entry)
    _keep_within_limit(key)


@contextlib.contextmanager
def made_once(key: str) -> Iterator[None]:
    """Let one process make an entry while others, of this computer, wait for it.

    Raises:
        CacheError: the folder cannot be used, or a file of it cannot be written or read inside.
        UserError: ELMAN_CACHE_GB is no number.
    """
    make_ready()
    remove_leftovers(folder())
    with naming_the_folder(), _locked(key):
        yield


@contextlib.contextmanager
def _locked(key: str) -> Iterator[None]:
    try:
        import fcntl
    except ImportError:  # Windows: they all make it, and the last one's stays
        yield
        return
    with open(folder() / f"{key}.lock", "w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
        except OSError as error:  # a file system without locks
            raise CacheError(error) from error
        yield


def _sum(key: str, ending: str, files: int, *, wholly: bool) -> _Sum:
    """The sum of a file, or of blocks of it that have a file's share of `WHOLLY_CHECKED`."""
    with open(folder() / f"{key}{ending}", "rb", buffering=0) as file:
        size = os.fstat(file.fileno()).st_size
        length = size if wholly else min(size, WHOLLY_CHECKED // files // _BLOCKS)
        found, buffer = 0, memoryview(bytearray(min(_AT_ONCE, max(1, length))))
        for number in range(1 if wholly else _BLOCKS):
            file.seek((size - length) * number // (_BLOCKS - 1))
            left = length
            while left and (read := file.readinto(buffer[:left])):
                found, left = zlib.crc32(buffer[:read], found), left - read
    return _Sum(size, wholly, found)


def _keep_within_limit(key: str) -> None:
    names = {path.name.split(".")[0] for ending in _LARGE for path in folder().glob(f"*{ending}")}
    sizes, used = dict.fromkeys(names, 0), dict.fromkeys(names, 0.0)
    for name in names:
        for path in folder().glob(f"{name}.*"):
            with contextlib.suppress(FileNotFoundError):  # another process makes room, too
                state = path.stat()
                sizes[name] += state.st_size
                used[name] = max(used[name], state.st_mtime)
    total, most = sum(sizes.values()), limit()
    for name in sorted(sizes, key=used.__getitem__):
        if total <= most:
            break
        if name != key:
            for path in folder().glob(f"{name}.*"):
                with contextlib.suppress(OSError):  # Windows: another process has it open
                    path.unlink()
            total -= sizes[name]
