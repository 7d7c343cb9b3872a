"""Sequences of vectors with labels, for classification: a public dataset by name, or a person's own files.

A person's data is a `.ts` file (`NAME_TRAIN.ts` finds `NAME_TEST.ts` beside it), a folder with such a pair,
an `.npz` file, or a folder with one folder of `.csv` files for each class, by itself or in parts named train,
validation and test.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from elman.data.datasets.cache import fetch
from elman.data.datasets.download import Progress
from elman.data.datasets.registry import own_path
from elman.data.io.arrays import read_csv_folder, read_npz
from elman.data.io.files import exists, file_kind, is_folder, list_folder
from elman.data.io.folders import part_paths
from elman.data.io.idx import Order, read_mnist
from elman.data.io.records import Record, checked
from elman.data.io.ts import read_ts
from elman.data.splits import class_names, numbered, stratified
from elman.errors import UserError

_ARCHIVE = {
    "japanese-vowels": "JapaneseVowels",
    "gunpoint": "GunPoint",
    "italy-power-demand": "ItalyPowerDemand",
}
_MNIST: dict[str, Order] = {"mnist": "rows", "mnist-pixels": "pixels", "mnist-permuted": "permuted"}
NAMES = (*_ARCHIVE, *_MNIST)

Parts = dict[str, list[Record]]


@dataclass(frozen=True)
class LabelledSequences:
    """N sequences, each (T, I) float32 with a T of its own, and the numbers of their classes, (N,) int64."""

    values: tuple[NDArray[np.float32], ...]
    labels: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.values)

    @property
    def lengths(self) -> NDArray[np.int64]:
        """(N,) the steps of each."""
        return np.array([len(value) for value in self.values], dtype=np.int64)

    def joined(self, other: LabelledSequences) -> LabelledSequences:
        """These sequences and those of another part."""
        return LabelledSequences((*self.values, *other.values), np.concatenate([self.labels, other.labels]))


@dataclass(frozen=True)
class SequenceClasses:
    """Sequences of `channels` (I) channels for classification in three parts; `test` may be empty.

    Attributes:
        held_out: whether the validation part was taken from the training part, and did not come with the data.
    """

    classes: tuple[str, ...]
    channels: int
    train: LabelledSequences
    validation: LabelledSequences
    test: LabelledSequences
    held_out: bool = False


def read_sequences(
    data: str | Path,
    *,
    interpolate: bool = False,
    validation_share: float = 0.1,
    seed: int = 0,
    progress: Progress | None = None,
) -> SequenceClasses:
    """The sequences of a dataset by name (one of `NAMES`), else of the file or folder at a path.

    Arguments:
        interpolate: fill missing values on the line between their neighbours in time, which are else refused.
        validation_share: held out of every class of the training part, where no validation part is given.
        seed: of what is held out.
        progress: told of the bytes of a download.

    Raises:
        UserError: what is there cannot be read, or not be learnt from; the message names file and line.
    """
    name = str(data)
    if name in _ARCHIVE:
        parts = _train_and_test(fetch(name, progress=progress) / f"{_ARCHIVE[name]}_TRAIN.ts")
    elif name in _MNIST:
        parts = read_mnist(fetch("mnist", progress=progress), _MNIST[name])
    else:
        parts = _own(own_path(data, "sequences", NAMES))
    return _assembled(parts, name, interpolate, validation_share, seed)


def with_part_held_out(
    train: LabelledSequences,
    classes: tuple[str, ...],
    validation_share: float,
    *,
    seed: int = 0,
    strata: NDArray[np.int64] | None = None,
    test: LabelledSequences | None = None,
) -> SequenceClasses:
    """Sequences that come without a validation part, with one held out of them.

    Arguments:
        train: N sequences, all of them.
        classes: the names of the classes.
        validation_share, seed: how much is held out, and which.
        strata: (N,) of each of which that share is held out; the labels by default.
        test: what is for the test, nothing by default.

    Raises:
        UserError: the share is not between 0 and 1.
    """
    stay, held = stratified(train.labels if strata is None else strata, validation_share, seed)
    test = LabelledSequences((), np.zeros(0, np.int64)) if test is None else test
    channels = train.values[0].shape[1]
    return SequenceClasses(classes, channels, _chosen(train, stay), _chosen(train, held), test, held_out=True)


def read_sequence_part(
    path: Path, classes: Sequence[str], channels: int, *, interpolate: bool = False
) -> LabelledSequences:
    """A file or folder to evaluate a trained classifier on.

    Raises:
        UserError: it cannot be read, has other channels, or a label that is not among `classes`.
    """
    where = own_path(path, "sequences", NAMES)
    records = read_ts(where) if file_kind(where) == ".ts" else _own(where)["train"]
    return _numbered(checked(records, interpolate, channels), classes)


def _own(path: Path) -> Parts:
    if is_folder(path):
        pairs = list_folder(path, ["_train.ts"])
        if len(pairs) > 1:
            raise UserError(f"{path} has several _TRAIN.ts files; name the one you mean")
        if pairs:
            return _train_and_test(pairs[0])
        inner = part_paths(path, ()) or {"train": path}
        return {part: read_csv_folder(folder) for part, folder in inner.items()}
    readers = {".ts": _train_and_test, ".npz": read_npz}
    if file_kind(path) not in readers:
        raise UserError(f"cannot tell the format of {path}; give a .ts or .npz file, or a folder of class folders")
    return readers[file_kind(path)](path)


def _train_and_test(path: Path) -> Parts:
    other = path.with_name(path.name.replace("_TRAIN", "_TEST"))
    parts = {"train": read_ts(path)}
    return {**parts, "test": read_ts(other)} if other != path and exists(other) else parts


def _assembled(parts: Parts, source: str, interpolate: bool, validation_share: float, seed: int) -> SequenceClasses:
    records = checked(parts["train"], interpolate)
    classes = class_names([record.label for record in records], source, lambda i: records[i].place)
    channels = records[0].values.shape[1]
    rest = {
        part: _numbered(checked(parts.get(part, []), interpolate, channels), classes) for part in ("validation", "test")
    }
    train, validation = _numbered(records, classes), rest["validation"]
    if not len(validation):
        return with_part_held_out(train, classes, validation_share, seed=seed, test=rest["test"])
    return SequenceClasses(classes, channels, train, validation, rest["test"])


def _numbered(records: Sequence[Record], classes: Sequence[str]) -> LabelledSequences:
    labels = numbered([record.label for record in records], classes, lambda i: records[i].place)
    return LabelledSequences(tuple(record.values for record in records), labels)


def _chosen(part: LabelledSequences, indices: NDArray[np.int64]) -> LabelledSequences:
    return LabelledSequences(tuple(part.values[i] for i in indices), part.labels[indices])
