"""The general recurrence in fused C++ (`native/simd/general/`): of one network, or of many in one call.

`forward` and `backward` take and return what those of `elman.kernels.general.reference` do. Those of many take every
tensor with a dimension V before its own, which may be an expanded one, and return such tensors; the threads take the
networks in turn. T steps, B sequences, I inputs, H hidden units, V networks.
"""

from __future__ import annotations

import ctypes
import struct
from typing import Any

import torch
from torch import Tensor

from elman.kernels.casting import cast_floating
from elman.kernels.cpu.half import HALVES, widened
from elman.kernels.cpu.library import in_memory, isa, library
from elman.kernels.general.options import (
    NONLINEARITIES,
    GeneralGradients,
    GeneralInputs,
    GeneralNeeds,
    GeneralOptions,
    saves_extra,
)
from elman.kernels.general.reference import states_before
from elman.kernels.ragged import Rows

DTYPES = {torch.float32: 0, torch.float64: 1}
# elman_general_call in native/elman_general.h, field by field; tests/native compares it with what the library reports.
_pack = struct.Struct("=55q").pack
_LANES = {"avx512bf16": 16, "avx512": 16, "avx2": 8, "portable": 4}  # of float32 in a vector
_int64, _pointer = ctypes.c_int64, ctypes.c_void_p


def forward(inputs: GeneralInputs, options: GeneralOptions, save: bool = True) -> tuple[Tensor, Tensor, Tensor | None]:
    """h (T, B, H), the last state (B, H), and `extra` (T, B, H) where the adjoint needs it; in one native call."""
    dtype = inputs.x.dtype
    if dtype in HALVES:
        return cast_floating(forward(widened(inputs, dtype), options, save), dtype)
    return _run_forward(_Calls(inputs, options, alone=True), save)


def backward(
    grad_h: Tensor | None,  # (T, B, H)
    grad_h_last: Tensor | None,  # (B, H)
    inputs: GeneralInputs,
    h: Tensor,  # as `forward` returned it
    extra: Tensor | None,
    options: GeneralOptions,
    needs: GeneralNeeds,
) -> GeneralGradients:
    """The gradients of the inputs, None where not needed."""
    given = (None if tensor is None else tensor.unsqueeze(0) for tensor in (grad_h, grad_h_last, h, extra))
    of_h, of_last, h, extra = given  # type: ignore[assignment]
    found = backward_many(of_h, of_last, _one(inputs), h, extra, options, needs)
    return GeneralGradients(*(None if gradient is None else gradient[0] for gradient in found))


def _one(inputs: GeneralInputs) -> GeneralInputs:
    return GeneralInputs(*(None if tensor is None else tensor.unsqueeze(0) for tensor in inputs))  # type: ignore[arg-type]


