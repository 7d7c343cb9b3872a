"""Cross-entropy of a chunk of logits, and its gradient in their place, by the native library."""

from __future__ import annotations

import ctypes

import torch
from torch import Tensor

from elman.kernels.cpu.library import library, pointer

DTYPES = {torch.float32: 0, torch.float64: 1}
"""What the library computes in -> its number in the C interface."""


class LossCall(ctypes.Structure):
    """`elman_loss_call` in native/elman.h."""

    _fields_ = (
        *((name, ctypes.c_int64) for name in ("rows", "V", "dtype", "threads", "ignore_index")),
        ("smoothing", ctypes.c_double),
        ("logits", ctypes.c_void_p),
        ("stride", ctypes.c_int64),
        *((name, ctypes.c_void_p) for name in ("bias", "targets", "scale", "losses")),
        ("gradient", ctypes.c_int64),
        ("grad_bias", ctypes.c_void_p),
    )


def row_losses(
    logits: Tensor,  # (R, V) of unit stride within a row, without the bias; overwritten
    bias: Tensor | None,  # (V,) contiguous, as all that follow
    targets: Tensor,  # (R,) int64
    losses: Tensor,  # (R,) written
    *,
    ignore_index: int,
    smoothing: float,
    scale: Tensor | None,  # (R,) multiplies each row's gradient
    gradient: bool,  # the logits become their gradient
    grad_bias: Tensor | None,  # (V,) to which the gradient's sum over the rows is added
) -> None:
    """What `elman.kernels.cross_entropy.row_losses` does, three times over each row while it lies in a near cache.

    Raises:
        IndexError: a target is outside 0..V-1.
        MemoryError: there is no memory for the working buffers.
    """
    rows, V = logits.shape
    call = LossCall(
        *(rows, V, DTYPES[logits.dtype], torch.get_num_threads(), ignore_index, smoothing),
        *(logits.data_ptr(), logits.stride(0), pointer(bias), targets.data_ptr(), pointer(scale), losses.data_ptr()),
        *(gradient, pointer(grad_bias)),
    )
    status = library().elman_cross_entropy(ctypes.byref(call))
    if status == 2:
        raise MemoryError("not enough memory for the loss's working buffers")
    if status:
        raise IndexError(f"a target is outside 0..{V - 1}")
