"""The one place that opens a user's file: regular files only, their sizes looked at first."""

from __future__ import annotations

import glob
import logging
import stat
import unicodedata
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from elman.data.packed import packed_by, unpacked_name, unpacking
from elman.errors import UserError

LARGEST = 1 << 31
"""Bytes of a file that is read whole, at most: 2 GiB, which is twice the largest text in use (enwik9)."""
ANY_SIZE = 1 << 60
"""Bytes of a file that is read in blocks or of which the beginning is read, at most: all that a file system has."""
LARGEST_ARRAYS = 1 << 36
"""Bytes of a file of arrays, at most: 64 GiB."""
LARGEST_UNPACKED = 1 << 31
"""Bytes that a compressed file may hold, at most: 2 GiB."""
UNCHECKED_UNPACKED = 1 << 26
"""Bytes up to which it does not matter how well a file is packed: 64 MiB."""
LARGEST_RATIO = 200
"""How many times its own size a larger file may hold: text packs to a tenth, a bomb to a thousandth."""
_PIECE = 1 << 20
_WHOLE = (".json",)
"""Endings of files that mean nothing without their end."""
_MOST_LINES = 10_000
"""Lines that are given up at the end of a sample to end outside quotes, at most."""
log = logging.getLogger("elman")
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


def is_folder(path: Path) -> bool:
    """Whether a folder lies there; raises as `path_kind`."""
    return path_kind(path) == "folder"


def exists(path: Path) -> bool:
    """Whether anything lies there; raises as `path_kind`."""
    return path_kind(path) != "nothing"


def file_kind(path: Path) -> str:
    """The ending that says what is in a file, in small letters, that of the packed file where it is packed: ".csv"."""
    return Path(unpacked_name(path.name.lower())).suffix


