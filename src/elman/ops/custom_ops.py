"""The recurrence and its adjoint as registered operators: opaque to `torch.compile` and `torch.export`.

`run_forward` and `run_backward` are their bodies, and what eager mode calls directly, because a registered operator
written in Python costs tens of microseconds a call, as much as a whole short sequence. Their derivatives are
registered in `functions`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from elman.kernels import select_backend
from elman.ops.validation import check_lengths

# (x, h0, w_ih, w_hh, bias, lengths, nonlinearity, reverse, residual, mask); the adjoint's begin with grad_h and
# grad_h_last, have h before lengths, and end with needs: which of the gradients of the first five are asked for
Arguments = Any


def run_forward(*args: Arguments) -> tuple[Tensor, Tensor]:
    """h (T, B, H) and h_last (B, H), by the machine for the input's device and dtype."""
    x, lengths = args[0], args[5]
    if lengths is not None and lengths.device.type != "cuda":  # to look at them there would be to wait for the GPU
        check_lengths(lengths, x.shape[0])
    return select_backend(x.device, x.dtype).forward(*args)


def run_backward(*args: Arguments) -> list[Tensor]:
    """The gradients that are needed, in the order of the arguments."""
    x = args[2]
    return not_none(select_backend(x.device, x.dtype).backward(*args))


def not_none(grads: Sequence[Tensor | None]) -> list[Tensor]:
    """The gradients that are there."""
    return [grad for grad in grads if grad is not None]


_TENSORS = "Tensor x, Tensor h0, Tensor w_ih, Tensor w_hh, Tensor? bias"
_OPTIONS = "Tensor? lengths, str nonlinearity, bool reverse, bool residual, Tensor? mask"


def _recurrence(*args: Arguments) -> tuple[Tensor, Tensor]:
    h, h_last = run_forward(*args)
    return h.contiguous(), h_last  # a machine may lay h out as x is; a compiler wants to know beforehand


def _adjoint(*args: Arguments) -> list[Tensor]:
    return [grad.contiguous() for grad in run_backward(*args)]


recurrence_operator = torch.library.custom_op(
    "elman::recurrence",
    _recurrence,
    mutates_args=(),
    schema=f"({_TENSORS}, {_OPTIONS}) -> (Tensor, Tensor)",
)
adjoint_operator = torch.library.custom_op(
    "elman::recurrence_adjoint",
    _adjoint,
    mutates_args=(),
    schema=f"(Tensor? grad_h, Tensor? grad_h_last, {_TENSORS}, Tensor h, {_OPTIONS}, bool[] needs) -> Tensor[]",
)


@recurrence_operator.register_fake
def _(x: Tensor, h0: Tensor, *_: Arguments) -> tuple[Tensor, Tensor]:
    return x.new_empty(x.shape[0], *h0.shape), x.new_empty(h0.shape)


@adjoint_operator.register_fake
def _(grad_h: Arguments, grad_h_last: Arguments, *args: Arguments) -> list[Tensor]:
    x, h0, w_ih, w_hh = args[:4]
    shapes = (x.shape, h0.shape, w_ih.shape, w_hh.shape, w_hh.shape[:1])
    return [x.new_empty(shape) for shape, need in zip(shapes, args[-1], strict=True) if need]
