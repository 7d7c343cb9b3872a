"""One training at a time in one folder: a lock that the operating system takes from a process that dies."""

from __future__ import annotations

import errno
import os
import socket
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from elman.atomic_io import naming_the_file
from elman.errors import UserError

NAME = ".elman.lock"
"""The file in the run's folder. It names the holder; what counts is the lock on it."""
_LOCKED_BYTE = 1 << 20  # on Windows: far behind the holder's name


class RunLock:
    """Holds a folder while it is entered; a killed process holds nothing.

    Raises:
        UserError: another process holds it, or the folder cannot be written to.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / NAME
        self.keep = False  # leave the file behind: it says that what else lies there is of a training that began
        self._handle = -1

    def __enter__(self) -> Self:
        there = os.path.lexists(self.path)
        with naming_the_file(self.path if there else self.path.parent):  # the user chose the folder, not the lock
            self.path.parent.mkdir(parents=True, exist_ok=True)
            while True:
                handle = os.open(self.path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o666)
                if not _lock_soon(handle):
                    error = _in_use(handle, self.path.parent)
                    os.close(handle)
                    raise error
                if self._is_still_there(handle):
                    break
                os.close(handle)  # its holder has just removed it
            self._handle = handle
            os.ftruncate(handle, 0)
            now = time.strftime("%Y-%m-%d %H:%M:%S")
            os.write(handle, f"process {os.getpid()} on {socket.gethostname()} since {now}\n".encode())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        stays = self.keep and any(path != self.path for path in self.path.parent.iterdir())
        if os.name == "nt":  # where an open file cannot be removed
            os.close(self._handle)
        if not stays:
            self.path.unlink(missing_ok=True)
        if os.name != "nt":
            os.close(self._handle)

    def _is_still_there(self, handle: int) -> bool:
        try:
            return os.path.samestat(os.fstat(handle), os.stat(self.path))
        except FileNotFoundError:
            return False


def check_idle(folder: Path) -> None:
    """Raise a UserError if a training holds the folder now."""
    try:
        handle = os.open(folder / NAME, os.O_RDWR)
    except (OSError, ValueError):  # nobody has begun there, or nobody may look
        return
    try:
        if not _lock(handle):
            raise _in_use(handle, folder)
    finally:
        os.close(handle)


def _in_use(handle: int, folder: Path) -> UserError:
    return UserError(
        f"{folder} is in use by {_holder(handle) or 'another training'}; wait for it, or choose another `out`"
    )


def was_begun(folder: Path) -> bool:
    """Whether a training began in the folder and was killed before it made a run of it."""
    return (folder / NAME).is_file()


def _holder(handle: int) -> str:
    """What the holder says of itself, which it writes in the moment after it has the lock."""
    for _ in range(20):
        os.lseek(handle, 0, os.SEEK_SET)
        if holder := os.read(handle, 200).decode("utf-8", "replace").strip():
            return holder
        time.sleep(0.05)
    return ""


def _lock_soon(handle: int) -> bool:
    """Take the lock, which one that only looks (`check_idle`) may have for a moment."""
    for _ in range(4):
        if _lock(handle):
            return True
        time.sleep(0.02)
    return False


def _lock(handle: int) -> bool:
    """Take the lock without waiting; False where another process has it."""
    try:
        import fcntl
    except ImportError:  # Windows
        import msvcrt

        try:
            os.lseek(handle, _LOCKED_BYTE, os.SEEK_SET)  # what is locked there cannot be read by others
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
        except OSError:
            return False
        finally:
            os.lseek(handle, 0, os.SEEK_SET)
        return True
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno not in (errno.EACCES, errno.EAGAIN):  # what some network file systems say instead
            raise
        return False
    return True
