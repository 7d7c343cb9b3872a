"""The recurrence and its adjoint as `torch.autograd.Function`s: autograd, `torch.func`, and the second derivative.

A Function takes flat arguments: those of `Recurrence` are the inputs, then the options; those of `Adjoint` are grad_h,
grad_h_last and h, the inputs, the options, and which gradients are needed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import torch
from torch import Tensor

from elman.kernels import reference
from elman.kernels.general.options import GeneralNeeds
from elman.kernels.options import Gradients, Needs, RecurrenceInputs, RecurrenceOptions
from elman.kernels.torch_private import (
    are_plain,
    are_transforms_active,
    is_compiling,
    is_forward_ad,
    is_functionalizing,
    is_in_dispatch_mode,
    is_plain_eager,
    is_profiling,
    is_tracing,
    unchecked_apply,
)
from elman.ops.custom_ops import (
    NO_GRADIENTS,
    adjoint_operator,
    flatten,
    not_none,
    recurrence_operator,
    run_backward,
    run_forward,
    tensor_part,
    unflatten,
)
from elman.ops.flops import tell_flop_counters
from elman.ops.forward_mode import run_with_tangents
from elman.ops.general.autograd import apply_many, apply_many_adjoint
from elman.ops.vmap import (
    BATCH_OF_STATES,
    BATCH_OF_STEPS,
    fold,
    fold_inputs,
    gradient_dims,
    networks_of,
    networks_options,
    stacked,
    unfold,
    unfold_gradients,
    weight_gradients,
    weights_differ,
)


def apply_recurrence(inputs: RecurrenceInputs, options: RecurrenceOptions) -> tuple[Tensor, Tensor]:
    """h (T, B, H) and h_last (B, H), differentiable; nothing but the lengths is checked."""
    if is_compiling():
        return cast(tuple[Tensor, Tensor], recurrence_operator(*flatten(inputs, options)))
    if is_forward_ad():
        return run_with_tangents(inputs, options)
    if is_tracing() is not None:
        if torch.onnx.is_in_onnx_export():
            raise RuntimeError("the exporter of TorchScript has no form for the recurrence; give dynamo=True to it")
        return cast(tuple[Tensor, Tensor], recurrence_operator(*flatten(inputs, options)))
    if are_transforms_active() and not is_functionalizing():
        return cast(tuple[Tensor, Tensor], cast(Any, ElmanRecurrence).apply(*inputs, options))
    if is_in_dispatch_mode() or are_transforms_active() or not are_plain(inputs):
        tell_flop_counters()
        return cast(tuple[Tensor, Tensor], recurrence_operator(*flatten(inputs, options)))
    if not torch.is_grad_enabled() and is_plain_eager():
        if is_profiling():
            with torch.profiler.record_function("elman::recurrence"):
                return run_forward(inputs, options)
        return run_forward(inputs, options)
    return cast(tuple[Tensor, Tensor], _apply_recurrence(*inputs, options))


def apply_adjoint(
    grad_h: Tensor | None,  # (T, B, H)
    grad_h_last: Tensor | None,  # (B, H)
    inputs: RecurrenceInputs,
    h: Tensor,  # (T, B, H) as `apply_recurrence` returned it
    options: RecurrenceOptions,
    needs: Needs,
) -> Gradients:
    """The gradients that are needed, differentiable once more."""
    plain = are_plain((grad_h, grad_h_last, h, *inputs))
    if plain and not torch.is_grad_enabled() and is_plain_eager():
        return run_backward(grad_h, grad_h_last, inputs, h, options, needs)
    flat: Any = grad_h, grad_h_last, h, *inputs, options, needs
    transformed = are_transforms_active() and not is_functionalizing()
    if is_compiling() or (not transformed and (not plain or is_in_dispatch_mode() or are_transforms_active())):
        found = adjoint_operator(grad_h, grad_h_last, h, list(needs), *flatten(inputs, options))
    elif transformed:
        found = cast(Any, Adjoint).apply(*flat)
    else:
        found = _apply_adjoint(*flat)
    return _by_need(found, needs)


def _by_need(found: Sequence[Tensor], needs: Needs) -> Gradients:
    """The gradients that were computed, each in its field."""
    rest = iter(found)
    return Gradients(*(next(rest) if need else None for need in needs))


def _is_plain(*tensors: Tensor | None) -> bool:
    """Whether a backend may take the tensors as they are: no mode watches either."""
    return not is_in_dispatch_mode() and are_plain(tensors)


class ElmanRecurrence(torch.autograd.Function):
    """What `apply_recurrence` does, with its derivative."""

    @staticmethod
    def forward(*args: Any) -> tuple[Tensor, Tensor]:
        """Run the backend."""
        *tensors, options = args
        inputs = RecurrenceInputs(*tensors)
        if _is_plain(*inputs):
            return run_forward(inputs, options)
        return cast(tuple[Tensor, Tensor], recurrence_operator(*flatten(inputs, options)))

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
        """Keep the inputs and h; nothing else is needed for the adjoint."""
        *tensors, ctx.options = inputs
        _keep(ctx, tensors, output)

    @staticmethod
    def backward(ctx: Any, grad_h: Tensor | None, grad_h_last: Tensor | None) -> tuple[Tensor | None, ...]:
        """Run the adjoint."""
        *tensor_needs, _ = ctx.needs_input_grad
        return *_gradients_of_kept(ctx, RecurrenceInputs(*tensor_needs), grad_h, grad_h_last), None

    @staticmethod
    def vmap(info: Any, in_dims: tuple[Any, ...], *args: Any) -> Any:
        """Lay V batches side by side as one, unless each has weights of its own."""
        V = info.batch_size
        *tensors, options = args
        *tensor_dims, _ = in_dims
        dims, inputs = RecurrenceInputs(*tensor_dims), RecurrenceInputs(*tensors)
        if weights_differ(dims):
            given = networks_of(inputs, dims, V)
            h, h_last, _ = apply_many(given, networks_options(options))
            return (h, h_last), (0, 0)
        h, h_last = apply_recurrence(fold_inputs(inputs, dims, V), options)
        dims_of_outputs = BATCH_OF_STEPS, BATCH_OF_STATES
        return (unfold(h, V, BATCH_OF_STEPS), unfold(h_last, V, BATCH_OF_STATES)), dims_of_outputs


def _keep(ctx: Any, inputs: Sequence[Tensor | None], output: Sequence[Tensor]) -> None:
    h, _ = output
    ctx.save_for_backward(*inputs, h)
    ctx.set_materialize_grads(False)


def _gradients_of_kept(
    ctx: Any, needed: Any, grad_h: Tensor | None, grad_h_last: Tensor | None
) -> Sequence[Tensor | None]:
    """A gradient for each input; `needed` says of each whether it is asked for."""
    *tensors, h = ctx.saved_tensors
    needs = Needs(needed.x, needed.h0, needed.w_ih, needed.w_hh, needed.bias)
    found = apply_adjoint(grad_h, grad_h_last, RecurrenceInputs(*tensors), h, ctx.options, needs)
    return RecurrenceInputs(*found)  # type: ignore[arg-type]  # lengths and mask have none


class Adjoint(torch.autograd.Function):
    """What `apply_adjoint` does, with its derivative."""

    @staticmethod
    def forward(grad_h: Tensor | None, grad_h_last: Tensor | None, h: Tensor, *args: Any) -> tuple[Tensor, ...]:
        """Run the backend's adjoint."""
        *tensors, options, needs = args
        inputs = RecurrenceInputs(*tensors)
        if _is_plain(grad_h, grad_h_last, h, *inputs):
            return tuple(not_none(run_backward(grad_h, grad_h_last, inputs, h, options, needs)))
        return tuple(adjoint_operator(grad_h, grad_h_last, h, list(needs), *flatten(inputs, options)))

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
        """Lay V batches side by side as one; the sums over the batch in the weights' gradients stay apart."""
        V = info.batch_size
        grad_h, grad_h_last, h, *tensors, options, needs = args
        of_grad_h, of_grad_h_last, of_h, *tensor_dims, _, _ = in_dims
        dims, inputs = RecurrenceInputs(*tensor_dims), RecurrenceInputs(*tensors)
        if weights_differ(dims):
            given = networks_of(inputs, dims, V)
            of_states = (grad_h, of_grad_h), (grad_h_last, of_grad_h_last), (h, of_h)
            of_h, of_last, states = (stacked(tensor, dim, V) for tensor, dim in of_states)
            wanted = GeneralNeeds(needs.x, needs.h0, needs.w_ih, needs.w_hh, needs.bias, False, False, False, False)
            nothing = states.new_empty(V, 0)
            found = apply_many_adjoint(of_h, of_last, None, given, states, nothing, networks_options(options), wanted)
            gradients = Gradients(*found[:5])
            return tuple(not_none(gradients)), (0,) * len(not_none(gradients))
        folded: Any = (
            None if grad_h is None else fold(grad_h, of_grad_h, V, BATCH_OF_STEPS),
            None if grad_h_last is None else fold(grad_h_last, of_grad_h_last, V, BATCH_OF_STATES),
            fold_inputs(inputs, dims, V),
            fold(h, of_h, V, BATCH_OF_STEPS),
            options,
            needs,
        )
        if needs.w_ih or needs.w_hh or needs.bias:
            gradients = weight_gradients(apply_adjoint, V, *folded)
        else:
            gradients = unfold_gradients(apply_adjoint(*folded), V)
        return tuple(not_none(gradients)), gradient_dims(needs)


