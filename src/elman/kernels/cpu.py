"""The fast CPU machine: the recurrence of `reference.py` in fused C++ (`native/`), called through its C interface.

T steps, B sequences, I inputs, H hidden units. The functions take and return what those of `reference.py` do.
"""

from __future__ import annotations

import ctypes
import os
import struct
import warnings
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

_ABI = 2
_DTYPES = {torch.float32: 0, torch.float64: 1}
NONLINEARITIES = {"tanh": 0, "relu": 1}
# elman_call in native/elman.h, field by field: every one is eight bytes wide, null pointers are 0.
_CALL = struct.Struct("=36q")


def serves(dtype: torch.dtype) -> bool:
    """Whether this machine is built and computes in `dtype`. Warns where it would, but was not built."""
    if dtype not in _DTYPES:
        return False
    if not available():
        warnings.warn(
            "elman was installed without its native library, because no C++ compiler was found: its layers run as "
            "plain torch operations, several times slower; install g++ or clang, then elman again",
            RuntimeWarning,
            stacklevel=2,
        )
    return available()


def available() -> bool:
    """Whether the native library was built with this installation and loads."""
    return _library() is not None


def isa() -> str:
    """The instruction set in use: "avx512", "avx2" or "portable". ELMAN_ISA forces one."""
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


@cache
def _library() -> ctypes.CDLL | None:
    import elman.kernels

    # An editable install has the sources in one folder and the library in another; both are on the package's path.
    for folder in elman.kernels.__path__:
        for path in sorted(Path(folder).glob("libelman.*")):
            library = ctypes.CDLL(str(path))
            if library.elman_abi() != _ABI:
                raise RuntimeError(f"{path} was built from another version of elman; build it again")
            library.elman_isa.restype = ctypes.c_char_p
            library.elman_set_isa.argtypes = [ctypes.c_char_p]
            _check_isa(library)
            for call in (library.elman_forward, library.elman_backward):
                call.argtypes = [ctypes.c_char_p, ctypes.c_int64]
            return library
    return None


def _check_isa(library: ctypes.CDLL) -> None:
    wanted = os.environ.get("ELMAN_ISA", "")
    if wanted and library.elman_isa().decode() != wanted:
        raise ValueError(f"ELMAN_ISA is {wanted!r}, which this processor or this build does not have")


def library() -> ctypes.CDLL:
    """The native library.

    Raises:
        RuntimeError: it was not built with this installation.
    """
    loaded = _library()
    if loaded is None:
        raise RuntimeError("elman was installed without its native library: no C++ compiler was found then")
    return loaded


def forward(
    x: Tensor,  # (T, B, I), any strides
    h0: Tensor,  # (B, H)
    w_ih: Tensor,  # (H, I)
    w_hh: Tensor,  # (H, H)
    bias: Tensor | None,  # (H,)
    lengths: Tensor | None,  # (B,) int64
    nonlinearity: str,
    reverse: bool,
    residual: bool,
    mask: Tensor | None,  # (B, H)
) -> tuple[Tensor, Tensor]:  # h (T, B, H), h_last (B, H)
    """All steps of the recurrence in one native call; h lies in memory as x does, batch or time first."""
    h = empty_like_input(x, w_hh.shape[0])
    h_last = x.new_empty(h0.shape)
    biases = () if bias is None else (bias,)
    run_forward([forward_call(h, h_last, x, h0, w_ih, w_hh, biases, lengths, nonlinearity, reverse, residual, mask)])
    return h, h_last


class Call(NamedTuple):
    """One native call that is ready to run, and the tensors that must live until it has run."""

    packed: bytes
    tensors: tuple[Tensor | None, ...]
    lengths: Tensor | None
    steps: int


def run_forward(calls: Sequence[Call]) -> None:
    """Run one or two calls that need nothing of each other: side by side, if that is faster."""
    _run(library().elman_forward, calls)


def run_backward(calls: Sequence[Call]) -> None:
    """The same for calls of the adjoint."""
    _run(library().elman_backward, calls)


def _run(function: Callable[[bytes, int], int], calls: Sequence[Call]) -> None:
    packed = calls[0].packed if len(calls) == 1 else b"".join(call.packed for call in calls)
    status = function(packed, len(calls))
    if status == 2:
        raise MemoryError("not enough memory for the recurrence's working buffers")
    if status:
        for call in calls:
            for length in () if call.lengths is None else call.lengths.tolist():
                if not 0 <= length <= call.steps:
                    raise ValueError(f"lengths holds {length}, x has {call.steps} steps")
        raise ValueError("the native library refused the call: a size is out of range")