class _Calls:
    """What the calls of V networks have in common: tensors as the native code takes them, and where each one's lie."""

    def __init__(self, inputs: GeneralInputs, options: GeneralOptions, alone: bool = False) -> None:
        """With `alone` the tensors are one network's, without a dimension V."""
        dtype = inputs.x.dtype
        self.inputs, self.x = inputs, in_memory(inputs.x)
        self.leading = () if alone else self.x.shape[:1]
        self.V = 1 if alone else self.x.shape[0]
        self.T, self.B, self.I = self.x.shape[-3:]
        self.H, self.rank = inputs.w_ih.shape[-2], 0 if inputs.w_in is None else inputs.w_in.shape[-1]
        rows = _contiguous if alone else _rows
        floats = (
            inputs.h0,
            inputs.w_ih,
            inputs.w_hh,
            inputs.bias,
            inputs.leak,
            inputs.noise,
            inputs.restart,
            inputs.w_in,
        )
        self.h0, self.w_ih, self.w_hh, self.bias, self.leak, self.noise, self.restart, self.w_in = (
            rows(tensor, dtype) for tensor in floats
        )
        self.lengths, self.mask = rows(inputs.lengths, torch.int64), rows(inputs.mask, dtype)
        self.reset = None if inputs.reset is None else in_memory(inputs.reset)
        if self.reset is not None and self.reset.dtype is not torch.bool:
            raise TypeError(f"reset is {self.reset.dtype}, not torch.bool")
        if self.noise is not None and inputs.seed is None:
            raise ValueError("noise needs a seed")
        self.seeds: list[Any] = [(0, 0)] * self.V
        if inputs.seed is not None and self.noise is not None:
            self.seeds = [inputs.seed.tolist()] if alone else inputs.seed.tolist()
        self.connected, self.there = None, None
        if inputs.connected is not None:
            self.there = rows(inputs.connected, torch.bool)  # where the gradient of w_hh is not zero
            if _is_sparse(self.there, self.B, dtype):
                self.connected = self.there
            else:
                self.w_hh = self.w_hh * self.there
        self.options = options

    def pack(
        self,
        v: int,
        h: Tensor,  # (V, T, B, H)
        h_last: Tensor | None,
        extra: Tensor | None,
        grad_h: Tensor | None,
        grad_h_last: Tensor | None,
        gradients: GeneralGradients,
        grad_z: Tensor | None = None,  # (V, T, B, H), of low rank
    ) -> bytes:
        """The call of network v."""
        options, at = self.options, _at
        seed, stream = self.seeds[v]
        st, sb, si = self.x.stride()[-3:]
        hst, hsb, _ = h.stride()[-3:]
        gst, gsb, gsi = (0, 0, 1) if grad_h is None else grad_h.stride()[1:]
        gxst, gxsb = (0, 0) if gradients.x is None else gradients.x.stride()[1:3]
        rst, rsb = (0, 0) if self.reset is None else self.reset.stride()[-2:]
        est, esb = (0, 0) if extra is None else extra.stride()[-3:-1]
        sizes = self.T, self.B, self.I, self.H, DTYPES[self.x.dtype], NONLINEARITIES.index(options.nonlinearity)
        return _pack(
            *(*sizes, options.reverse, options.residual, torch.get_num_threads(), at(self.x, v), st, sb, si),
            *(at(self.h0, v), at(self.w_ih, v), at(self.w_hh, v), at(self.bias, v), 0, at(self.lengths, v)),
            *(at(self.mask, v), at(h, v), hst, hsb, at(h_last, v), at(grad_h, v), gst, gsb, gsi),
            *(at(grad_h_last, v), at(gradients.x, v), gxst, gxsb, at(gradients.h0, v), at(gradients.w_ih, v)),
            *(at(gradients.w_hh, v), at(gradients.bias, v), options.current, seed, stream, at(self.leak, v)),
            *(at(self.noise, v), at(self.restart, v), at(self.reset, v), rst, rsb, at(extra, v), est, esb),
            *(at(gradients.leak, v), at(gradients.noise, v), at(gradients.restart, v)),
            *(self.rank, at(self.w_in, v), at(grad_z, v), at(self.connected, v)),
        )

    def run(self, function: Any, packed: bytes) -> None:
        """The native call, and what its status means."""
        status = function(packed, self.V)
        if status == 2:
            raise MemoryError("not enough memory for the recurrence's working buffers")
        if status:
            for length in () if self.lengths is None else self.lengths.flatten().tolist():
                if not 0 <= length <= self.T:
                    raise ValueError(f"lengths holds {length}, x has {self.T} steps")
            raise ValueError("the native library refused the call: a size is out of range")

    def states(self) -> Tensor:
        """(V, T, B, H), or (T, B, H), laid out by steps or by sequences as x is."""
        st, sb, _ = self.x.stride()[-3:]
        if st >= sb:
            return self.x.new_empty((*self.leading, self.T, self.B, self.H))
        return self.x.new_empty((*self.leading, self.B, self.T, self.H)).transpose(-3, -2)


