"""The fast CPU backend: the recurrence of `reference.py` in fused C++ (`native/`), called through its C interface.

`forward` and `backward` take and return what those of `reference.py` do. The functions of a layer, on which they
stand, run all its directions in one native call and do little else: around a short sequence Python takes longer than
the recurrence, most of all when its code has to come from memory first.
T steps, B sequences, I inputs, H hidden units, D directions.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

import torch
from torch import Tensor

from elman.kernels.casting import cast_floating
from elman.kernels.cpu import general as GENERAL
from elman.kernels.cpu.builtin import layer_function, step_function
from elman.kernels.cpu.decoder import NativeStack
from elman.kernels.cpu.half import HALVES, widened
from elman.kernels.cpu.library import (
    ADDRESSES,
    NONLINEARITIES,
    available,
    in_memory,
    is_lazy,
    isa,
    library,
    pointer,
    set_isa,
    tanh,
    why_missing,
)
from elman.kernels.cpu.step import step_layers
from elman.kernels.options import PLAIN_TYPES, Gradients, Needs, RecurrenceInputs, RecurrenceOptions

__all__ = [
    "GENERAL",
    "available",
    "isa",
    "layer_function",
    "library",
    "set_isa",
    "step_function",
    "step_layers",
    "tanh",
    "why_missing",
]

STACK = NativeStack
_DTYPES = {torch.float32: 0, torch.float64: 1}
_BFLOAT16 = 2  # tensors of float32, of which products may take factors rounded to bfloat16
# elman_call in native/elman.h, field by field: every one is eight bytes wide, null pointers are 0. tests/native
# compares what is packed with the layout that the library reports.
_pack = struct.Struct("=36q").pack
_threads = torch.get_num_threads


def why_unavailable(device: torch.device) -> str:
    """Why the native library is not here; empty where it is."""
    return "" if available() else f"elman was installed without its native library: {why_missing()}"


def why_unsupported(options: RecurrenceOptions, dtype: torch.dtype) -> str:
    """Why it does not compute this; empty where it does."""
    known = dtype in _DTYPES or dtype in HALVES
    return "" if known else f"it runs float32, float64, bfloat16 and float16, not {dtype}"


def detail() -> str:
    """The instruction set in use."""
    return f"fused C++, {isa()}"


def forward(inputs: RecurrenceInputs, options: RecurrenceOptions) -> tuple[Tensor, Tensor]:
    """All steps of the recurrence in one native call; h lies in memory as x does, batch or time first.

    See `elman.kernels.reference.forward`.

    Raises:
        ValueError: a length is outside 0..T.
        TypeError: a tensor's dtype is not that of x.
        MemoryError: there is no memory for the working buffers.
    """
    given = inputs.x.dtype
    if given in HALVES:
        inputs = widened(inputs, given)
    dtype = inputs.x.dtype
    h0, mask, lengths = _rows(inputs.h0, dtype), _some(inputs.mask, dtype), _some(inputs.lengths, torch.int64)
    biases = () if inputs.bias is None else (inputs.bias,)
    weights = [_rows(weight, dtype) for weight in (inputs.w_ih, inputs.w_hh, *biases)]
    pointers = [weight.data_ptr() for weight in weights]
    h_last = torch.empty_like(h0)
    layer = in_memory(inputs.x), h0, lengths, options, h0.shape[1], 1, pointers
    states = forward_layer(*layer, mask=mask, h_n=h_last, bfloat16=given == torch.bfloat16)
    return cast_floating(states, given) if given in HALVES else states


def addresses(
    x: Tensor,  # (T, B, I)
    h0: Tensor | None,  # (D, B, H)
    lengths: Tensor | None,  # (B,)
    H: int,
    D: int,
    weights: Sequence[Tensor],  # D times w_ih, w_hh and none, one or two biases
) -> list[int] | None:
    """Where the weights lie; None where something does not fit, is not contiguous, or is no plain tensor."""
    dtype = x.dtype
    if dtype not in _DTYPES:
        return None
    T, B, inputs = x.shape
    pointers = []
    try:
        for weight, shape in zip(weights, ((H, inputs), (H, H), (H,), (H,))[: len(weights) // D] * D, strict=True):
            if (  # `_fits`, without a call for each weight
                weight.shape != shape
                or weight.dtype is not dtype
                or not weight.is_cpu
                or not weight.is_contiguous()
                or type(weight) not in PLAIN_TYPES
                or weight.is_neg()
            ):
                return None
            pointers.append(weight.data_ptr())
    except RuntimeError:  # laid out in another way, without storage
        return None
    if min(pointers) < ADDRESSES and any(weight._is_zerotensor() or not weight.data_ptr() for weight in weights):
        return None  # weights without numbers, or without memory
    if h0 is not None and (h0.shape != (D, B, H) or not _fits(h0, dtype) or is_lazy(h0)):
        return None
    if T == 0 or is_lazy(x) or (lengths is not None and (lengths.shape != (B,) or not _fits(lengths, torch.int64))):
        return None
    return pointers


def _fits(tensor: Tensor, dtype: torch.dtype) -> bool:
    """Whether the native code may take the tensor's memory as it is."""
    return (
        tensor.dtype is dtype
        and tensor.is_cpu
        and tensor.is_contiguous()
        and type(tensor) in PLAIN_TYPES
        and not tensor.is_neg()
        and not tensor._is_zerotensor()
    )


