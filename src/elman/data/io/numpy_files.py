"""Arrays of .npy and .npz files: nothing is unpickled, and nothing is allocated that the file does not hold."""

from __future__ import annotations

import lzma
import math
import sys
import warnings
import zipfile
import zlib
from pathlib import Path
from tokenize import TokenError
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from elman.data.io.files import LARGEST_ARRAYS, open_whole
from elman.errors import UserError

Array = NDArray[Any]

UNCHECKED_UNPACKED = 1 << 30
"""Bytes up to which it does not matter how well arrays are packed: 1 GiB."""
LARGEST_RATIO = 50
"""How many times its own size a larger file may hold."""
_PIECE = 1 << 22


def read_npz_arrays(path: Path) -> dict[str, Array]:
    """The arrays of a .npz file by their names.

    Raises:
        UserError: the file is missing, no regular file, damaged, no .npz, or holds Python objects, more than 1 GiB of
            them packed into less than a fiftieth, or an entry twice.
    """
    with open_whole(path, LARGEST_ARRAYS) as raw:
        return _npz_arrays(path, raw)


def _npz_arrays(path: Path, raw: IO[bytes]) -> dict[str, Array]:
    if not zipfile.is_zipfile(raw):
        raise UserError(f"{path} is damaged or no .npz file; write it again with numpy.savez")
    arrays: dict[str, Array] = {}
    left = most = min(max(UNCHECKED_UNPACKED, LARGEST_RATIO * path.stat().st_size), LARGEST_ARRAYS)
    try:
        with zipfile.ZipFile(raw) as packed:
            for entry in packed.infolist():
                left -= entry.file_size
                if left < 0:
                    raise UserError(f"{path} holds more than {most:,} bytes; write it in parts")
                name = entry.filename.removesuffix(".npy")
                if name in arrays:
                    raise UserError(f"{path} has two arrays called {name[:40]!r}; write it again with numpy.savez")
                with packed.open(entry) as file:
                    arrays[name] = _array(file, entry.file_size, path)
    except UserError:
        raise
    except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, OSError, RuntimeError, ValueError) as error:
        # RuntimeError: encrypted, or of an unknown method
        raise UserError(f"{path} is damaged or no .npz file ({error}); write it again with numpy.savez") from error
    return arrays


def read_npy_array(path: Path) -> Array:
    """The array of a .npy file; raises as `read_npz_arrays`."""
    with open_whole(path, LARGEST_ARRAYS) as raw:
        return _array(raw, path.stat().st_size, path)


def _array(file: IO[bytes], size: int, path: Path) -> Array:
    """One array of a stream of `size` bytes: its header is looked at before its numbers are read."""
    damaged = f"{path} is damaged or no file of arrays"
    try:
        version = np.lib.format.read_magic(file)
        reader = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        with warnings.catch_warnings(action="ignore"):  # of headers written by Python 2, which are read
            shape, by_columns, dtype = reader(file)
        if dtype.hasobject:
            raise UserError(f"{path} holds Python objects; write one array and `lengths` instead")
        if dtype.kind == "V":
            raise UserError(f"{path} holds records of several fields; write an array for each")
        count = math.prod(shape)
        if min(shape, default=0) < 0 or count * dtype.itemsize > size:
            raise UserError(
                f"{damaged}: its header claims {count * dtype.itemsize:,} bytes of {size:,}; write it again"
            )
        raw = _read(file, count * dtype.itemsize)
        values = np.frombuffer(raw, dtype=dtype, count=count) if count else np.empty(0, dtype)
        if dtype.kind == "U" and count:
            points = values.astype(dtype.newbyteorder("=")).view(np.uint32)
            if points.size and points.max() > sys.maxunicode:
                raise UserError(f"{damaged}: it has texts with characters that there are not; write it again")
        return values.reshape(shape, order="F" if by_columns else "C")
    except UserError:
        raise
    except (ValueError, TypeError, EOFError, SyntaxError, TokenError, OverflowError, RecursionError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0][:120]
        raise UserError(f"{damaged} ({reason}); write it again with numpy.savez") from error


def _read(file: IO[bytes], size: int) -> memoryview:
    """The next bytes, at most so many, in memory that can be written to, as arrays are."""
    raw, done = memoryview(bytearray(size)), 0
    while done < size and (count := file.readinto(raw[done : done + _PIECE])):  # type: ignore[attr-defined]
        done += count
    return raw[:done]
