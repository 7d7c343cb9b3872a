"""The native library: finding it, loading it, and which instruction set it uses."""

from __future__ import annotations

import ctypes
import os
import sys
from functools import cache
from pathlib import Path

import torch
from torch import Tensor

from elman.errors import UserError

_SUFFIXES = (".so", ".dylib", ".dll")
_ABI = 8  # ELMAN_ABI in native/elman.h
ISAS = ("avx512bf16", "avx512", "avx2", "portable")
"""The instruction sets, the best first; a processor, or a build, has some of them."""
NONLINEARITIES = {"tanh": 0, "relu": 1}
"""The functions of the recurrence -> their number in the C interface."""
ADDRESSES = 1 << 40
"""A view into a zero tensor has its offset for an address, and none is as high as this: what is higher is memory."""


def available() -> bool:
    """Whether the native library was built with this installation and loads."""
    return _library() is not None


def why_missing() -> str:
    """Why the library was not built with this installation, and what to do: what the build wrote beside it."""
    for folder in sys.modules["elman.kernels"].__path__:
        note = Path(folder) / "build_reason.txt"
        if note.exists():
            return note.read_text(encoding="utf-8").strip()
    return "its build failed, or did not run; `pip install -v` shows the build's messages"


def layout() -> dict[str, dict[str, tuple[int, int]]]:
    """The structs of the C interface as the library was compiled: struct -> field -> (offset, size) in bytes.

    The field "" stands for the whole struct.
    """
    function = library().elman_layout
    function.restype = ctypes.c_char_p
    structs: dict[str, dict[str, tuple[int, int]]] = {}
    for line in function().decode().splitlines():
        name, size, *fields = line.split()
        structs[name] = {"": (0, int(size))}
        for field in fields:
            key, offset, width = field.split(":")
            structs[name][key] = int(offset), int(width)
    return structs


def isa() -> str:
    """The instruction set in use: "avx512bf16", "avx512", "avx2" or "portable". ELMAN_ISA forces one."""
    return str(library().elman_isa().decode())


def tanh(x: Tensor) -> Tensor:
    """tanh as the recurrence computes it, of a float32 or float64 tensor: what the accuracy tests look at."""
    x = x.contiguous()
    out = torch.empty_like(x)
    function = library().elman_tanh if x.dtype == torch.float32 else library().elman_tanh64
    function(ctypes.c_void_p(x.data_ptr()), ctypes.c_void_p(out.data_ptr()), ctypes.c_int64(x.numel()))
    return out


def set_isa(name: str) -> None:
    """Use the instruction set `name` from now on, "" for the best there is.

    Raises:
        ValueError: this processor, or this build, does not have it.
    """
    if library().elman_set_isa(name.encode()):
        raise ValueError(f"this processor cannot run the instruction set {name!r}")


def processors() -> int:
    """Processors that this process may use, by its affinity and its control group's quota."""
    return int(library().elman_processors())


def limit_threads(most: int) -> None:
    """Use `most` threads from now on, or what a call is cut for if that is less; no result changes by a bit.

    How the work is cut follows from `torch.get_num_threads()`. By how many threads it is done follows with 0, as at the
    start, from what the machine has to give: no more than it has processors, and one where other processes keep the
    others waiting.

    Raises:
        ValueError: less than 0.
    """
    if most < 0:
        raise ValueError(f"most is {most}; it must be 0 (what the machine gives) or more")
    library().elman_limit_threads(most)


@cache
def _library() -> ctypes.CDLL | None:
    # An editable install has the sources in one folder and the library in another; both are on the package's path.
    for folder in sys.modules["elman.kernels"].__path__:
        for path in sorted(path for path in Path(folder).glob("libelman.*") if path.suffix in _SUFFIXES):
            library = ctypes.CDLL(str(path))
            if library.elman_abi() != _ABI:
                raise UserError(f"{path} was built from another version of elman; install elman again")
            library.elman_isa.restype = ctypes.c_char_p
            library.elman_set_isa.argtypes = [ctypes.c_char_p]
            _check_isa(library)
            general = library.elman_general_forward, library.elman_general_backward
            for call in (library.elman_forward, library.elman_backward, *general):
                call.argtypes = [ctypes.c_char_p, ctypes.c_int64]
            return library
    return None


def _check_isa(library: ctypes.CDLL) -> None:
    wanted = os.environ.get("ELMAN_ISA", "")
    if wanted and library.elman_isa().decode() != wanted:
        here = " or ".join(name for name in ISAS if not library.elman_set_isa(name.encode()))
        raise UserError(f"ELMAN_ISA is {wanted!r}, which this processor or this build does not have; choose {here}")


def library() -> ctypes.CDLL:
    """The native library.

    Raises:
        RuntimeError: it was not built with this installation.
    """
    loaded = _library()
    if loaded is None:
        raise RuntimeError(f"elman was installed without its native library: {why_missing()}")
    return loaded


def in_memory(tensor: Tensor) -> Tensor:
    """The tensor itself, or where torch has put off writing its numbers a copy that has them in memory.

    The one gate on the way to native code, for what the backend has not looked at before.

    A negated view (the imaginary part of a conjugate) is the numbers of another tensor and a mark that they change
    their sign; a zero tensor, which torch's own derivatives make, has no memory at all.
    """
    if tensor.is_neg():
        return tensor.resolve_neg()
    if tensor._is_zerotensor():
        return torch.zeros_like(tensor) + 0
    if not tensor.data_ptr() and tensor.numel():
        raise TypeError(f"a {type(tensor).__name__} without memory of its own cannot be read by native code")
    return tensor


def is_lazy(tensor: Tensor) -> bool:
    """Whether `in_memory` would have to copy it, or could not.

    A view into a zero tensor has an address, which is its offset, and so the address alone does not tell one.
    """
    return tensor.is_neg() or tensor._is_zerotensor() or (tensor.data_ptr() == 0 and tensor.numel() > 0)


def pointer(tensor: Tensor | None) -> int:
    """Where its numbers lie; 0, which is null, for None."""
    return 0 if tensor is None else tensor.data_ptr()
