"""The public datasets by the names that users give them, with pinned URL, SHA-256 and size of every file."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from importlib.resources import files as packaged
from pathlib import Path
from typing import Any

from elman.data.io.files import exists
from elman.errors import UserError


@dataclass(frozen=True)
class Remote:
    """One file of a dataset.

    Arguments:
        file: its path below the dataset's folder in the cache.
        url: where it is downloaded from, pinned to a commit or a version.
        sha256: what it must hash to.
        bytes: its size; 0 where the listing does not know it.
        stand_in: a file that, where it lies in the cache, serves in this one's place.
    """

    file: str
    url: str
    sha256: str
    bytes: int
    stand_in: Remote | None = None


@dataclass(frozen=True)
class Dataset:
    """A public dataset: `name` is what users call it, `folder` where its files lie below the cache folder."""

    name: str
    title: str
    kind: str
    files: tuple[Remote, ...]
    licence: str
    note: str
    folder: str

    @property
    def bytes(self) -> int | None:
        """The size of all its files together; None where that of one is not known."""
        sizes = [remote.bytes for remote in self.files]
        return sum(sizes) if all(sizes) else None


def find(name: str) -> Dataset:
    """The dataset called `name`.

    Raises:
        UserError: there is none; the message suggests the nearest name.
    """
    if name in CATALOGUE:
        return CATALOGUE[name]
    near = difflib.get_close_matches(name.lower(), CATALOGUE, n=1, cutoff=0.5)
    advice = f"did you mean {near[0]}?" if near else f"known are {', '.join(CATALOGUE)}"
    raise UserError(f"there is no dataset {name!r}; {advice}")


def own_path(data: str | Path, what: str, names: Collection[str]) -> Path:
    """The file or folder of a person's own that `data`, which is none of `names`, must be.

    Raises:
        UserError: nothing is there; or it is a dataset, but not of `what`.
    """
    path = Path(data).expanduser()
    if exists(path):
        return path
    if str(data) in CATALOGUE:
        kind = CATALOGUE[str(data)].kind
        raise UserError(f"{data} is a dataset of {kind}, not of {what}; choose {', '.join(names)} or your own file")
    if path.suffix or path.name != str(data):
        raise UserError(f"there is no file or folder {path}; check the path")
    near = difflib.get_close_matches(str(data).lower(), list(names), n=1, cutoff=0.5)
    advice = f"did you mean {near[0]}?" if near else f"known are {', '.join(names)}"
    raise UserError(f"there is neither a dataset nor a file called {data}; {advice}")


def _read_catalogue() -> dict[str, Dataset]:
    entries = tomllib.loads(_packaged_text("catalogue.toml"))
    return {name: _dataset(name, entry) for name, entry in entries.items()}


def _dataset(name: str, entry: dict[str, Any]) -> Dataset:
    base = entry.pop("base")
    listing = entry.pop("listing", None)
    rows = _listed(listing) if listing else entry.pop("files")
    return Dataset(name=name, files=tuple(_remote(base, row) for row in rows), **entry)


def _remote(base: str, row: dict[str, Any]) -> Remote:
    stand_in = row.get("stand_in")
    return Remote(
        file=row["file"],
        url=base + row["file"],
        sha256=row["sha256"],
        bytes=row["bytes"],
        stand_in=Remote(url="", **stand_in) if stand_in else None,
    )


def _listed(listing: str) -> Iterator[dict[str, Any]]:
    for line in _packaged_text(listing).splitlines():
        sha256, size, file = line.split(" ", 2)
        yield {"file": file, "sha256": sha256, "bytes": int(size)}


def _packaged_text(file: str) -> str:
    return packaged("elman.data.datasets").joinpath(file).read_text(encoding="utf-8")


CATALOGUE: dict[str, Dataset] = _read_catalogue()
