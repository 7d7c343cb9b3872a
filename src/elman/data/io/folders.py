"""Folders of labelled examples: parts named train, validation and test, a folder of files for each class."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from elman.data.io.files import is_folder, list_folder, some_of
from elman.errors import UserError

_NAMES = {
    "train": ("train", "training", "trn"),
    "validation": ("validation", "valid", "val", "dev", "development"),
    "test": ("test", "testing", "tst", "eval", "evaluation"),
}
"""What the parts of a dataset are called, by what they are."""
_UNLABELLED = "unsup"  # the folder of reviews without a label in an unpacked IMDB


def part_paths(folder: Path, suffixes: Sequence[str]) -> dict[str, Path]:
    """The folders, or files with one of `suffixes`, that hold the parts; empty where none is for training.

    Raises:
        UserError: two of them hold the same part, or beside the parts' folders lies one that is none of them.
    """
    found: dict[str, Path] = {}
    others: list[Path] = []
    for path in list_folder(folder):
        name = path.name.lower()
        inner = is_folder(path)
        ending = next((suffix for suffix in suffixes if not inner and name.endswith(suffix)), "")
        if not inner and not ending:
            continue
        part = known_part(name.removesuffix(ending))
        if part is None:
            others.append(path)
        elif part in found and is_folder(found[part]) == inner:
            raise UserError(f"{found[part]} and {path} are both for {part}; take one out")
        elif part not in found or inner:
            found[part] = path
    if "train" not in found:
        return {}
    if strange := [path for path in others if is_folder(path) and is_folder(found["train"])]:
        raise UserError(f"{strange[0]} is no part of a dataset; call it one of {_known()}, or take it out")
    return {part: found[part] for part in _NAMES if part in found}


def part_named(name: str, place: str) -> str:
    """The part that a file calls `name`: train, validation or test; "" for no name.

    Arguments:
        place: file and line, for the message.

    Raises:
        UserError: a name that no part has.
    """
    small = name.strip().lower()
    found = known_part(small)
    if small and found is None:
        raise UserError(f"{place}: {name[:40]!r} is no part of a dataset; write one of {_known()}")
    return found or ""


def class_files(folder: Path, *suffixes: str) -> Iterator[tuple[str, Path]]:
    """Class and path of every file with one of these suffixes in the class folders of `folder`, in order of name.

    Raises:
        UserError: there are no class folders, or one has no such file.
    """
    classes = [path for path in list_folder(folder) if is_folder(path)]
    if not classes:
        raise UserError(f"{folder} has no class folders; make one for each class, with its {suffixes[0]} files inside")
    for inner in (path for path in classes if path.name != _UNLABELLED):
        files = list_folder(inner, suffixes)
        if not files:
            raise UserError(f"{inner} has no {suffixes[0]} files; a class folder holds one example a file")
        yield from ((inner.name, path) for path in some_of(files, inner))


def known_part(name: str) -> str | None:
    """The part that is called `name`: train, validation or test; None where none is."""
    return next((part for part, names in _NAMES.items() if name.strip().lower() in names), None)


def _known() -> str:
    return ", ".join(name for names in _NAMES.values() for name in names)
