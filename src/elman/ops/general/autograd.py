"""The general recurrence of many networks, differentiable any number of times, under transforms and compilers.

`elman.ops.autograd` does the same for the plain recurrence and says what is behind each function here. Every tensor has
a dimension V before its own; `vmap` makes it longer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

import torch
from torch import Tensor

from elman.kernels.general import one_by_one
from elman.kernels.general.options import (
    DIFFERENTIABLE,
    GeneralGradients,
    GeneralInputs,
    GeneralNeeds,
    GeneralOptions,
    saves_extra,
)
from elman.kernels.torch_private import (
    are_plain,
    are_transforms_active,
    is_compiling,
    is_forward_ad,
    is_in_dispatch_mode,
    is_plain_eager,
    is_tracing,
    unchecked_apply,
)
from elman.ops.forward_mode import run_many_with_tangents
from elman.ops.general.custom_ops import (
    NO_GRADIENTS,
    flatten,
    many_adjoint_operator,
    many_operator,
    not_none,
    run_many,
    run_many_adjoint,
    tensor_part,
    unflatten,
)

States = tuple[Tensor, Tensor, Tensor]


def apply_many(inputs: GeneralInputs, options: GeneralOptions) -> States:
    """h (V, T, B, H), the last states (V, B, H), and what the adjoint needs; nothing but the lengths is checked."""
    if is_tracing() is not None and torch.onnx.is_in_onnx_export():
        raise RuntimeError("the exporter of TorchScript has no form for the recurrence; give dynamo=True to it")
    if is_forward_ad() and not is_compiling():
        return run_many_with_tangents(inputs, options)
    if is_compiling() or is_tracing() is not None:
        return cast(States, many_operator(*flatten(inputs, options)))
    if are_transforms_active():
        return cast(States, cast(Any, Many).apply(*inputs, options))
    if is_in_dispatch_mode():
        return cast(States, many_operator(*flatten(inputs, options)))
    if not torch.is_grad_enabled() and is_plain_eager() and are_plain(inputs):
        return run_many(inputs, options, save=False)
    return cast(States, _apply_many(*inputs, options))


def apply_many_adjoint(
    grad_h: Tensor | None,  # (V, T, B, H)
    grad_h_last: Tensor | None,  # (V, B, H)
    grad_extra: Tensor | None,  # as `extra`
    inputs: GeneralInputs,
    h: Tensor,  # as `apply_many` returned it
    extra: Tensor,
    options: GeneralOptions,
    needs: GeneralNeeds,
) -> GeneralGradients:
    """The gradients that are needed, differentiable once more."""
    plain = are_plain((grad_h, grad_h_last, grad_extra, h, extra, *inputs))
    if plain and not torch.is_grad_enabled() and is_plain_eager():
        return run_many_adjoint(grad_h, grad_h_last, grad_extra, inputs, h, extra, options, needs)
    flat: Any = grad_h, grad_h_last, grad_extra, h, extra, *inputs, options, needs
    if is_compiling() or (not are_transforms_active() and (not plain or is_in_dispatch_mode())):
        args = flatten(inputs, options)
        found = many_adjoint_operator(grad_h, grad_h_last, grad_extra, h, extra, list(needs), *args)
    elif are_transforms_active():
        found = cast(Any, ManyAdjoint).apply(*flat)
    else:
        found = _apply_many_adjoint(*flat)
    return _by_need(found, needs)


def _by_need(found: Sequence[Tensor], needs: GeneralNeeds) -> GeneralGradients:
    rest = iter(found)
    return GeneralGradients(*(next(rest) if need else None for need in needs))


def _is_plain(tensors: Sequence[Tensor | None]) -> bool:
    """Whether a backend may take the tensors as they are: no mode watches either."""
    return not is_in_dispatch_mode() and are_plain(tensors)


class Many(torch.autograd.Function):
    """What `apply_many` does, with its derivative."""

    @staticmethod
    def forward(*args: Any) -> States:
        """Run the backend."""
        *tensors, options = args
        inputs = GeneralInputs(*tensors)
        if _is_plain(inputs):
            return run_many(inputs, options)
        return cast(States, many_operator(*flatten(inputs, options)))

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: States) -> None:
        """Keep the inputs, h and what else the adjoint needs."""
        *tensors, ctx.options = inputs
        _keep(ctx, tensors, output)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor | None) -> tuple[Tensor | None, ...]:
        """Run the adjoint."""
        *needed, _ = ctx.needs_input_grad
        return *_gradients_of_kept(ctx, GeneralInputs(*needed), *grads), None

    @staticmethod
    def vmap(info: Any, in_dims: tuple[Any, ...], *args: Any) -> Any:
        """More networks: the new dimension and V become one."""
        *tensors, options = args
        W = info.batch_size
        found = apply_many(GeneralInputs(*_fold(tensors, in_dims[:-1], W)), options)
        return tuple(_apart(part, W) for part in found), (0, 0, 0)


def _fold(tensors: Sequence[Any], in_dims: Sequence[int | None], W: int) -> list[Any]:
    """(V, ...) with W somewhere, or nowhere, to (W * V, ...)."""
    folded: list[Any] = []
    for tensor, dim in zip(tensors, in_dims, strict=True):
        if tensor is None:
            folded.append(None)
            continue
        spread = tensor.unsqueeze(0).expand(W, *tensor.shape) if dim is None else tensor.movedim(dim, 0)
        folded.append(spread.flatten(0, 1))
    return folded


def _apart(tensor: Tensor, W: int) -> Tensor:
    """(W * V, ...) to (W, V, ...)."""
    return tensor.reshape(W, tensor.shape[0] // W, *tensor.shape[1:])


def _keep(ctx: Any, inputs: Sequence[Tensor | None], output: Sequence[Tensor]) -> None:
    h, _, extra = output
    ctx.save_for_backward(*inputs, h, extra)
    ctx.set_materialize_grads(False)


def _gradients_of_kept(ctx: Any, needed: Any, *grads: Tensor | None) -> tuple[Tensor | None, ...]:
    """A gradient for each input; `needed` says of each whether it is asked for."""
    *tensors, h, extra = ctx.saved_tensors
    inputs = GeneralInputs(*tensors)
    needs = GeneralNeeds(*(bool(n) and t is not None for n, t in zip(needed, inputs[:DIFFERENTIABLE], strict=False)))
    grad_h, grad_h_last, grad_extra = grads
    if not saves_extra(inputs, ctx.options):
        grad_extra = None
    found = apply_many_adjoint(grad_h, grad_h_last, grad_extra, inputs, h, extra, ctx.options, needs)
    return *found, None, None, None, None


class ManyAdjoint(torch.autograd.Function):
    """What `apply_many_adjoint` does, with its derivative."""

    @staticmethod
    def forward(
        grad_h: Tensor | None,
        grad_h_last: Tensor | None,
        grad_extra: Tensor | None,
        h: Tensor,
        extra: Tensor,
        *args: Any,
    ) -> tuple[Tensor, ...]:
        """Run the backend's adjoint."""
        *tensors, options, needs = args
        inputs = GeneralInputs(*tensors)
        if _is_plain(inputs):
            found = run_many_adjoint(grad_h, grad_h_last, grad_extra, inputs, h, extra, options, needs)
            return tuple(not_none(found))
        flat = flatten(inputs, options)
        return tuple(many_adjoint_operator(grad_h, grad_h_last, grad_extra, h, extra, list(needs), *flat))

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Sequence[Tensor]) -> None:
        """Keep the inputs."""
        *tensors, ctx.options, ctx.needs = inputs
        ctx.save_for_backward(*tensors)

    @staticmethod
    def backward(ctx: Any, *cotangents: Tensor) -> tuple[Tensor | None, ...]:
        """The second derivative."""
        *varied, _, _ = ctx.needs_input_grad
        return *_second_derivative(ctx, varied, cotangents), None, None

    @staticmethod
    def vmap(info: Any, in_dims: tuple[Any, ...], *args: Any) -> Any:
        """More networks, as forwards."""
        *tensors, options, needs = args
        W = info.batch_size
        grad_h, grad_h_last, grad_extra, h, extra, *inputs = _fold(tensors, in_dims[:-2], W)
        given = grad_h, grad_h_last, grad_extra, GeneralInputs(*inputs), h, extra, options, needs
        found = not_none(apply_many_adjoint(*given))
        return tuple(_apart(part, W) for part in found), (0,) * len(found)


