"""What a network saw in pictures: a vector for each name, kept in a file. N pictures, D numbers each."""

from __future__ import annotations

import zipfile
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from elman.atomic_io import write_text, write_whole
from elman.data.io.files import check_file, is_file, path_kind, read_bytes
from elman.data.io.numpy_files import read_npy_array, read_npz_arrays
from elman.data.io.text import decode_utf8
from elman.errors import UserError

FORMS = (".npz", ".npy", ".safetensors")
_LISTS = (".names.txt", ".txt")
_MAKER = ".maker.txt"
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
        """Write `path` in the form that its ending asks for; `read_features` reads the same from it.

        An .npz file has the arrays names, features and maker; a .safetensors file a vector for each name, and the
        maker in its metadata; beside NAME.npy lie NAME.names.txt, the names one a line, and NAME.maker.txt.

        Raises:
            UserError: another ending, a name that the form cannot hold, or a file that cannot be written.
        """
        form = checked_form(path)
        write_whole(path, {".npz": self._npz, ".npy": self._npy, ".safetensors": self._safetensors}[form])
        if form == ".npy":
            write_text(path.with_name(path.stem + _LISTS[0]), "".join(f"{name}\n" for name in self.names))
            write_text(path.with_name(path.stem + _MAKER), f"{self.maker}\n")

    def _npz(self, path: Path) -> None:
        with open(path, "wb") as file:
            np.savez(file, names=np.array(self.names), features=self.vectors, maker=np.array(self.maker))

    def _npy(self, path: Path) -> None:
        if wrong := next((name for name in self.names if name.splitlines() != [name]), None):
            raise UserError(f"a list of names cannot hold {wrong!r}; rename that picture, or write an .npz file")
        with open(path, "wb") as file:
            np.save(file, self.vectors)

    def _safetensors(self, path: Path) -> None:
        from safetensors.numpy import save_file

        save_file(dict(zip(self.names, self.vectors, strict=True)), path, {"maker": self.maker})


def checked_form(path: Path) -> str:
    """The ending of `path`.

    Raises:
        UserError: it is none of a file of features.
    """
    if path.suffix not in FORMS:
        raise UserError(f"{path} is no file of features; name one that ends in {', '.join(FORMS[:-1])} or {FORMS[-1]}")
    return path.suffix


def read_features(path: Path) -> Features:
    """Features from .npz (arrays names and features), .safetensors (a vector for each name), or .npy.

    The names of an .npy file stand in NAME.names.txt or NAME.txt beside it, one a line, and who made it, where it is
    known, in NAME.maker.txt.

    Raises:
        UserError: no such file, damaged, no names, or as many names as there are not vectors.
    """
    form = checked_form(path)
    if path_kind(path) == "nothing":
        raise UserError(f"there is no file {path}; check the path, or make it with the command features")
    check_file(path)
    try:
        names, vectors, maker = {".npz": _npz, ".npy": _npy, ".safetensors": _safetensors}[form](path)
    except UserError:
        raise
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise UserError(f"{path} is damaged or no file of features ({error}); make it again") from error
    if vectors.ndim != 2:
        raise UserError(f"{path} has features of shape {vectors.shape}; one vector for each picture is wanted")
    if len(names) != len(vectors):
        raise UserError(f"{path} has {len(vectors):,} vectors and {len(names):,} names; each needs the other")
    if vectors.dtype.kind not in "fiub":
        raise UserError(f"{path} has features of type {vectors.dtype}; real numbers are wanted")
    if twice := next((name for name, times in Counter(names).items() if times > 1), None):
        raise UserError(f"{path} has two vectors for {twice[:100]!r}; make it again")
    with np.errstate(over="ignore"):
        single = vectors.astype(np.float32, copy=False)
    if not np.isfinite(single).all():
        raise UserError(f"{path} has features that are not finite in 32 bits; make it again")
    return Features(tuple(names), single, maker)


def _npz(path: Path) -> _Read:
    arrays = read_npz_arrays(path)
    maker = str(arrays["maker"]) if "maker" in arrays else ""
    return [str(name) for name in arrays["names"].reshape(-1)], arrays["features"], maker


def _npy(path: Path) -> _Read:
    lists, maker = [path.with_name(path.stem + end) for end in _LISTS], path.with_name(path.stem + _MAKER)
    found = next((one for one in lists if is_file(one)), None)
    if found is None:
        raise UserError(f"{path} has no names; put them into {lists[0]}, one a line, in the order of the vectors")
    made_by = decode_utf8(read_bytes(maker), maker).strip() if is_file(maker) else ""
    return decode_utf8(read_bytes(found), found).splitlines(), read_npy_array(path), made_by


def _safetensors(path: Path) -> _Read:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "numpy") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            maker = (file.metadata() or {}).get("maker", "")
    except (SafetensorError, TypeError, AttributeError) as error:  # the last two: a type that numpy has not
        raise ValueError(str(error)) from error
    return list(tensors), np.stack([tensor.reshape(-1) for tensor in tensors.values()]), maker
