"""The face of the general recurrence: one network, or V of them."""

from __future__ import annotations

import torch
from torch import Tensor

from elman.kernels.casting import cast_floating
from elman.kernels.general.options import GeneralInputs, GeneralOptions
from elman.kernels.options import RecurrenceInputs
from elman.kernels.torch_private import are_plain, is_plain_eager, is_profiling
from elman.ops.autocast import autocast_dtype, computed_in
from elman.ops.general.autograd import States, apply_many
from elman.ops.general.custom_ops import run_one
from elman.ops.validation import check_inputs, check_one


def run_general(inputs: GeneralInputs, options: GeneralOptions) -> States:
    """h (T, B, H), the last state (B, H), and what else the adjoint needs, (T, B, H) or empty: f(a) or v.

    Raises:
        ValueError, TypeError: a tensor does not fit; see `elman.recurrence`.
    """
    dtype = autocast_dtype(inputs.x)
    if dtype is not None:
        inside = cast_floating(inputs, computed_in(dtype, inputs.x.device, exact=True))
        return cast_floating(_run_one(inside, options), dtype)
    return _run_one(inputs, options)


def _run_one(inputs: GeneralInputs, options: GeneralOptions) -> States:
    check_general(inputs, options)
    if not torch.is_grad_enabled() and is_plain_eager() and not is_profiling() and are_plain(inputs):
        done = run_one(inputs, options)
        if done is not None:
            return *done, done[0].new_empty(0)
    h, h_last, extra = apply_many(
        GeneralInputs(*(None if tensor is None else tensor.unsqueeze(0) for tensor in inputs)),  # type: ignore[arg-type]
        options,
    )
    return h.squeeze(0), h_last.squeeze(0), extra.squeeze(0)


def run_networks(inputs: GeneralInputs, options: GeneralOptions) -> States:
    """V networks in one call: every tensor has V before its own dimensions, and so have the three outputs."""
    dtype = autocast_dtype(inputs.x)
    if dtype is not None:
        inputs = cast_floating(inputs, computed_in(dtype, inputs.x.device, exact=True))
    V = inputs.x.shape[0]
    for name, tensor in zip(inputs._fields, inputs, strict=True):
        if tensor is not None and tensor.shape[:1] != (V,):
            raise ValueError(f"{name} has shape {tuple(tensor.shape)}; of {V} networks it begins with {V}")
    if V:
        first = (None if tensor is None else tensor[0] for tensor in inputs)
        check_general(GeneralInputs(*first), options)  # type: ignore[arg-type]
    states = apply_many(inputs, options)
    return states if dtype is None else cast_floating(states, dtype)


def check_general(inputs: GeneralInputs, options: GeneralOptions) -> None:
    """Raise ValueError or TypeError where shapes, dtypes, devices or options do not fit."""
    x, h0, w_ih, w_hh, bias, leak, noise, restart, w_in, lengths, mask, reset, seed, connected = inputs
    if w_in is not None:
        H = w_ih.shape[0]
        for name, factor in (("w_hh", w_hh), ("w_in", w_in)):
            if factor.dim() != 2 or factor.shape != (H, w_in.shape[-1]) or w_in.shape[-1] < 1:
                raise ValueError(
                    f"{name} has shape {tuple(factor.shape)}; W_hh = w_hh w_in^T of {H} units needs (H, r)"
                )
        check_one("w_in", w_in, w_hh.shape, x, w_hh)
    square = w_hh if w_in is None else w_hh[:, :1].expand(w_hh.shape[0], w_hh.shape[0])
    check_inputs(RecurrenceInputs(x, h0, w_ih, square, bias, lengths, mask))
    for name, tensor in (("leak", leak), ("noise", noise), ("restart", restart)):
        if tensor is not None:
            check_one(name, tensor, w_hh.shape[:1], x, w_hh)
    if leak is not None and options.residual:
        raise ValueError("leak and residual say different things of h_(t-1); choose one")
    if (noise is None) != (seed is None):
        raise ValueError("noise and seed go together: give both or neither")
    if restart is not None and reset is None:
        raise ValueError("restart is the state that a reset goes to; give reset too")
    if connected is not None:
        _check_connected(connected, w_hh, w_in)
    if seed is not None and (seed.shape != (2,) or seed.dtype != torch.int64):
        raise ValueError(f"seed has shape {tuple(seed.shape)} and dtype {seed.dtype}; it is two int64: seed, stream")
    if reset is not None:
        if reset.dtype != torch.bool:
            raise TypeError(f"reset is {reset.dtype}, not torch.bool")
        if reset.shape != x.shape[:2]:
            T, B = x.shape[:2]
            raise ValueError(f"reset has shape {tuple(reset.shape)}, but x has {T} steps of {B} sequences: {(T, B)}")
        if reset.device != x.device:
            raise ValueError(f"reset is on {reset.device}, x is on {x.device}")


def _check_connected(connected: Tensor, w_hh: Tensor, w_in: Tensor | None) -> None:
    if w_in is not None:
        raise ValueError("connected and w_in say different things of W_hh; choose one")
    if connected.dtype != torch.bool:
        raise TypeError(f"connected is {connected.dtype}, not torch.bool")
    if connected.shape != w_hh.shape:
        raise ValueError(f"connected has shape {tuple(connected.shape)}, w_hh {tuple(w_hh.shape)}")
    if connected.device != w_hh.device:
        raise ValueError(f"connected is on {connected.device}, w_hh is on {w_hh.device}")
