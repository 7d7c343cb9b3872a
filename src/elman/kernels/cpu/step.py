"""One step of a stack of layers in native code, which reads the weights where they lie: nothing is kept between calls.

L layers, S sequences, I inputs, H hidden units.
"""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Callable, Sequence
from functools import cache

import torch
from torch import Tensor

from elman.kernels.cpu.library import ADDRESSES, NONLINEARITIES, library
from elman.kernels.options import PLAIN_TYPES, RecurrenceOptions, options_for

_DTYPES = {torch.float32: 0, torch.float64: 1}
_threads = torch.get_num_threads


def step_layers(
    x: Tensor,  # (S, I)
    state: Tensor | None,  # (L, S, H); without it zeros
    layers: Sequence[Sequence[Tensor]],  # w_ih, w_hh and no or two biases of each layer
    options: RecurrenceOptions,
    H: int,
) -> tuple[Tensor, Tensor] | None:
    """The output (S, H) and the new state (L, S, H), memory of their own; None, and nothing has run, where something
    does not fit, is not contiguous, is no plain tensor, or is asked for that a step does not compute."""
    if options is not options_for(options.nonlinearity, False, options.residual):
        return None
    S, columns = x.shape
    L, dtype = len(layers), x.dtype
    if dtype not in _DTYPES or not _fits(x, dtype):
        return None
    if state is not None and (state.shape != (L, S, H) or not _fits(state, dtype)):
        return None
    pointers: list[int] = []
    head = L, S, columns, H
    vector = (H,)
    try:
        at_x, at_state = x.data_ptr(), 0 if state is None else state.data_ptr()
        for weights in layers:
            for weight, shape in zip(weights, ((H, columns), (H, H), vector, vector), strict=False):
                if (  # `_fits`, without a call for each weight
                    weight.dtype is not dtype
                    or weight.shape != shape
                    or not weight.is_contiguous()
                    or not weight.is_cpu
                    or type(weight) not in PLAIN_TYPES
                    or weight.is_neg()
                ):
                    return None
                pointers.append(weight.data_ptr())
            columns = H
    except RuntimeError:  # laid out in another way, without storage
        return None
    given = [at_x] if state is None else [at_x, at_state]
    if min(*given, *pointers) < ADDRESSES:
        tensors = (x, *([] if state is None else [state]), *(weight for weights in layers for weight in weights))
        if any(tensor._is_zerotensor() or (not tensor.data_ptr() and (tensor.numel() or S)) for tensor in tensors):
            return None  # numbers without memory
    if len(layers[0]) == 2:
        pointers = [pointer for l in range(L) for pointer in (*pointers[2 * l : 2 * l + 2], 0, 0)]
    output = x.new_empty_strided((S, H), (H, 1))
    new = x.new_empty_strided((L, S, H), (S * H, H, 1))
    packed = _packer(L)(
        *(*head, _DTYPES[dtype], NONLINEARITIES[options.nonlinearity], options.residual, _threads()),
        *(at_x, at_state, new.data_ptr(), output.data_ptr(), *pointers),
    )
    status = _function()(packed)
    if status:
        raise MemoryError("not enough memory for the step's working buffers")
    return output, new


def _fits(tensor: Tensor, dtype: torch.dtype) -> bool:
    """Whether the native code may take the tensor's memory as it is."""
    return (
        tensor.dtype is dtype
        and tensor.is_cpu
        and tensor.is_contiguous()
        and type(tensor) in PLAIN_TYPES
        and not tensor.is_neg()
    )


@cache
def _packer(L: int) -> Callable[..., bytes]:
    """Packs an elman_step_call of native/elman.h and the pointers behind it: all eight bytes wide."""
    return struct.Struct(f"={12 + 4 * L}q").pack


@cache
def _function() -> Callable[[bytes], int]:
    function = library().elman_step
    function.argtypes = [ctypes.c_char_p]
    return function
