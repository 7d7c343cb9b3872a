"""The `.idx.gz` files of MNIST, and its digits as sequences: by rows, by pixels, or by permuted pixels."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from elman.data.io.files import read_packed
from elman.data.io.records import Record
from elman.errors import UserError

Order = Literal["rows", "pixels", "permuted"]

_FILES = {
    "train": ("train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"),
    "test": ("t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"),
}
_UNSIGNED_BYTES = 8
_PERMUTATION_SEED = 0


def read_mnist(folder: Path, order: Order) -> dict[str, list[Record]]:
    """The digits as sequences of values from 0 to 1.

    Arguments:
        order: "rows" gives 28 steps of 28 channels, "pixels" 784 steps of one, "permuted" those in one fixed
            disorder for all (Le, Jaitly and Hinton, 2015).

    Raises:
        UserError: a file is missing or damaged.
    """
    return {part: _digits(folder / images, folder / labels, order) for part, (images, labels) in _FILES.items()}


def read_idx(path: Path) -> NDArray[np.uint8]:
    """The array of a gzipped idx file of bytes: two zeros, type, number of sizes, sizes, values.

    Raises:
        UserError: the file is missing, damaged, or of another type.
    """
    raw = read_packed(path)
    if len(raw) < 4 or raw[:3] != bytes((0, 0, _UNSIGNED_BYTES)):
        raise UserError(f"{path} is no idx file of bytes; delete it and fetch it again")
    begin = 4 + 4 * raw[3]
    if len(raw) < begin:
        raise UserError(f"{path} is cut off in its header; delete it and fetch it again")
    shape = tuple(np.frombuffer(raw[4:begin], dtype=">u4").tolist())
    values = np.frombuffer(raw[begin:], dtype=np.uint8)
    if values.size != math.prod(shape):
        raise UserError(f"{path} is cut off: {values.size} values for {shape}; delete it and fetch it again")
    return values.reshape(shape)


def _digits(images: Path, labels: Path, order: Order) -> list[Record]:
    pictures, digits = read_idx(images), read_idx(labels)
    if len(pictures) != len(digits):
        raise UserError(f"{images} has {len(pictures)} pictures, {labels} {len(digits)} labels; fetch both again")
    values = pictures.astype(np.float32) / 255
    if order != "rows":
        values = values.reshape(len(values), -1, 1)
    if order == "permuted":
        values = values[:, np.random.default_rng(_PERMUTATION_SEED).permutation(values.shape[1])]
    return [Record(value, str(digit), images) for value, digit in zip(values, digits.tolist(), strict=True)]