def forward_many(
    inputs: GeneralInputs,  # each tensor with V before its own dimensions
    options: GeneralOptions,
    save: bool = True,  # there will be an adjoint
) -> tuple[Tensor, Tensor, Tensor | None]:
    """h (V, T, B, H), the last states (V, B, H), and `extra` (V, T, B, H) where the adjoint needs it."""
    dtype = inputs.x.dtype
    if dtype in HALVES:
        return cast_floating(forward_many(widened(inputs, dtype), options, save), dtype)
    return _run_forward(_Calls(inputs, options), save)


def _run_forward(calls: _Calls, save: bool) -> tuple[Tensor, Tensor, Tensor | None]:
    h, h_last = calls.states(), calls.x.new_empty((*calls.leading, calls.B, calls.H))
    extra = calls.states() if saves_extra(calls.inputs, calls.options) and (save or calls.options.current) else None
    none = GeneralGradients()
    packed = b"".join([calls.pack(v, h, h_last, extra, None, None, none) for v in range(calls.V)])
    calls.run(library().elman_general_forward, packed)
    return h, h_last, extra


def backward_many(
    grad_h: Tensor | None,  # (V, T, B, H)
    grad_h_last: Tensor | None,  # (V, B, H)
    inputs: GeneralInputs,
    h: Tensor,  # as `forward_many` returned it
    extra: Tensor | None,
    options: GeneralOptions,
    needs: GeneralNeeds,
) -> GeneralGradients:
    """The gradients of the inputs, each with V before its own dimensions; None where not needed."""
    dtype = inputs.x.dtype
    if dtype in HALVES:
        of_h, of_last, wide, more = widened((grad_h, grad_h_last, h, extra), dtype)
        assert wide is not None
        return cast_floating(backward_many(of_h, of_last, widened(inputs, dtype), wide, more, options, needs), dtype)
    calls = _Calls(inputs, options)
    V, T, B, I, H = calls.V, calls.T, calls.B, calls.I, calls.H
    new = calls.x.new_empty
    _, st, sb, _ = calls.x.stride()
    grad_x = None
    whole = not calls.rank
    if needs.x and whole:  # it lies in memory as x does
        grad_x = new((V, T, B, I)) if st >= sb else new((V, B, T, I)).transpose(1, 2)
    gradients = GeneralGradients(
        x=grad_x,
        h0=new((V, B, H)) if needs.h0 else None,
        w_ih=new((V, H, I)) if needs.w_ih and whole else None,
        w_hh=new((V, H, H)) if needs.w_hh and whole else None,
        bias=new((V, H)) if needs.bias and whole else None,
        leak=new((V, H)) if needs.leak and calls.leak is not None else None,
        noise=new((V, H)) if needs.noise and calls.noise is not None else None,
        restart=new((V, H)) if needs.restart and calls.restart is not None else None,
    )
    grad_h = None if grad_h is None else in_memory(grad_h)
    grad_h_last = _rows(grad_h_last, calls.x.dtype)
    h, extra = _states(h), None if extra is None else _states(extra)
    grad_z = new((V, T, B, H)) if calls.rank else None
    packed = b"".join(calls.pack(v, h, None, extra, grad_h, grad_h_last, gradients, grad_z) for v in range(V))
    calls.run(library().elman_general_backward, packed)
    if gradients.w_hh is not None and calls.there is not None and calls.connected is None:
        gradients.w_hh.mul_(calls.there)
    return gradients if grad_z is None else _with_products(gradients, grad_z, inputs, h, extra, options, needs)


