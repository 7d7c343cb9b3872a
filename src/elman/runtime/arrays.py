"""Files of arrays, `.npy` and `.npz`: sizes are looked at before numbers are read, and nothing is unpickled."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np

from elman.errors import UserError
from elman.runtime.files import read_bytes
from elman.runtime.tensors import Array, Floats, read_safetensors

LARGEST_RATIO, UNCHECKED = 200, 1 << 26
"""How many times its own size a packed file may hold, and bytes up to which that does not matter."""
FORMS = (".npz", ".npy", ".safetensors")


def read_arrays(path: Path) -> dict[str, Array]:
    """The arrays of an `.npz` file by name, or the one of an `.npy` file under the name "".

    Raises:
        UserError: it cannot be read, is damaged, or holds far more than its size lets expect.
    """
    raw = read_bytes(path)
    try:
        if path.suffix.lower() == ".npy":
            return {"": np.lib.format.read_array(io.BytesIO(raw), allow_pickle=False)}
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            if sum(one.file_size for one in archive.infolist()) > max(UNCHECKED, LARGEST_RATIO * len(raw)):
                raise UserError(
                    f"{path} holds more than {LARGEST_RATIO} times its size, as no data do; check where it is from"
                )
            files = {name.removesuffix(".npy"): archive.read(name) for name in archive.namelist()}
        return {name: np.lib.format.read_array(io.BytesIO(one), allow_pickle=False) for name, one in files.items()}
    except (
        ValueError,
        EOFError,
        KeyError,
        SyntaxError,
        TypeError,
        MemoryError,
        OverflowError,
        zipfile.BadZipFile,
        NotImplementedError,
    ) as error:
        if isinstance(error, UserError):
            raise
        reason = (str(error).splitlines() or [type(error).__name__])[0][:120]
        raise UserError(f"{path} is damaged or no file of arrays ({reason}); write it again with numpy") from error


def read_features(path: Path) -> tuple[list[str], Floats]:
    """Names and vectors (N, D) of pictures, from .npz (names and features), .safetensors, or .npy with NAME.names.txt.

    Raises:
        UserError: no such file, damaged, or names and vectors that do not fit.
    """
    if path.suffix == ".safetensors":
        tensors, _ = read_safetensors(path)
        names, vectors = list(tensors), [tensor.reshape(-1) for tensor in tensors.values()]
        if not vectors or len({len(vector) for vector in vectors}) > 1:
            raise UserError(f"{path} has vectors of different lengths, or none; make it again")
        return names, _checked(np.stack(vectors), names, path)
    arrays = read_arrays(path)
    if path.suffix == ".npz":
        if not {"names", "features"} <= arrays.keys():
            raise UserError(f"{path} has {', '.join(arrays) or 'nothing'}; it needs the arrays names and features")
        names = [str(name) for name in arrays["names"].reshape(-1)]
        return names, _checked(arrays["features"], names, path)
    lists = [path.with_name(path.stem + end) for end in (".names.txt", ".txt")]
    found = next((one for one in lists if one.is_file()), None)
    if found is None:
        raise UserError(f"{path} has no names; put them into {lists[0]}, one a line, in the order of the vectors")
    names = read_bytes(found).decode("utf-8", "replace").splitlines()
    return names, _checked(arrays[""], names, path)


def _checked(vectors: Array, names: list[str], path: Path) -> Floats:
    if vectors.ndim != 2 or vectors.dtype.kind not in "fiub":
        raise UserError(
            f"{path} has features of shape {vectors.shape} and type {vectors.dtype}; vectors of numbers are wanted"
        )
    if len(names) != len(vectors):
        raise UserError(f"{path} has {len(vectors):,} vectors and {len(names):,} names; each needs the other")
    with np.errstate(over="ignore"):
        single = vectors.astype(np.float32)
    if not np.isfinite(single).all():
        raise UserError(f"{path} has features that are not finite in 32 bits; make it again")
    return single


def read_series_file(path: Path) -> list[Floats]:
    """The series (T, I) of an `.npz` file: `x` (N, T, I) or (N, T), cut to `lengths` (N,) where these are given.

    Raises:
        UserError: it cannot be read, or its arrays do not fit one another.
    """
    arrays = {name.lower(): array for name, array in read_arrays(path).items()}
    found: list[Floats] = []
    for name in [name for name in arrays if name == "x" or name.startswith("x_")]:
        values = arrays[name] if arrays[name].ndim != 2 else arrays[name][:, :, None]
        if values.ndim != 3 or values.dtype.kind not in "fiub":
            raise UserError(
                f"{path}: {name} is {arrays[name].dtype} {arrays[name].shape}; it must be numbers (N, T, I)"
            )
        lengths = arrays.get("lengths" + name.removeprefix("x"), np.full(len(values), values.shape[1]))
        if (
            lengths.shape != values.shape[:1]
            or lengths.dtype.kind not in "iu"
            or not ((lengths >= 0) & (lengths <= values.shape[1])).all()
        ):
            raise UserError(
                f"{path}: its lengths must be {len(values)} whole numbers of at most {values.shape[1]} steps"
            )
        with np.errstate(over="ignore"):  # infinite then, and refused as such
            numbers = values.astype(np.float32)
        found += [numbers[i, :length] for i, length in enumerate(lengths.tolist())]
    if not found:
        raise UserError(f"{path} has {', '.join(arrays) or 'nothing'}; it needs x (N, T, I)")
    return found