def _second_derivative(ctx: Any, varied: Sequence[bool], cotangents: Sequence[Tensor]) -> list[Tensor | None]:
    """By way of the reference, network by network: its adjoint is made of differentiable operations."""
    tensors = ctx.saved_tensors

    def adjoint(*chosen: Tensor) -> tuple[Tensor, ...]:
        rest = iter(chosen)
        values = (next(rest) if vary else tensor for vary, tensor in zip(varied, tensors, strict=True))
        grad_h, grad_h_last, grad_extra, h, extra, *given = values
        inputs = GeneralInputs(*given)
        saved = extra if saves_extra(inputs, ctx.options) else None
        args = grad_h, grad_h_last, grad_extra, inputs, h, saved, ctx.options, ctx.needs
        return tuple(not_none(one_by_one.backward_many(*args)))

    chosen = (tensor for vary, tensor in zip(varied, tensors, strict=True) if vary)
    _, pull_back, *_ = torch.func.vjp(adjoint, *chosen)
    found = iter(pull_back(tuple(cotangents)))
    return [next(found) if vary else None for vary in varied]


_apply_many: Callable[..., Any] = unchecked_apply(Many)
_apply_many_adjoint: Callable[..., Any] = unchecked_apply(ManyAdjoint)


def _keep_of_operator(ctx: Any, inputs: tuple[Any, ...], output: States) -> None:
    tensors, ctx.options = unflatten(inputs)
    _keep(ctx, tensors, output)


def _backward_of_operator(ctx: Any, *grads: Tensor | None) -> tuple[Tensor | None, ...]:
    return *_gradients_of_kept(ctx, tensor_part(ctx.needs_input_grad), *grads), *NO_GRADIENTS


def _keep_of_adjoint(ctx: Any, inputs: tuple[Any, ...], output: Sequence[Tensor]) -> None:
    grad_h, grad_h_last, grad_extra, h, extra, needs, *args = inputs
    tensors, ctx.options = unflatten(args)
    ctx.needs = GeneralNeeds(*needs)
    ctx.save_for_backward(grad_h, grad_h_last, grad_extra, h, extra, *tensors)


def _backward_of_adjoint(ctx: Any, cotangents: Sequence[Tensor]) -> tuple[Tensor | None, ...]:
    *of_states, _ = ctx.needs_input_grad[:6]
    varied = [*of_states, *tensor_part(ctx.needs_input_grad[6:])]
    found = _second_derivative(ctx, varied, cotangents)
    return *found[:5], None, *found[5:], *NO_GRADIENTS


many_operator.register_autograd(_backward_of_operator, setup_context=_keep_of_operator)
many_adjoint_operator.register_autograd(_backward_of_adjoint, setup_context=_keep_of_adjoint)