def composed(name: str) -> str:
    """A file's name with its accents as one character each: macOS writes them as two, and tables often do not."""
    return unicodedata.normalize("NFC", name)


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
        UserError: it is not so, there are more than `most`, or more than memory holds.
    """
    size = check_file(path, most)
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise UserError(f"cannot read {path}: {_reason(error)}; check its permissions") from error
    except MemoryError as error:
        raise UserError(f"{path} has {size:,} bytes, more than memory holds; give a smaller file") from error
    if not raw:
        raise UserError(f"{path} is empty; give a file with something in it")
    return raw


@contextmanager
def open_whole(path: Path, most: int = LARGEST) -> Iterator[IO[bytes]]:
    """A file to seek in, with the checks of `read_bytes`, which it raises as."""
    if not check_file(path, most):
        raise UserError(f"{path} is empty; give a file with something in it")
    try:
        file = open(path, "rb")  # noqa: SIM115  (closed below)
    except OSError as error:
        raise UserError(f"cannot read {path}: {_reason(error)}; check its permissions") from error
    with file:
        try:
            yield file
        except OSError as error:
            raise UserError(f"cannot read {path}: {_reason(error)}; check the disk it is on") from error


@dataclass
class Sample:
    """How much is read of what is only looked at, and what had more.

    Attributes:
        most: bytes of a file that are read, at most.
        files: of a folder that are read, at most.
        cut: the files of which the beginning was read, and the bytes that each has on the disk.
        thinned: the folders of which some files were read, evenly spread, and how many each has.
    """

    most: int
    files: int
    cut: dict[Path, int] = field(default_factory=dict)
    thinned: dict[Path, int] = field(default_factory=dict)


_sample: ContextVar[Sample | None] = ContextVar("sample", default=None)


@contextmanager
def reading_samples(most: int, files: int) -> Iterator[Sample]:
    """Inside, `read_content` gives the beginning of larger files, and `some_of` some files of large folders."""
    sample = Sample(most, files)
    token = _sample.set(sample)
    try:
        yield sample
    finally:
        _sample.reset(token)


def is_sampling() -> bool:
    """Whether files are only looked at: inside `reading_samples`."""
    return _sample.get() is not None


def bytes_to_read(path: Path) -> int | None:
    """About how much of a large file is to be read inside `reading_samples`; None where all of it is."""
    sample, size = _sample.get(), check_file(path, ANY_SIZE)
    if sample is None or size <= sample.most:
        return None
    sample.cut[path] = size
    return sample.most


def some_of(files: Sequence[Path], folder: Path) -> list[Path]:
    """The files of a folder; inside `reading_samples` of many some, evenly spread."""
    sample = _sample.get()
    if sample is None or len(files) <= sample.files:
        return list(files)
    sample.thinned[folder] = len(files)
    return [files[number * len(files) // sample.files] for number in range(sample.files)]


def read_content(path: Path, most: int = LARGEST) -> bytes:
    """What a file holds, unpacked where its name ends in .gz or .zst; raises as `read_bytes` and `read_packed`."""
    sample = _sample.get()
    if sample is not None and file_kind(path) not in _WHOLE:
        return _beginning(path, sample)
    return read_packed(path, most) if packed_by(path) else read_bytes(path, most)


def _beginning(path: Path, sample: Sample) -> bytes:
    """What a file holds, or of a large one the lines of its beginning, up to one that ends outside quotes."""
    size = check_file(path, ANY_SIZE)
    with unpacking(path) as file:
        raw = file.read(sample.most + 1)
    if not raw:
        raise UserError(f"{path} is empty; give a file with something in it")
    if len(raw) <= sample.most:
        return raw
    sample.cut[path] = size
    end = raw.rfind(b"\n") + 1
    if not end:  # one long line: up to a whole character
        return raw[:-4].decode("utf-8", "ignore").encode()
    odd, lines = raw.count(b'"', 0, end) % 2, [end]
    while odd and lines[-1] > 0 and len(lines) < _MOST_LINES:
        before = raw.rfind(b"\n", 0, lines[-1] - 1) + 1
        odd = (odd + raw.count(b'"', before, lines[-1])) % 2
        lines.append(before)
    return raw[: end if odd or not lines[-1] else lines[-1]]


def read_packed(path: Path, most: int = LARGEST_UNPACKED) -> bytes:
    """What a file holds that gzip or zstd has packed, as its name says.

    Raises:
        UserError: it cannot be read, is damaged, holds nothing, more than `most` bytes, or far more than its size lets
            expect.
    """
    size = check_file(path)
    pieces: list[bytes] = []
    count = 0
    try:
        with unpacking(path) as file:
            while piece := file.read(_PIECE):
                count += len(piece)
                if count > most:
                    raise UserError(f"{path} holds more than {most:,} bytes; unpack it and give a part")
                if count > UNCHECKED_UNPACKED and count > LARGEST_RATIO * size:
                    raise UserError(
                        f"{path} holds more than {LARGEST_RATIO} times its {size:,} bytes, as no data do;"
                        " check where it is from"
                    )
                pieces.append(piece)
    except MemoryError as error:
        raise UserError(f"{path} holds more than memory does; unpack it and give a part") from error
    if not count:
        raise UserError(f"{path} is empty; give a file with something in it")
    return b"".join(pieces)


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).lower()


def list_folder(folder: Path, suffixes: Collection[str] = ()) -> list[Path]:
    """What lies in a folder, in order of name, without what file managers left there (._a.jpg, Thumbs.db).

    Arguments:
        suffixes: in small letters; files with another ending are left out, and folders too. All for none.

    Raises:
        UserError: there is no such folder, or it cannot be read.
    """
    if not is_folder(folder):
        raise UserError(f"{folder} is no folder; give one")
    try:
        found = sorted(folder.iterdir())
    except OSError as error:
        raise UserError(f"cannot read {folder}: {_reason(error)}; check its permissions") from error
    if suffixes:
        found = [path for path in found if path.name.lower().endswith(tuple(suffixes))]
    return without_stray(found)


def matching_files(names: Sequence[str]) -> list[Path]:
    """The files that are named, and for a pattern such as texts/*.txt those that match it, in order of name.

    Raises:
        UserError: nothing matches a pattern.
    """
    found: list[Path] = []
    for name in names:
        path = Path(name).expanduser()
        if not glob.has_magic(name) or exists(path):
            found.append(path)
            continue
        matches = [one for one in without_stray(map(Path, glob.glob(str(path)))) if is_file(one)]
        if not matches:
            raise UserError(f"no file matches {name}; check the pattern")
        found += matches
    return found


def without_stray(paths: Iterable[Path]) -> list[Path]:
    """Paths in order of name without those that a file manager left; says how many of them were passed over."""
    found = sorted(paths)
    stray = [path for path in found if is_stray(path.name)]
    if stray:
        log.info("%d hidden files are passed over; the first is %s", len(stray), stray[0])
    return [path for path in found if not is_stray(path.name)]


def is_stray(name: str) -> bool:
    """Whether a name is hidden, or of a file manager's own files."""
    return name.startswith(".") or name.lower() in _STRAY