def _second_derivative(ctx: Any, varied: Sequence[bool], cotangents: Sequence[Tensor]) -> list[Tensor | None]:
    """By way of the reference: its adjoint is made of differentiable operations."""
    tensors = ctx.saved_tensors

    def adjoint(*chosen: Tensor) -> tuple[Tensor, ...]:
        rest = iter(chosen)
        values = (next(rest) if vary else tensor for vary, tensor in zip(varied, tensors, strict=True))
        grad_h, grad_h_last, h, *inputs = values
        args = grad_h, grad_h_last, RecurrenceInputs(*inputs), h, ctx.options, ctx.needs
        return tuple(not_none(reference.backward(*args)))

    chosen = (tensor for vary, tensor in zip(varied, tensors, strict=True) if vary)
    _, pull_back, *_ = torch.func.vjp(adjoint, *chosen)
    found = iter(pull_back(tuple(cotangents)))
    return [next(found) if vary else None for vary in varied]


# without the look at the signature, which is right here: `apply_recurrence` asks for transforms before
_apply_recurrence = unchecked_apply(ElmanRecurrence)
_apply_adjoint = unchecked_apply(Adjoint)


def _keep_of_operator(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
    tensors, ctx.options = unflatten(inputs)
    _keep(ctx, tensors, output)


def _backward_of_operator(ctx: Any, grad_h: Tensor | None, grad_h_last: Tensor | None) -> tuple[Tensor | None, ...]:
    return *_gradients_of_kept(ctx, tensor_part(ctx.needs_input_grad), grad_h, grad_h_last), *NO_GRADIENTS


def _keep_of_adjoint(ctx: Any, inputs: tuple[Any, ...], output: Sequence[Tensor]) -> None:
    grad_h, grad_h_last, h, needs, *args = inputs
    tensors, ctx.options = unflatten(args)
    ctx.needs = Needs(*needs)
    ctx.save_for_backward(grad_h, grad_h_last, h, *tensors)


def _backward_of_adjoint(ctx: Any, cotangents: Sequence[Tensor]) -> tuple[Tensor | None, ...]:
    of_grad_h, of_grad_h_last, of_h, _, *args = ctx.needs_input_grad
    varied = [of_grad_h, of_grad_h_last, of_h, *tensor_part(args)]
    grad_h, grad_h_last, h, *inputs = _second_derivative(ctx, varied, cotangents)
    return grad_h, grad_h_last, h, None, *inputs, *NO_GRADIENTS


recurrence_operator.register_autograd(_backward_of_operator, setup_context=_keep_of_operator)
adjoint_operator.register_autograd(_backward_of_adjoint, setup_context=_keep_of_adjoint)
