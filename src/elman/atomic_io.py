"""Every file is written whole or not at all: a temporary name beside it, fsync, then a rename."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import socket
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from elman.errors import UserError

_LEFTOVER = re.compile(r"\.(\w*)-(\d+)-\w+\.part$")
_LONGEST_STEM = 150  # of a file's name in that of its temporary file
_OLD = 24 * 3600.0  # seconds
_ELSEWHERE = "choose another folder or name"
NO_ROOM = (errno.ENOSPC, errno.EDQUOT)
"""What the operating system answers where a disk, or the user's share of it, is full."""
_WHAT_TO_DO = {
    **dict.fromkeys(NO_ROOM, "free some space or choose another folder"),
    errno.EACCES: "check the permissions or choose another folder",
    errno.EPERM: "check the permissions or choose another folder",
}
"""By what the operating system answers."""


class UnwritableError(UserError):
    """A file could not be written: `path`, and `cause`, what the operating system answered."""

    def __init__(self, path: Path, cause: OSError) -> None:
        what_to_do = _WHAT_TO_DO.get(cause.errno or 0, _ELSEWHERE)
        super().__init__(f"cannot write {path}: {reason_of(cause)}; {what_to_do}")
        self.path, self.cause = path, cause


def reason_of(error: OSError) -> str:
    """What the operating system says, as a part of a sentence."""
    return (error.strerror or str(error)).lower()


@contextlib.contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A temporary file in `path`'s folder, which is put in `path`'s place where nothing is raised inside.

    Raises:
        UnwritableError: the folder cannot be written to, or the disk is full; `path` is as it was.
    """
    with naming_the_file(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        prefix = f".{path.name[:_LONGEST_STEM]}.{_host()}-{os.getpid()}-"
        handle, name = tempfile.mkstemp(prefix=prefix, suffix=".part", dir=path.parent)
        os.close(handle)
        part = Path(name)
        try:
            yield part
            with open(part, "rb+") as written:
                os.fsync(written.fileno())
            part.chmod(0o666 & ~_umask())
            os.replace(part, path)
            _sync_folder(path.parent)
        finally:
            part.unlink(missing_ok=True)


def write_whole(path: Path, write: Callable[[Path], None]) -> None:
    """Call `write` on a temporary file, then put that file in `path`'s place; raises as `whole_file`."""
    with whole_file(path) as part:
        write(part)


def write_bytes(path: Path, data: bytes) -> None:
    """Write `data` to `path`, whole or not at all."""
    write_whole(path, lambda part: _fill(part, data))


def write_text(path: Path, text: str) -> None:
    """Write `text` to `path` in UTF-8, whole or not at all."""
    write_bytes(path, text.encode())


def remove_leftovers(folder: Path, *, alone: bool = False) -> int:
    """Remove the temporary files of killed processes from a folder; returns how many there were.

    Those of this computer whose process is gone, and whatever nobody has written to for a day: of another computer, or
    of version 0.1, which names no process.

    Arguments:
        alone: nobody else writes into the folder, so that a number of a process may be another's by now.
    """
    removed = 0
    for path in folder.glob(".*.part"):
        found = _LEFTOVER.search(path.name)
        with contextlib.suppress(OSError):  # another process has just removed it
            ours = found is not None and found[1] == _host()
            gone = ours and (alone or not _lives(int(found[2]))) if found else False
            if gone or time.time() - path.lstat().st_mtime > _OLD:
                path.unlink()
                removed += 1
    return removed


def _host() -> str:
    return re.sub(r"\W", "", socket.gethostname())[:20]


def _lives(process: int) -> bool:
    if os.name == "nt":
        return True  # a signal would end it there; what is left over goes when it is old
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:  # another user's
        return True
    return True


@contextlib.contextmanager
def naming_the_file(path: Path) -> Iterator[None]:
    """Turn an operating-system error inside into one line that names `path`."""
    try:
        yield
    except OSError as error:
        raise UnwritableError(path, error) from error


def _fill(path: Path, data: bytes) -> None:
    path.write_bytes(data)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _sync_folder(folder: Path) -> None:
    if os.name == "nt":
        return  # where folders cannot be opened
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
