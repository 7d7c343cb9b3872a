"""Features of pictures that were seen before: kept in the cache by what the files hold, some hundred together.

An entry of the cache: KEY.vectors (N, D) float32, and KEY.json (`Kept`).
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from elman.atomic_io import write_bytes
from elman.data import entries
from elman.data.image.features import Features
from elman.data.image.io import read_picture_bytes
from elman.errors import UserError

TOGETHER = 256
"""Pictures of an entry, at most."""
_READERS = 2
log = logging.getLogger("elman")

Make = Callable[[Sequence[Path], int], Features]
"""Makes the features of some pictures; told how many came before them."""


@dataclass(frozen=True)
class Kept:
    """What KEY.json says: the shape of the vectors."""

    rows: int
    size: int


def remembered(files: Sequence[Path], make: Make, maker: str) -> Features:
    """The features of pictures, from the cache, or made now and kept: what is done stays where the rest is given up.

    Arguments:
        maker: names the network; another one's features are others.

    Raises:
        UserError: a picture that cannot be read, or whatever `make` raises.
    """
    found, forgotten = [], False
    for begin in range(0, len(files), TOGETHER):
        made: list[NDArray[np.float32]] = []
        try:
            _find(files[begin : begin + TOGETHER], begin, make, maker, made)
        except entries.CacheError as error:
            if not forgotten:
                log.warning("%s; until then what is seen in pictures is not kept", error)
            forgotten = True
        found.append(made[0] if made else make(files[begin : begin + TOGETHER], begin).vectors)
    return Features(tuple(file.name for file in files), np.concatenate(found), maker)


def _find(files: Sequence[Path], before: int, make: Make, maker: str, found: list[NDArray[np.float32]]) -> None:
    """Put the features of some pictures into `found`, where they are even if they cannot be kept.

    Raises:
        CacheError: they cannot.
    """
    with ThreadPoolExecutor(_READERS) as readers:
        digests = list(readers.map(_digest, files))
    key = entries.key_of("features", maker, digests)
    with entries.made_once(key):
        vectors = _load(key)
        if vectors is not None:
            found.append(vectors)
            return
        vectors = make(files, before).vectors
        _check_unchanged(files, digests)
        found.append(vectors)
        write_bytes(entries.folder() / f"{key}.vectors", vectors.astype("<f4").tobytes())
        entries.describe(key, Kept(*vectors.shape), [".vectors"])


def _digest(file: Path) -> str:
    return hashlib.sha256(read_picture_bytes(file)).hexdigest()


def _check_unchanged(files: Sequence[Path], digests: Sequence[str]) -> None:
    """Raise a UserError where a picture is not what it was: its features would be kept under another's name."""
    with ThreadPoolExecutor(_READERS) as readers:
        for file, before, now in zip(files, digests, readers.map(_digest, files), strict=True):
            if now != before:
                raise UserError(f"{file} changed while it was read; try again when nothing writes to it")


def _load(key: str) -> NDArray[np.float32] | None:
    kept = entries.description(key, Kept)
    if kept is None:
        return None
    vectors = np.fromfile(entries.folder() / f"{key}.vectors", "<f4")
    return vectors.astype(np.float32, copy=False).reshape(kept.rows, kept.size)
