"""The states of a reservoir in native code: the leaky rate form with a sparse W_hh that is not trained.

The equation is that of `elman.kernels.general.reference` with a W_hh that is mostly zeros. T steps, B sequences,
I inputs, H hidden units, which stand in G groups of 8; K connections of all groups.
"""

from __future__ import annotations

import ctypes
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import torch
from torch import Tensor

from elman.kernels.cpu.library import library

GROUP = 8
"""Units that receive from the same others: a vector of the native code."""
NONLINEARITIES = {"tanh": 0, "relu": 1, "identity": 7}
_DTYPES = {torch.float32: 0, torch.float64: 1}


class ReservoirWeights(NamedTuple):
    """What a reservoir is made of, laid out as the native code reads it."""

    w_ih: Tensor  # (I, 8 G)
    bias: Tensor  # (8 G)
    leak: Tensor  # (8 G), in (0, 1]
    starts: Tensor  # (G + 1) int64, the first connection of each group, and K
    sources: Tensor  # (K) int32, the unit that a connection comes from
    values: Tensor  # (K, 8) its weight to each unit of the group; float32 also where the rest is float64


class ReservoirCall(ctypes.Structure):
    """elman_reservoir_call of native/elman_reservoir.h; tests/native compares it with what the library reports."""

    _fields_ = [
        *((name, ctypes.c_int64) for name in ("T", "B", "I", "H", "K", "dtype", "nonlinearity", "values_dtype")),
        *((name, ctypes.c_void_p) for name in ("x", "h0", "w_ih", "bias", "leak", "starts", "sources", "values", "h")),
        ("h_stride", ctypes.c_int64 * 2),
    ]


def reservoir_states(
    x: Tensor,  # (T, B, I)
    h0: Tensor,  # (B, H)
    weights: ReservoirWeights,
    nonlinearity: str,
) -> Tensor:
    """h (T, B, H). The threads of torch take some of the sequences each; no result depends on their number.

    Raises:
        ValueError: the tensors do not fit together.
    """
    T, B, I = x.shape
    H, width = h0.shape[1], -(-h0.shape[1] // GROUP) * GROUP
    w, dtype = ReservoirWeights(*(tensor.contiguous() for tensor in weights)), x.dtype
    K = len(w.sources)
    wanted = {"w_ih": (I, width), "bias": (width,), "leak": (width,), "starts": (width // GROUP + 1,), "values": (K, 8)}
    for name, shape in wanted.items():
        if getattr(w, name).shape != shape:
            raise ValueError(f"{name} has shape {tuple(getattr(w, name).shape)}; {H} units and {I} inputs take {shape}")
    if any(one.dtype != dtype for one in (h0, w.w_ih, w.bias, w.leak)) or w.values.dtype not in (dtype, torch.float32):
        raise ValueError(f"x is {dtype}, and the state or a weight is not")
    h = x.new_empty((T, B, H))

    def run(first: int, last: int) -> int:
        """The sequences from `first` up to `last`."""
        part, start = x[:, first:last].contiguous(), h0[first:last].contiguous()
        call = ReservoirCall(
            *(T, last - first, I, H, K, _DTYPES[dtype], NONLINEARITIES[nonlinearity], _DTYPES[w.values.dtype]),
            *(tensor.data_ptr() for tensor in (part, start, *w, h[:, first:last])),
            (ctypes.c_int64 * 2)(*h.stride()[:2]),
        )
        return int(library().elman_reservoir(ctypes.byref(call)))

    threads = min(torch.get_num_threads(), B) if T * B * K > _WORTH else 1
    if threads < 2:
        statuses = [run(0, B)] if T * B else []
    else:
        cuts = torch.linspace(0, B, threads + 1).round().int().tolist()
        with ThreadPoolExecutor(threads) as pool:
            statuses = list(pool.map(run, cuts[:-1], cuts[1:]))
    if 2 in statuses:
        raise MemoryError("not enough memory for the reservoir's working buffers")
    if any(statuses):
        raise ValueError("the native library refused the call: a connection lies outside the reservoir")
    return h


_WORTH = 1 << 22
"""Vectors of weights, over all steps and sequences, from which on threads are worth their start."""
