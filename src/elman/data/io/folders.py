"""Folders of labelled examples: parts named train, validation and test, a folder of files for each class."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from elman.data.io.files import is_stray, without_stray
from elman.errors import UserError

_NAMES = {
    "train": ("train", "training", "trn"),
    "validation": ("validation", "valid", "val", "dev", "development"),
    "test": ("test", "testing", "tst", "eval", "evaluation"),
}
"""What the parts of a dataset are called, by what they are."""
_UNLABELLED = "unsup"  # the folder of reviews without a label in an unpacked IMDB


def part_paths(folder: Path, suffixes: Sequence[str]) -> dict[str, Path]:
    """The folders, or files with one of `suffixes`, that hold the parts; empty where none is for training."""
    found = {part: path for part, names in _NAMES.items() if (path := _part(folder, names, suffixes))}
    return found if "train" in found else {}


def part_named(name: str, place: str) -> str:
    """The part that a file calls `name`: train, validation or test; "" for no name.

    Arguments:
        place: file and line, for the message.

    Raises:
        UserError: a name that no part has.
    """
    small = name.strip().lower()
    found = next((part for part, names in _NAMES.items() if small in names), None)
    if small and found is None:
        known = ", ".join(name for names in _NAMES.values() for name in names)
        raise UserError(f"{place}: {name!r} is no part of a dataset; write one of {known}")
    return found or ""


def class_files(folder: Path, suffix: str) -> Iterator[tuple[str, Path]]:
    """Class and path of every file with this suffix in the class folders of `folder`, in order of name.

    Raises:
        UserError: there are no class folders, or one has no such file.
    """
    classes = [path for path in folder.iterdir() if path.is_dir() and not is_stray(path.name)]
    if not classes:
        raise UserError(f"{folder} has no class folders; make one for each class, with its {suffix} files inside")
    for inner in sorted(path for path in classes if path.name != _UNLABELLED):
        files = without_stray(inner.glob(f"*{suffix}"))
        if not files:
            raise UserError(f"{inner} has no {suffix} files; a class folder holds one example a file")
        yield from ((inner.name, path) for path in files)


def _part(folder: Path, names: Sequence[str], suffixes: Sequence[str]) -> Path | None:
    inner = (folder / name for name in names)
    files = (folder / (name + suffix) for name in names for suffix in suffixes)
    return next((path for path in inner if path.is_dir()), None) or next(filter(Path.is_file, files), None)
