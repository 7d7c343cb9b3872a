"""A digest of what a run learns from, kept in its folder: a resumed run must not go on with other data unawares.

What was read is hashed, not the files that it was read from: a table saved in another format, or a folder that was
moved, is the same data. Texts, numbers and arrays are hashed whole (about a gigabyte a second). Of sound and picture
files, which may be many and large, the size and three blocks of 64 KiB are: the first, the middle and the last.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import chain, groupby, islice
from pathlib import Path
from typing import Any

import numpy as np

from elman.atomic_io import UnwritableError, write_text
from elman.data.io.files import path_kind
from elman.data.io.json_files import read_checked, read_json, write_checked
from elman.errors import UserError

NAME = "data.json"
"""The file in the run's folder."""
BLOCK = 1 << 16
"""Bytes of a block of a file."""
_TOGETHER = 4096
Parts = Mapping[str, Iterable[Any]]
"""What a task learns from: for each part ("training part") its examples, or one text."""
log = logging.getLogger("elman")


@dataclass(frozen=True)
class PartDigest:
    """How many examples (characters of a text) a part has, and the SHA-256 of all of them."""

    count: int
    sha256: str


def digest(parts: Parts) -> dict[str, PartDigest]:
    """The digest of each part.

    Arguments:
        parts: examples of texts, bytes, numbers, None, arrays, paths of files, and sequences of these.
    """
    return {name: _remembered(examples) for name, examples in parts.items()}


def _remembered(examples: Iterable[Any]) -> PartDigest:
    """The digest of a part; of examples that lie in a cache it is kept beside them, in their file `memo`."""
    memo: Path | None = getattr(examples, "memo", None)
    if memo is None:
        return _digest(examples)
    try:
        return read_checked(memo, PartDigest, "digest of data")
    except UserError:
        found = _digest(examples)
        with contextlib.suppress(UnwritableError):  # it is computed again the next time
            write_checked(memo, found)
        return found


def save_digest(folder: Path, parts: Parts) -> None:
    """Write the digest of a run's data into its folder; no file where the task has no data."""
    found = digest(parts)
    if not found:
        (folder / NAME).unlink(missing_ok=True)  # of a training that was killed before it saved anything
        return
    table = {name: asdict(part) for name, part in found.items()}
    write_text(folder / NAME, json.dumps(table, indent=1) + "\n")


def check_digest(folder: Path, parts: Parts) -> None:
    """Compare data with those that the run in a folder was trained on.

    A run of version 0.1 has no digest: that is logged, and it gets one.

    Raises:
        UserError: says which part has changed, and how many examples it had and has.
    """
    path, found = folder / NAME, digest(parts)
    if path_kind(path) == "nothing":
        if found:
            log.warning("%s is missing, as in runs of elman 0.1: the data are taken for those of the run", path)
            save_digest(folder, parts)
        return
    kept = read_json(path, dict[str, PartDigest], "digest of data")
    for name in sorted(kept.keys() | found.keys()):
        was, now = kept.get(name), found.get(name)
        if was != now:
            then, today = was.count if was else 0, now.count if now else 0
            counts = "" if then == today else f" ({then:,} then, {today:,} now)"
            raise UserError(
                f"the data have changed since the run in {folder} began: its {name} is another{counts}; put the old"
                f" data back, train into another folder, or remove {path} to go on with the data as they are"
            )


def _digest(examples: Iterable[Any]) -> PartDigest:
    sha256 = hashlib.sha256()
    if isinstance(examples, str):
        _feed(sha256, examples)
        return PartDigest(len(examples), sha256.hexdigest())
    count = 0
    for example in examples:
        _feed(sha256, example)
        count += 1
    return PartDigest(count, sha256.hexdigest())


def _feed(sha256: hashlib._Hash, value: Any) -> None:
    """Hash a value behind its kind and size, so that no two sequences of values give the same bytes."""
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        _feed_all(sha256, value)
        return
    if isinstance(value, np.ndarray):
        head, content = f"{value.dtype.str}{value.shape}", np.ascontiguousarray(value).view(np.uint8).data
    elif isinstance(value, str):
        raw = value.encode("utf-8", "surrogatepass")
        head, content = f"s{len(raw)}", memoryview(raw)
    elif isinstance(value, Path):
        raw = _blocks(value)
        head, content = f"f{len(raw)}", memoryview(raw)
    else:
        head, content = f"{type(value).__name__}{value!r}", memoryview(b"")
    sha256.update(f"{head}:".encode())
    sha256.update(content)


def _feed_all(sha256: hashlib._Hash, values: Sequence[Any]) -> None:
    """Hash a sequence, texts that follow each other many at a time."""
    sha256.update(f"({len(values)}".encode())
    for are_texts, run in groupby(values, lambda one: isinstance(one, str)):
        if are_texts:
            while some := list(islice(run, _TOGETHER)):
                sha256.update(_texts(some))
        else:
            for one in run:
                _feed(sha256, one)


def _texts(texts: list[str]) -> bytes:
    """What is hashed of texts that follow each other."""
    size, together = len(texts[0]), "".join(texts)
    if together.isascii() and all(len(text) == size for text in texts):  # as dates are
        head = b"s%d:" % size
        table = np.empty((len(texts), len(head) + size), np.uint8)
        table[:, : len(head)] = np.frombuffer(head, np.uint8)
        table[:, len(head) :] = np.frombuffer(together.encode(), np.uint8).reshape(len(texts), size)
        return table.tobytes()
    raws = [text.encode("utf-8", "surrogatepass") for text in texts]
    return b"".join(chain.from_iterable((b"s%d:" % len(raw), raw) for raw in raws))


def _blocks(path: Path) -> bytes:
    """A file's size, and its first, middle and last block."""
    try:
        with open(path, "rb") as file:
            size = file.seek(0, 2)
            parts = [str(size).encode()]
            for start in sorted({0, max(0, size // 2 - BLOCK // 2), max(0, size - BLOCK)}):
                file.seek(start)
                parts.append(file.read(BLOCK))
    except OSError as error:
        raise UserError(f"cannot read {path}: {(error.strerror or str(error)).lower()}; check the path") from error
    return b"".join(parts)