def forward_layer(
    x: Tensor,  # (T, B, I), any strides
    h0: Tensor | None,  # (D, B, H) contiguous; without it zeros
    lengths: Tensor | None,  # (B,) int64, contiguous
    options: RecurrenceOptions,  # of the first direction; the second always runs from the end
    H: int,
    D: int,
    weights: Sequence[int],  # where these lie, contiguous: D times w_ih, w_hh and none, one or two biases
    *,
    time_first: bool = False,  # lay h out by steps, though x may lie by sequences
    mask: Tensor | None = None,  # (B, H) contiguous, for one direction
    h_n: Tensor | None = None,  # where to write it, if not to new memory
    bfloat16: bool = False,  # products may round their factors to it
) -> tuple[Tensor, Tensor]:  # h (T, B, D * H), h_n (D, B, H)
    """Every direction of a layer, side by side if that is faster; all of them write into one output.

    Nothing is checked: the caller has looked at everything by then.
    """
    T, B, I = x.shape
    st, sb, si = x.stride()
    n = D * H
    hst, hsb = (B * n, n) if time_first or st >= sb else (n, T * n)
    # no transposed view: what a Function returns as one may not be changed in place; new_empty itself takes longer
    h = x.new_empty_strided((T, B, n), (hst, hsb, 1))
    if h_n is None:
        h_n = x.new_empty_strided((D, B, H), (B * H, H, 1))
    at_h0 = 0 if h0 is None else h0.data_ptr()
    at_lengths = 0 if lengths is None else lengths.data_ptr()
    at_mask = 0 if mask is None else mask.data_ptr()
    at_x, at_h, at_h_n = x.data_ptr(), h.data_ptr(), h_n.data_ptr()
    row, dtype, threads = H * x.element_size(), _BFLOAT16 if bfloat16 else _DTYPES[x.dtype], _threads()
    function, reverse, residual = NONLINEARITIES[options.nonlinearity], options.reverse, options.residual
    each = len(weights) // D
    packed = b""
    for d in range(D):
        w_ih, w_hh, bias, bias_hh = (*weights[d * each : d * each + each], 0, 0)[:4]
        packed += _pack(
            *(T, B, I, H, dtype, function, reverse or d == 1, residual, threads, at_x, st, sb, si),
            *(at_h0 and at_h0 + d * B * row, w_ih, w_hh, bias, bias_hh, at_lengths, at_mask),
            *(at_h + d * row, hst, hsb, at_h_n + d * B * row, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0),
        )
    status = library().elman_forward(packed, D)
    if status:
        raise _failure(status, lengths, T)
    return h, h_n


def backward(
    grad_h: Tensor | None,  # (T, B, H), any strides
    grad_h_last: Tensor | None,  # (B, H)
    inputs: RecurrenceInputs,
    h: Tensor,  # (T, B, H) as `forward` returned it
    options: RecurrenceOptions,
    needs: Needs,
) -> Gradients:
    """The gradients of x, h0, w_ih, w_hh and bias, None where not needed; all in one native call.

    See `elman.kernels.reference.backward`; raises what `forward` raises.
    """
    given = inputs.x.dtype
    if given in HALVES:
        inputs, (h,) = widened(inputs, given), widened((h,), given)
        grad_h, grad_h_last = widened((grad_h, grad_h_last), given)
    x, h0, w_ih, w_hh, _, lengths, mask = inputs
    layer = grad_h, grad_h_last, x, h0, h, lengths, options, 1, (w_ih, w_hh), (needs,)
    gradients = backward_layer(*layer, mask=mask, bfloat16=given == torch.bfloat16)[0]
    return cast_floating(gradients, given) if given in HALVES else gradients


