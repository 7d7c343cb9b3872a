"""The weights of a run as numpy arrays: a reader of safetensors that trusts nothing in the file.

The format: eight bytes, the length of a JSON header, the header (name -> dtype, shape, data_offsets), the numbers
(https://huggingface.co/docs/safetensors).
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from elman.errors import UserError
from elman.runtime.files import COPY, read_bytes

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]
    Floats = NDArray[np.float32]
    Doubles = NDArray[np.float64]
    Integers = NDArray[np.int64]
    Flags = NDArray[np.bool_]
else:  # numpy.typing is an import that only types need
    Array = Floats = Doubles = Integers = Flags = np.ndarray

LARGEST = 1 << 34
"""Bytes of a file of weights, at most."""
LARGEST_HEADER = 1 << 26
_TYPES = {"F32": "<f4", "F64": "<f8", "F16": "<f2", "I64": "<i8", "I32": "<i4", "U8": "u1", "I8": "i1", "BOOL": "?"}
WHOLE = frozenset({"counts.codes"})
"""Tensors of int64; all others are float32."""
_OLD = {"reads.": "source_embedding.", "writes.": "target_embedding.", "above.": "upper_decoder."}


def read_safetensors(path: Path) -> tuple[dict[str, Array], dict[str, str]]:
    """The tensors of a file, which share its memory and cannot be written to, and its metadata.

    Raises:
        UserError: the file is missing, cut short or damaged.
    """
    raw = read_bytes(path, LARGEST)
    try:
        header, begin = _header(raw)
        metadata = header.pop("__metadata__", {})
        tensors = {str(name): _tensor(raw, begin, entry) for name, entry in header.items()}
        "".join(tensors).encode()  # no lone surrogates
        places = sorted(entry["data_offsets"] for entry in header.values())
        if [0, *(end for _, end in places)] != [*(first for first, _ in places), len(raw) - begin]:
            raise ValueError("its tensors do not fill it one after the other")
        if not isinstance(metadata, dict) or not all(isinstance(text, str) for text in metadata.values()):
            raise ValueError("its metadata are no texts")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError) as error:
        raise UserError(f"{path} is damaged ({str(error)[:120] or type(error).__name__}); {COPY}") from error
    return tensors, metadata


def read_weights(path: Path) -> tuple[dict[str, Array], dict[str, Any]]:
    """The weights of a run's file by today's names, and its header: the step, and the validation metrics.

    They are float32, those named in `WHOLE` int64.

    Raises:
        UserError: the file is missing, damaged, changed since it was written, or not elman's.
    """
    tensors, metadata = read_safetensors(path)
    if "elman" not in metadata:
        raise UserError(f"{path} was not written by elman; put the run's own file in its place")
    try:
        header = json.loads(metadata["elman"])
        if not isinstance(header, dict) or not isinstance(header.get("step"), int):
            raise ValueError("its header names no step")
        found = header.pop("sha256", None)
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path} is damaged ({str(error)[:120]}); {COPY}") from error
    if found is not None and found != _checksum(tensors, json.dumps(header)):
        raise UserError(f"{path} has changed since it was written: its checksum differs; {COPY}")
    for name, tensor in tensors.items():
        kind = np.int64 if name in WHOLE else np.float32
        if tensor.dtype != kind:
            raise UserError(f"{path} is damaged: {name} is {tensor.dtype} and no {kind.__name__}; {COPY}")
        if not np.isfinite(tensor).all():
            raise UserError(f"{path} is damaged: {name} holds NaN or infinity; {COPY}")
    return {_today(name): tensor for name, tensor in tensors.items()}, header


def _header(raw: bytes) -> tuple[dict[str, Any], int]:
    size = int.from_bytes(raw[:8], "little")
    if len(raw) < 8 or size > min(LARGEST_HEADER, len(raw) - 8):
        raise ValueError("it is cut short")
    header = json.loads(raw[8 : 8 + size])
    if not isinstance(header, dict):
        raise ValueError("its header is none")
    return header, 8 + size


def _tensor(raw: bytes, begin: int, entry: dict[str, Any]) -> Array:
    shape, (first, end) = entry["shape"], entry["data_offsets"]
    if not all(type(size) is int and 0 <= size <= len(raw) for size in (*shape, first, end)):
        raise ValueError("a shape or a place is no number that fits")
    dtype = np.dtype(_TYPES[entry["dtype"]])
    count = math.prod(shape)
    if count * dtype.itemsize != end - first or begin + end > len(raw):
        raise ValueError("a tensor does not lie in it")
    return np.frombuffer(raw, dtype, count, begin + first).reshape(shape)


def _checksum(tensors: dict[str, Array], header: str) -> str:
    """SHA-256 as `elman.training.tensor_files` computes it: over the header, then each tensor in order of name."""
    import hashlib  # which loads OpenSSL

    found = hashlib.sha256(header.encode())
    for name in sorted(tensors):
        tensor = tensors[name]
        found.update(f"{name} torch.{tensor.dtype} {tensor.shape}".encode())
        found.update(tensor.tobytes() if not tensor.flags.c_contiguous else tensor.data if tensor.size else b"")
    return found.hexdigest()


def _today(name: str) -> str:
    for old, new in _OLD.items():
        if name.startswith(old):
            return new + name.removeprefix(old)
    return name
