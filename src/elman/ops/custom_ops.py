"""The recurrence and its adjoint as registered operators: opaque to `torch.compile` and `torch.export`.

`run_forward` and `run_backward` are their bodies, and what eager mode calls directly, because a registered operator
written in Python costs tens of microseconds a call, as much as a whole short sequence. Their derivatives are
registered in `autograd`. Operators take flat arguments: `flatten` and `unflatten` alone know their order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

import torch
from torch import Tensor

from elman.kernels import select_backend
from elman.kernels.options import Gradients, Needs, RecurrenceInputs, RecurrenceOptions, options_for, reading_waits
from elman.ops.validation import check_lengths

_TENSORS = len(RecurrenceInputs._fields)
NO_GRADIENTS = tuple(None for option in fields(RecurrenceOptions) if option.init)
"""The gradients of the options in an operator's arguments."""


def flatten(inputs: Sequence[Tensor | None], options: RecurrenceOptions) -> tuple[Any, ...]:
    """The arguments of `recurrence_operator`."""
    return *inputs, options.nonlinearity, options.reverse, options.residual


def unflatten(args: Sequence[Any]) -> tuple[RecurrenceInputs, RecurrenceOptions]:
    """The inverse of `flatten`."""
    return tensor_part(args), options_for(*args[_TENSORS:])


def tensor_part(args: Sequence[Any]) -> RecurrenceInputs:
    """What stands in the places of the tensors: themselves, or what autograd says of each argument."""
    return RecurrenceInputs(*args[:_TENSORS])


def run_forward(inputs: RecurrenceInputs, options: RecurrenceOptions) -> tuple[Tensor, Tensor]:
    """h (T, B, H) and h_last (B, H), by the backend for the input's device and dtype.

    Raises:
        ValueError: a length is outside 0..T.
    """
    x, lengths = inputs.x, inputs.lengths
    if lengths is not None and not reading_waits(lengths):
        check_lengths(lengths, x.shape[0])
    return select_backend(options, x.device, x.dtype).module.forward(inputs, options)


def run_backward(
    grad_h: Tensor | None,
    grad_h_last: Tensor | None,
    inputs: RecurrenceInputs,
    h: Tensor,
    options: RecurrenceOptions,
    needs: Needs,
) -> Gradients:
    """The gradients that are needed."""
    backend = select_backend(options, inputs.x.device, inputs.x.dtype)
    return backend.module.backward(grad_h, grad_h_last, inputs, h, options, needs)


def not_none(gradients: Gradients) -> list[Tensor]:
    """The gradients that are there."""
    return [gradient for gradient in gradients if gradient is not None]


_SCHEMA = (
    "Tensor x, Tensor h0, Tensor w_ih, Tensor w_hh, Tensor? bias, Tensor? lengths, Tensor? mask, "
    "str nonlinearity, bool reverse, bool residual"
)


def _recurrence(*args: Any) -> tuple[Tensor, Tensor]:
    h, h_last = run_forward(*unflatten(args))
    return h.contiguous(), h_last  # a backend may lay h out as x is; a compiler wants to know beforehand


def _adjoint(
    grad_h: Tensor | None, grad_h_last: Tensor | None, h: Tensor, needs: Sequence[bool], *args: Any
) -> list[Tensor]:
    inputs, options = unflatten(args)
    gradients = run_backward(grad_h, grad_h_last, inputs, h, options, Needs(*needs))
    return [gradient.contiguous() for gradient in not_none(gradients)]


recurrence_operator = torch.library.custom_op(
    "elman::recurrence", _recurrence, mutates_args=(), schema=f"({_SCHEMA}) -> (Tensor, Tensor)"
)
adjoint_operator = torch.library.custom_op(
    "elman::recurrence_adjoint",
    _adjoint,
    mutates_args=(),
    schema=f"(Tensor? grad_h, Tensor? grad_h_last, Tensor h, bool[] needs, {_SCHEMA}) -> Tensor[]",
)


@recurrence_operator.register_fake
def _(*args: Any) -> tuple[Tensor, Tensor]:
    inputs, _ = unflatten(args)
    return inputs.x.new_empty(inputs.x.shape[0], *inputs.h0.shape), inputs.x.new_empty(inputs.h0.shape)


@adjoint_operator.register_fake
def _(grad_h: Any, grad_h_last: Any, h: Tensor, needs: Sequence[bool], *args: Any) -> list[Tensor]:
    x, h0, w_ih, w_hh, *_ = unflatten(args)[0]
    shapes = x.shape, h0.shape, w_ih.shape, w_hh.shape, w_hh.shape[:1]
    return [h.new_empty(shape) for shape, need in zip(shapes, needs, strict=True) if need]
