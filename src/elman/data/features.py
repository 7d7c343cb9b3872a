"""What a network saw in pictures: a vector for each name, kept in a file. N pictures, D numbers each."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from elman.errors import UserError
from elman.files import write_whole

FORMS = (".npz", ".npy", ".safetensors")
_Read = tuple[list[str], NDArray[np.float32], str]


@dataclass(frozen=True)
class Features:
    """Vectors (N, D) float32, the N names of their pictures, and the network that made them, where it is known."""

    names: tuple[str, ...]
    vectors: NDArray[np.float32]
    maker: str = ""

    @cached_property
    def rows(self) -> dict[str, int]:
        """The row of each name."""
        return {name: row for row, name in enumerate(self.names)}

    def save(self, path: Path) -> None:
        """Write `path`, an .npz file with the arrays names and features."""

        def write(temporary: Path) -> None:
            with open(temporary, "wb") as file:
                np.savez(file, names=np.array(self.names), features=self.vectors, maker=np.array(self.maker))

        write_whole(path, write)


def read_features(path: Path) -> Features:
    """Features from .npz (arrays names and features), .safetensors (a vector for each name), or .npy.

    The names of an .npy file stand in NAME.names.txt or NAME.txt beside it, one a line.

    Raises:
        UserError: no such file, damaged, no names, or as many names as there are not vectors.
    """
    if path.suffix not in FORMS:
        raise UserError(f"{path} is no file of features; they are {', '.join(FORMS)}")
    if not path.is_file():
        raise UserError(
            f"there is no file {path}; check the path, or make it with elman features FOLDER --out FILE.npz"
        )
    try:
        names, vectors, maker = {".npz": _npz, ".npy": _npy, ".safetensors": _safetensors}[path.suffix](path)
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise UserError(f"{path} is damaged or no file of features ({error}); make it again") from error
    if vectors.ndim != 2:
        raise UserError(f"{path} has features of shape {vectors.shape}; one vector for each picture is wanted")
    if len(names) != len(vectors):
        raise UserError(f"{path} has {len(vectors):,} vectors and {len(names):,} names; each needs the other")
    if not np.isfinite(vectors).all():
        raise UserError(f"{path} has features that are not finite; make it again")
    return Features(tuple(names), vectors.astype(np.float32), maker)


def _npz(path: Path) -> _Read:
    with open(path, "rb") as opened, np.load(opened, allow_pickle=False) as file:
        maker = str(file["maker"]) if "maker" in file else ""
        return [str(name) for name in file["names"]], file["features"], maker


def _npy(path: Path) -> _Read:
    lists = [path.with_name(path.stem + end) for end in (".names.txt", ".txt")]
    found = next((one for one in lists if one.is_file()), None)
    if found is None:
        raise UserError(f"{path} has no names; put them into {lists[0]}, one a line, in the order of the vectors")
    return found.read_text(encoding="utf-8").splitlines(), np.load(path, allow_pickle=False), ""


def _safetensors(path: Path) -> _Read:
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        tensors = load_file(path)
    except SafetensorError as error:
        raise ValueError(str(error)) from error
    return list(tensors), np.stack([tensor.reshape(-1) for tensor in tensors.values()]), ""