def _is_sparse(connected: Tensor, B: int, dtype: torch.dtype) -> bool:
    """Whether a step by its connections costs less than one by the dense W_hh.

    A connection costs as much as two or three of its multiply-adds; the sequences fill whole vectors; and there is the
    work of turning the states, which counts where they are few.
    """
    H = connected.shape[-1]
    lanes = _LANES[isa()] // (2 if dtype is torch.float64 else 1)
    filled = -(-B // lanes) * lanes / B
    return connected.count_nonzero().item() / connected.numel() * 2.5 * filled + 100 / H < 1


def _with_products(
    gradients: GeneralGradients,
    grad_z: Tensor,
    inputs: GeneralInputs,
    h: Tensor,
    extra: Tensor | None,
    options: GeneralOptions,
    needs: GeneralNeeds,
) -> GeneralGradients:
    """The gradients of x, the weights and the bias, which the native pass of low rank leaves as dL/dz."""
    found = []
    for v in range(inputs.x.shape[0]):
        own = GeneralInputs(*(None if tensor is None else tensor[v] for tensor in inputs))  # type: ignore[arg-type]
        rows = Rows(own.x.shape[0], own.x.shape[1], own.lengths)
        _, q = states_before(own, h[v], None if extra is None else extra[v], options, rows)
        found.append(_narrow_products(own, rows.gather(grad_z[v]), q, rows, needs))

    def stacked(name: str) -> Any:
        parts = [getattr(one, name) for one in found]
        return torch.stack(parts) if parts and parts[0] is not None else None

    return gradients._replace(**{name: stacked(name) for name in ("x", "w_ih", "w_hh", "bias", "w_in")})


def _narrow_products(
    inputs: GeneralInputs,
    delta: Tensor,  # (N, H)
    q: Tensor,  # (N, H)
    rows: Rows,
    needs: GeneralNeeds,
) -> GeneralGradients:
    """What the reference's `products` gives, each product turned so that the long side of a narrow factor lies in rows:
    torch's matrix product takes up to ten times as long the other way round."""
    w_hh, w_in = inputs.w_hh, inputs.w_in
    assert w_in is not None
    entering = q if inputs.mask is None else q * rows.spread(rows.sort(inputs.mask))

    def by_columns(a: Tensor, w: Tensor) -> Tensor:
        return torch.nn.functional.linear(a, w.t().contiguous())

    def over_rows(a: Tensor, narrow: Tensor) -> Tensor:  # a^T narrow
        return (narrow.t() @ a).t().contiguous()

    return GeneralGradients(
        x=rows.scatter(by_columns(delta, inputs.w_ih)) if needs.x else None,
        w_ih=over_rows(delta, rows.gather(inputs.x)) if needs.w_ih else None,
        w_hh=over_rows(delta, by_columns(entering, w_in)) if needs.w_hh else None,
        bias=delta.sum(0) if needs.bias else None,
        w_in=over_rows(entering, by_columns(delta, w_hh)) if needs.w_in else None,
    )


def normal(seed: int, stream: int, T: int, B: int, H: int) -> Tensor:
    """The noise of a recurrence, (T, B, H) float32, as `elman.kernels.general.noise.normal` defines it."""
    drawn = torch.empty((T, B, H))
    library().elman_normal(*(_int64(n) for n in (seed, stream, T, B, H)), _pointer(drawn.data_ptr()))
    return drawn


def _at(tensor: Tensor | None, v: int) -> int:
    """Where network v's part lies."""
    if tensor is None:
        return 0
    return tensor.data_ptr() + v * tensor.stride(0) * tensor.element_size() if v else tensor.data_ptr()


def _states(tensor: Tensor) -> Tensor:
    tensor = in_memory(tensor)
    return tensor if tensor.stride(3) == 1 else tensor.contiguous()


def _contiguous(tensor: Tensor | None, dtype: torch.dtype) -> Any:
    """Its numbers one after the other in memory."""
    if tensor is None:
        return None
    if tensor.dtype is not dtype:
        raise TypeError(f"expected {dtype} as x has, got {tensor.dtype}")
    return in_memory(tensor).contiguous()


def _rows(tensor: Tensor | None, dtype: torch.dtype) -> Any:
    """Each network's part contiguous; what is the same for all of them stays there once."""
    shared = tensor is not None and tensor.shape[0] > 0 and tensor.dtype is dtype and tensor[0].is_contiguous()
    return in_memory(tensor) if shared and tensor is not None else _contiguous(tensor, dtype)
