"""Encoded texts on disk: ids in 1, 2 or 4 bytes each, mapped into memory, made once for a content and its settings.

An entry of a text is KEY.ids (the ids of the training part, then those of the validation part) and KEY.json; `labelled`
has others.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from elman.data.entries import description, folder

DtypeName = Literal["|u1", "<u2", "<u4"]


@dataclass(frozen=True)
class Entry:
    """What KEY.json says of an encoded text."""

    dtype: DtypeName
    training: int  # ids
    validation: int
    validation_characters: int


@dataclass(frozen=True)
class EncodedText:
    """The ids of a text's two parts."""

    training: NDArray[Any]  # (N,) unsigned
    validation: NDArray[Any]
    validation_characters: int


def dtype_for(symbols: int) -> np.dtype[Any]:
    """The smallest unsigned integers that number so many symbols."""
    return np.dtype("<u1" if symbols <= 1 << 8 else "<u2" if symbols <= 1 << 16 else "<u4")


def dtype_name(dtype: np.dtype[Any]) -> DtypeName:
    """One of `dtype_for`, as it is written down."""
    names: dict[int, DtypeName] = {1: "|u1", 2: "<u2", 4: "<u4"}
    return names[dtype.itemsize]


def load(key: str) -> EncodedText | None:
    """The entry, mapped into memory; None where there is none, or one that is not whole."""
    entry = description(key, Entry)
    if entry is None:
        return None
    dtype = np.dtype(entry.dtype)
    mapped: NDArray[Any] = np.memmap(folder() / f"{key}.ids", dtype, mode="r")
    return EncodedText(mapped[: entry.training], mapped[entry.training :], entry.validation_characters)