def backward_layer(
    grad_h: Tensor | None,  # (T, B, D * H), any strides
    grad_h_n: Tensor | None,  # (D, B, H)
    x: Tensor,
    h0: Tensor | None,
    h: Tensor,  # (T, B, D * H) as `forward_layer` returned it
    lengths: Tensor | None,
    options: RecurrenceOptions,
    D: int,
    weights: Sequence[Tensor],
    needs: Sequence[Needs],  # of each direction
    *,
    mask: Tensor | None = None,
    bfloat16: bool = False,
) -> list[Gradients]:
    """The adjoint of `forward_layer`: each direction's gradients of x, h0, w_ih, w_hh, bias; None where not needed."""
    dtype = x.dtype
    T, B, I = x.shape
    each = len(weights) // D
    x, h, grad_h = _present(x), _present(h), None if grad_h is None else _present(grad_h)
    st, sb, si = x.stride()
    H = weights[1].shape[0]
    if h.stride(2) != 1:
        h = h.contiguous()
    hst, hsb, _ = h.stride()
    h0, mask, grad_h_n = _some(h0, dtype), _some(mask, dtype), _some(grad_h_n, dtype)
    lengths = _some(lengths, torch.int64)
    gst, gsb, gsi = (0, 0, 1) if grad_h is None else grad_h.stride()
    head = T, B, I, H, _BFLOAT16 if bfloat16 else _DTYPES[dtype], NONLINEARITIES[options.nonlinearity]
    reverse, residual = options.reverse, options.residual
    given = x.data_ptr(), st, sb, si
    at_h0, at_h, at_grad_h, at_grad_h_n = pointer(h0), h.data_ptr(), pointer(grad_h), pointer(grad_h_n)
    at_lengths, at_mask = pointer(lengths), pointer(mask)
    size, threads = x.element_size(), _threads()
    packed, gradients = b"", []
    kept: list[Tensor] = []  # what may be a copy lives until the call
    for d, (of_x, of_h0, of_w_ih, of_w_hh, of_bias) in enumerate(needs):
        w_ih, w_hh = _rows(weights[d * each], dtype), _rows(weights[d * each + 1], dtype)
        kept += (w_ih, w_hh)
        grad_x = None
        if of_x:  # it lies in memory as x does
            grad_x = x.new_empty_strided((T, B, I), (B * I, I, 1) if st >= sb else (I, T * I, 1))
        grad_h0 = x.new_empty_strided((B, H), (H, 1)) if of_h0 and h0 is not None else None
        grad_w_ih = torch.empty_like(w_ih) if of_w_ih else None
        grad_w_hh = torch.empty_like(w_hh) if of_w_hh else None
        grad_bias = x.new_empty_strided((H,), (1,)) if of_bias else None
        gxst, gxsb, _ = (0, 0, 1) if grad_x is None else grad_x.stride()
        packed += _pack(
            *(*head, reverse or d == 1, residual, threads, *given, at_h0 and at_h0 + d * B * H * size),
            *(w_ih.data_ptr(), w_hh.data_ptr(), 0, 0, at_lengths, at_mask, at_h + d * H * size, hst, hsb, 0),
            *(at_grad_h and at_grad_h + d * H * gsi * size, gst, gsb, gsi),
            *(at_grad_h_n and at_grad_h_n + d * B * H * size, pointer(grad_x), gxst, gxsb),
            *(pointer(grad_h0), pointer(grad_w_ih), pointer(grad_w_hh), pointer(grad_bias)),
        )
        gradients.append(Gradients(grad_x, grad_h0, grad_w_ih, grad_w_hh, grad_bias))
    status = library().elman_backward(packed, D)
    if status:
        raise _failure(status, lengths, T)
    return gradients


def _failure(status: int, lengths: Tensor | None, T: int) -> Exception:
    """What a native call's status means."""
    if status == 2:
        return MemoryError("not enough memory for the recurrence's working buffers")
    for length in () if lengths is None else lengths.tolist():
        if not 0 <= length <= T:
            return ValueError(f"lengths holds {length}, x has {T} steps")
    return ValueError("the native library refused the call: a size is out of range")


def _rows(tensor: Tensor, dtype: torch.dtype) -> Tensor:
    if tensor.dtype is not dtype:
        raise TypeError(f"expected {dtype} as x has, got {tensor.dtype}")
    return _present(tensor if tensor.is_contiguous() else tensor.contiguous())


def _present(tensor: Tensor) -> Tensor:
    """`in_memory`, with the look that suffices for nearly all."""
    return in_memory(tensor) if tensor.data_ptr() < ADDRESSES or tensor.is_neg() else tensor


def _some(tensor: Tensor | None, dtype: torch.dtype) -> Tensor | None:
    return None if tensor is None else _rows(tensor, dtype)
