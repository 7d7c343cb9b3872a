"""What can be wrong with the arguments of `recurrence`: every message names the two facts that disagree."""

from __future__ import annotations

import torch
from torch import Tensor

from elman.kernels.options import RecurrenceInputs, reading_waits


class UnfitError(ValueError, RuntimeError):
    """A shape or device that does not fit: a ValueError, and a RuntimeError, as which torch's layers raise it."""


class UnfitTypeError(TypeError, RuntimeError):
    """A dtype or layout that does not fit: a TypeError, and a RuntimeError, as which torch's layers raise it."""


def check_inputs(inputs: RecurrenceInputs) -> None:
    """Raise ValueError or TypeError where shapes, dtypes or devices do not fit."""
    x, h0, w_ih, w_hh, bias, lengths, mask = inputs
    for name, tensor in zip(inputs._fields, inputs, strict=True):
        if tensor is not None:
            check_layout(name, tensor)
    if x.dim() != 3:
        raise UnfitError(f"x has {x.dim()} dimensions, not 3: (steps, sequences, inputs)")
    if w_hh.dim() != 2:
        raise UnfitError(f"w_hh has {w_hh.dim()} dimensions, not 2: (hidden, hidden)")
    if not x.is_floating_point():
        raise UnfitTypeError(f"x is {x.dtype}, not floating point")
    _, B, I = x.shape
    H = w_hh.shape[0]
    check_one("h0", h0, (B, H), x, w_hh)
    check_one("w_ih", w_ih, (H, I), x, w_hh)
    check_one("w_hh", w_hh, (H, H), x, w_hh)
    if bias is not None:
        check_one("bias", bias, (H,), x, w_hh)
    if mask is not None:
        check_one("mask", mask, (B, H), x, w_hh)
    if lengths is not None:
        if lengths.shape != (B,):
            raise UnfitError(f"lengths has shape {tuple(lengths.shape)}, x has {B} sequences")
        if lengths.dtype != torch.int64:
            raise UnfitTypeError(f"lengths is {lengths.dtype}, not torch.int64")
        if lengths.device != x.device:
            raise UnfitError(f"lengths is on {lengths.device}, x is on {x.device}")


def check_layout(name: str, tensor: Tensor) -> None:
    """Raise TypeError for a tensor that is no plain array of numbers: sparse, nested or quantised."""
    if tensor.is_nested:
        raise UnfitTypeError(f"{name} is a nested tensor; pad it and give lengths, or pack its parts")
    if tensor.layout is not torch.strided:
        kind = str(tensor.layout).removeprefix("torch.").strip("_")
        raise UnfitTypeError(f"{name} is laid out as {kind}; give {name}.to_dense()")
    if tensor.is_quantized:
        raise UnfitTypeError(f"{name} is quantised ({tensor.dtype}); give {name}.dequantize()")


def check_one(name: str, tensor: Tensor, shape: tuple[int, ...], x: Tensor, w_hh: Tensor) -> None:
    """Raise ValueError or TypeError where a tensor's shape, dtype or device does not fit x and w_hh."""
    if tensor.shape != shape:
        sizes = f"x {tuple(x.shape)} and w_hh {tuple(w_hh.shape)}"
        raise UnfitError(f"{name} has shape {tuple(tensor.shape)}, but {sizes} ask for {tuple(shape)}")
    if tensor.dtype != x.dtype:
        raise UnfitTypeError(f"{name} is {tensor.dtype}, x is {x.dtype}")
    if tensor.device != x.device:
        raise UnfitError(f"{name} is on {tensor.device}, x is on {x.device}")


def check_lengths(lengths: Tensor, T: int) -> None:
    """Raise ValueError where a length is outside 0..T: apart, because a compiler knows shapes but no values."""
    values = lengths.tolist()  # plain numbers: three small tensor operations cost more than a short sequence
    for length in (min(values, default=0), max(values, default=0)):
        if not 0 <= length <= T:
            raise ValueError(f"lengths holds {length}, x has {T} steps")


def whole_lengths(lengths: Tensor) -> Tensor:
    """Lengths as int64.

    Raises:
        ValueError: one is no whole number.
    """
    whole = lengths.to(torch.int64)
    if lengths.is_floating_point() and not reading_waits(lengths) and not torch.compiler.is_compiling():
        for length in lengths[lengths != whole].tolist():
            raise ValueError(f"lengths holds {length}, which is no whole number")
    return whole
