"""A user's own sequences: arrays in an `.npz` file, or one `.csv` file a sequence in class folders."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from elman.data.io.delimited import read_records
from elman.data.io.folders import class_files, part_named
from elman.data.io.numpy_files import read_npz_arrays
from elman.data.io.records import Record
from elman.data.io.text import is_number, parse_number
from elman.errors import UserError
from elman.runtime.text.decimal_marks import no_number, plain_numbers, read_marks

Array = NDArray[Any]


def read_npz(path: Path) -> dict[str, list[Record]]:
    """The parts of a file of arrays.

    `x` is (N, T, I), or (N, T) for one channel, and `y` (N,) the labels; `lengths` (N,), where given, says how many
    steps of each sequence count; without it, steps of NaN alone at the end of a sequence do not. With `lengths` the
    sequences may also stand one after the other in `x`, (sum of lengths, I). `x_train`, `x_test` and `x_val` (or
    another of the usual names of parts) in place of `x` give the parts.
    Nothing is unpickled.

    Raises:
        UserError: the file is missing or damaged, or its arrays do not fit one another.
    """
    found = read_npz_arrays(path)
    arrays = {name.lower(): array for name, array in found.items()}
    if len(arrays) < len(found):
        raise UserError(f"{path} has arrays whose names differ in capitals only; rename one")
    parts: dict[str, list[Record]] = {}
    for name in arrays:
        if name == "x" or name.startswith("x_"):
            end = name.removeprefix("x")
            part = part_named(end.removeprefix("_"), f"{path}: {name}") or "train"
            if part in parts:
                raise UserError(f"{path} has two arrays for {part}; take one out")
            parts[part] = _part(path, arrays, end)
    if "train" not in parts:
        has = ", ".join(arrays) or "nothing"
        raise UserError(f"{path} has {has}; it needs x (N, T, I) and y (N,), or x_train and y_train")
    return parts


def read_csv_folder(folder: Path) -> list[Record]:
    """A sequence from every `.csv` file in the class folders: a row a step, a column a channel.

    Raises:
        UserError: no class folders; a file that cannot be read, or a cell that is no number (with its line).
    """
    return [Record(read_csv_values(path), label, path) for label, path in class_files(folder, ".csv")]


def _part(path: Path, arrays: dict[str, Array], end: str) -> list[Record]:
    values, labels = arrays["x" + end], arrays.get("y" + end)
    if labels is None:
        raise UserError(f"{path} has x{end} but no y{end} with its labels")
    lengths = arrays.get("lengths" + end)
    if (
        lengths is not None
        and lengths.dtype.kind in "iu"
        and lengths.shape == labels.shape
        and len(values) != len(labels)
    ):
        values = _padded(path, values, lengths, end)
    if values.ndim == 2:
        values = values[:, :, None]
    if values.ndim != 3 or labels.shape != values.shape[:1] or values.dtype.kind not in "fiub" or not len(values):
        raise UserError(
            f"{path}: x{end} is {_shape(arrays['x' + end])} and y{end} is {_shape(labels)};"
            " they must be numbers (N, T, I) and labels (N,), N at least 1"
        )
    if lengths is None:
        lengths = np.full(len(values), values.shape[1])
        if values.dtype.kind == "f":  # steps without any number at the end pad a series that is shorter
            known: NDArray[np.bool_] = np.logical_or.reduce(np.isfinite(values), axis=2)
            lengths = np.where(known.any(axis=1), values.shape[1] - known[:, ::-1].argmax(axis=1), values.shape[1])
    if (
        lengths.shape != labels.shape
        or lengths.dtype.kind not in "iu"
        or not ((lengths >= 0) & (lengths <= values.shape[1])).all()
    ):
        raise UserError(f"{path}: lengths{end} must be {len(values)} whole numbers of at most {values.shape[1]} steps")
    with np.errstate(over="ignore"):  # infinite then, and refused as such
        numbers = values.astype(np.float32)
    return [
        Record(numbers[i, :length], str(label), path, i + 1)
        for i, (length, label) in enumerate(zip(lengths.tolist(), labels.tolist(), strict=True))
    ]


def _padded(path: Path, values: Array, lengths: Array, end: str) -> Array:
    """Sequences that stand one after the other, (sum of lengths, I) or (sum of lengths,), as (N, T, I)."""
    if lengths.sum() != len(values) or (lengths < 0).any() or values.ndim > 2:
        raise UserError(
            f"{path}: x{end} is {_shape(values)} for {len(lengths)} labels; it must have as many sequences as there are"
            f" labels, or as many steps as lengths{end} has together ({int(lengths.sum()):,})"
        )
    flat = values.reshape(len(values), -1)
    padded = np.zeros((len(lengths), int(lengths.max(initial=0)), flat.shape[1]), values.dtype)
    begins = np.cumsum(lengths) - lengths
    for number, (begin, length) in enumerate(zip(begins.tolist(), lengths.tolist(), strict=True)):
        padded[number, :length] = flat[begin : begin + length]
    return padded


def _shape(array: Array) -> str:
    return f"{array.dtype} ({', '.join(map(str, array.shape))})"


def read_csv_values(path: Path) -> NDArray[np.float32]:
    """One sequence (T, I): a row a step, a column a channel, NaN where a cell is empty; a line of names is skipped.

    Raises:
        UserError: the file cannot be read, or a cell is no number (with its line).
    """
    records = [(line, cells) for line, cells in read_records(path)]
    if records and not any(is_number(cell.replace(",", "")) for cell in records[0][1]):  # the header
        del records[0]
    for line, cells in records:
        if len(cells) != len(records[0][1]):
            raise UserError(f"{path} line {line} has {len(cells)} columns where those above have {len(records[0][1])}")
    written = [list(column) for column in zip(*(cells for _, cells in records), strict=True)]
    marks = read_marks(written)
    for cells, (points, why) in zip(written, marks.points, strict=True):
        if points == "thousands":  # other files of the same data may not show it
            cell = next(cell for cell in cells if "." in cell)
            raise UserError(f"{path}: the point of {cell} stands between thousands, since {why}; write it without")
    columns = plain_numbers(written, marks=marks)
    rows: list[list[float]] = []
    for (line, given), numbers in zip(records, zip(*columns, strict=True), strict=True):
        for cell, plain in zip(given, numbers, strict=True):
            if plain and not is_number(plain):
                raise UserError(f"{path} line {line}: {no_number(cell)}")
        rows.append([parse_number(cell) if cell else float("nan") for cell in numbers])
    if not rows:
        raise UserError(f"{path} has no rows of numbers; take the file out")
    with np.errstate(over="ignore"):  # infinite then, and refused as such
        return np.array(rows).astype(np.float32)
