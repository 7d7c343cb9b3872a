"""The general recurrence of many networks and its adjoint as registered operators; see `elman.ops.custom_ops`.

Every tensor has a dimension V before its own: one network is V = 1. Derivatives are registered in `autograd`.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from functools import cache
from typing import Any

import torch
from torch import Tensor

from elman.kernels.general import one_by_one
from elman.kernels.general.options import (
    GeneralGradients,
    GeneralInputs,
    GeneralNeeds,
    GeneralOptions,
    general_options,
    saves_extra,
)
from elman.kernels.options import PLAIN, reading_waits
from elman.kernels.protocols import GeneralForm
from elman.kernels.selection import select_backend
from elman.ops.validation import check_lengths

_TENSORS = len(GeneralInputs._fields)
NO_GRADIENTS = (None,) * 4
"""The gradients of the options in an operator's arguments."""


def flatten(inputs: Sequence[Tensor | None], options: GeneralOptions) -> tuple[Any, ...]:
    """The arguments of `many_operator`."""
    return *inputs, options.nonlinearity, options.reverse, options.residual, options.form


def unflatten(args: Sequence[Any]) -> tuple[GeneralInputs, GeneralOptions]:
    """The inverse of `flatten`."""
    return tensor_part(args), general_options(*args[_TENSORS:])


def tensor_part(args: Sequence[Any]) -> GeneralInputs:
    """What stands in the places of the tensors."""
    return GeneralInputs(*args[:_TENSORS])


def _form(x: Tensor) -> GeneralForm | None:
    backend = select_backend(PLAIN, x.device, x.dtype)
    if backend.general is None and backend.name != "reference":
        _say_once(backend.name)
    return backend.general


@cache
def _say_once(name: str) -> None:
    text = f"the backend {name!r} has no leak, noise, resets or other activations; the reference runs them, slower"
    warnings.warn(text, RuntimeWarning, stacklevel=4)


def run_many(inputs: GeneralInputs, options: GeneralOptions, save: bool = True) -> tuple[Tensor, Tensor, Tensor]:
    """h (V, T, B, H), the last states (V, B, H), and what else the adjoint needs, (V, T, B, H) or (V, 0).

    `save` says whether there will be an adjoint.

    Raises:
        ValueError: a length is outside 0..T.
    """
    lengths = inputs.lengths
    if lengths is not None and not reading_waits(lengths):
        check_lengths(lengths.flatten(), inputs.x.shape[1])
    form = _form(inputs.x)
    nothing = 0 in inputs.x.shape[:3]  # which has no address
    run = one_by_one.forward_many if form is None or nothing else form.forward_many
    h, h_last, extra = run(inputs, options, save)
    return h, h_last, h.new_empty(h.shape[0], 0) if extra is None else extra


def run_one(inputs: GeneralInputs, options: GeneralOptions) -> tuple[Tensor, Tensor] | None:
    """h (T, B, H) and the last state (B, H) of one network, for which there will be no adjoint; None, and nothing has
    run, where `run_many` must take it.

    Raises:
        ValueError: a length is outside 0..T.
    """
    form = _form(inputs.x)
    if form is None or not hasattr(form, "forward") or 0 in inputs.x.shape[:2]:
        return None
    if inputs.lengths is not None:
        check_lengths(inputs.lengths, inputs.x.shape[0])
    h, h_last, _ = form.forward(inputs, options, save=False)
    return h, h_last


def run_many_adjoint(
    grad_h: Tensor | None,
    grad_h_last: Tensor | None,
    grad_extra: Tensor | None,
    inputs: GeneralInputs,
    h: Tensor,
    extra: Tensor,
    options: GeneralOptions,
    needs: GeneralNeeds,
) -> GeneralGradients:
    """The gradients that are needed. A gradient to `extra`, which second derivatives alone have, is the reference's."""
    saved = extra if saves_extra(inputs, options) else None
    form = _form(inputs.x)
    if form is None or not h.numel() or (grad_extra is not None and saved is not None):
        of_extra = grad_extra if saved is not None else None
        return one_by_one.backward_many(grad_h, grad_h_last, of_extra, inputs, h, saved, options, needs)
    return form.backward_many(grad_h, grad_h_last, inputs, h, saved, options, needs)


def not_none(gradients: GeneralGradients) -> list[Tensor]:
    """The gradients that are there."""
    return [gradient for gradient in gradients if gradient is not None]


_SCHEMA = (
    "Tensor x, Tensor h0, Tensor w_ih, Tensor w_hh, Tensor? bias, Tensor? leak, Tensor? noise, Tensor? restart, "
    "Tensor? w_in, Tensor? lengths, Tensor? mask, Tensor? reset, Tensor? seed, Tensor? connected, "
    "str nonlinearity, bool reverse, bool residual, str form"
)


def _many(*args: Any) -> tuple[Tensor, Tensor, Tensor]:
    h, h_last, extra = run_many(*unflatten(args))
    return h.contiguous(), h_last, extra.contiguous()


def _adjoint(
    grad_h: Tensor | None,
    grad_h_last: Tensor | None,
    grad_extra: Tensor | None,
    h: Tensor,
    extra: Tensor,
    needs: Sequence[bool],
    *args: Any,
) -> list[Tensor]:
    inputs, options = unflatten(args)
    found = run_many_adjoint(grad_h, grad_h_last, grad_extra, inputs, h, extra, options, GeneralNeeds(*needs))
    return [gradient.contiguous() for gradient in not_none(found)]


many_operator = torch.library.custom_op(
    "elman::general_recurrences", _many, mutates_args=(), schema=f"({_SCHEMA}) -> (Tensor, Tensor, Tensor)"
)
many_adjoint_operator = torch.library.custom_op(
    "elman::general_adjoints",
    _adjoint,
    mutates_args=(),
    schema="(Tensor? grad_h, Tensor? grad_h_last, Tensor? grad_extra, Tensor h, Tensor extra, bool[] needs, "
    f"{_SCHEMA}) -> Tensor[]",
)


@many_operator.register_fake
def _(*args: Any) -> tuple[Tensor, Tensor, Tensor]:
    inputs, options = unflatten(args)
    V, T, B, _ = inputs.x.shape
    new, H = inputs.x.new_empty, inputs.w_ih.shape[1]
    h = new(V, T, B, H)
    return h, new(V, B, H), torch.empty_like(h) if saves_extra(inputs, options) else new(V, 0)


@many_adjoint_operator.register_fake
def _(
    grad_h: Any, grad_h_last: Any, grad_extra: Any, h: Tensor, extra: Tensor, needs: Sequence[bool], *args: Any
) -> list[Tensor]:
    inputs, _ = unflatten(args)
    V, H = h.shape[0], h.shape[-1]
    x, h0, w_ih, w_hh, *_ = inputs
    rank_shape = w_hh.shape if inputs.w_in is None else inputs.w_in.shape
    shapes = (x.shape, h0.shape, w_ih.shape, w_hh.shape, *[(V, H)] * 4, rank_shape)
    return [h.new_empty(shape) for shape, need in zip(shapes, needs, strict=True) if need]