def forward_call(
    h: Tensor,  # (T, B, H), unit stride in the last dimension
    h_last: Tensor,  # (B, H) contiguous
    x: Tensor,  # (T, B, I), any strides
    h0: Tensor | None,  # (B, H); without it zeros
    w_ih: Tensor,  # (H, I)
    w_hh: Tensor,  # (H, H)
    biases: Sequence[Tensor],  # none, one or two of (H,), which are added
    lengths: Tensor | None,  # (B,) int64
    nonlinearity: str,
    reverse: bool,
    residual: bool,
    mask: Tensor | None,  # (B, H)
) -> Call:
    """`forward` into tensors that are there: nothing of torch's runs but what makes strided arguments contiguous."""
    dtype = x.dtype
    T, B, I = x.shape
    st, sb, si = x.stride()
    h0, w_ih, w_hh = _some(h0, dtype), _rows(w_ih, dtype), _rows(w_hh, dtype)
    hst, hsb, _ = h.stride()
    mask, lengths = _some(mask, dtype), _some(lengths, torch.int64)
    bias, bias_hh = (*(_rows(one, dtype) for one in biases), None, None)[:2]
    packed = _CALL.pack(
        *(T, B, I, w_hh.shape[0], _DTYPES[dtype], NONLINEARITIES[nonlinearity], reverse, residual),
        *(torch.get_num_threads(), x.data_ptr(), st, sb, si, pointer(h0), w_ih.data_ptr(), w_hh.data_ptr()),
        *(pointer(bias), pointer(bias_hh), pointer(lengths), pointer(mask), h.data_ptr(), hst, hsb),
        *(h_last.data_ptr(), *_NO_GRADIENTS),
    )
    return Call(packed, (h, h_last, x, h0, w_ih, w_hh, bias, bias_hh, mask), lengths, T)


_NO_GRADIENTS = (0,) * 12
Gradients = tuple[Tensor | None, Tensor | None, Tensor | None, Tensor | None, Tensor | None]


def backward(
    grad_h: Tensor | None,  # (T, B, H), any strides
    grad_h_last: Tensor | None,  # (B, H)
    x: Tensor,
    h0: Tensor,
    w_ih: Tensor,
    w_hh: Tensor,
    bias: Tensor | None,
    h: Tensor,  # (T, B, H) as `forward` returned it
    lengths: Tensor | None,
    nonlinearity: str,
    reverse: bool,
    residual: bool,
    mask: Tensor | None,
    needs: tuple[bool, bool, bool, bool, bool],
) -> Gradients:
    """The gradients of x, h0, w_ih, w_hh and bias, None where `needs` is False; all in one native call."""
    options = (lengths, nonlinearity, reverse, residual, mask, needs)
    call, gradients = backward_call(grad_h, grad_h_last, x, h0, w_ih, w_hh, h, *options)
    run_backward([call])
    return gradients


def backward_call(
    grad_h: Tensor | None,  # (T, B, H), any strides
    grad_h_last: Tensor | None,  # (B, H)
    x: Tensor,
    h0: Tensor | None,
    w_ih: Tensor,
    w_hh: Tensor,
    h: Tensor,  # (T, B, H) as the forward pass wrote it
    lengths: Tensor | None,
    nonlinearity: str,
    reverse: bool,
    residual: bool,
    mask: Tensor | None,
    needs: Sequence[bool],
) -> tuple[Call, Gradients]:
    """`backward` as a call that is ready to run, and the gradients that it will fill."""
    dtype = x.dtype
    T, B, I = x.shape
    H = w_hh.shape[0]
    st, sb, si = x.stride()
    h0, w_ih, w_hh = _some(h0, dtype), _rows(w_ih, dtype), _rows(w_hh, dtype)
    if h.stride(2) != 1:
        h = h.contiguous()
    hst, hsb, _ = h.stride()
    mask, lengths, grad_h_last = _some(mask, dtype), _some(lengths, torch.int64), _some(grad_h_last, dtype)
    gst, gsb, gsi = (0, 0, 1) if grad_h is None else grad_h.stride()
    grad_x = empty_like_input(x, I) if needs[0] else None
    gxst, gxsb, _ = (0, 0, 1) if grad_x is None else grad_x.stride()
    grad_h0 = torch.empty_like(h0) if needs[1] and h0 is not None else None
    grad_w_ih = torch.empty_like(w_ih) if needs[2] else None
    grad_w_hh = torch.empty_like(w_hh) if needs[3] else None
    grad_bias = x.new_empty(H) if needs[4] else None
    packed = _CALL.pack(
        *(T, B, I, H, _DTYPES[dtype], NONLINEARITIES[nonlinearity], reverse, residual),
        *(torch.get_num_threads(), x.data_ptr(), st, sb, si, pointer(h0), w_ih.data_ptr(), w_hh.data_ptr()),
        *(0, 0, pointer(lengths), pointer(mask), h.data_ptr(), hst, hsb, 0),
        *(pointer(grad_h), gst, gsb, gsi, pointer(grad_h_last), pointer(grad_x), gxst, gxsb),
        *(pointer(grad_h0), pointer(grad_w_ih), pointer(grad_w_hh), pointer(grad_bias)),
    )
    gradients = grad_x, grad_h0, grad_w_ih, grad_w_hh, grad_bias
    return Call(packed, (grad_h, grad_h_last, x, h0, w_ih, w_hh, h, mask, *gradients), lengths, T), gradients


def _rows(tensor: Tensor, dtype: torch.dtype) -> Tensor:
    if tensor.dtype is not dtype:
        raise TypeError(f"expected {dtype} as x has, got {tensor.dtype}")
    return tensor if tensor.is_contiguous() else tensor.contiguous()


def _some(tensor: Tensor | None, dtype: torch.dtype) -> Tensor | None:
    return None if tensor is None else _rows(tensor, dtype)


def pointer(tensor: Tensor | None) -> int:
    """Where its numbers lie; 0, which is null, for None."""
    return 0 if tensor is None else tensor.data_ptr()


def empty_like_input(x: Tensor, n: int) -> Tensor:
    """An empty (T, B, n) tensor which lies in memory as x (T, B, I) does, batch or time first."""
    T, B, _ = x.shape
    batch_first = x.stride(0) < x.stride(1)
    return x.new_empty(B, T, n).transpose(0, 1) if batch_first else x.new_empty(T, B, n)
