"""The recurrence and its adjoint as `torch.autograd.Function`s: autograd, `torch.func`, and the second derivative.

The arguments are those of a machine (`elman.kernels.reference`), with `needs` last in the adjoint's.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import torch
from torch import Tensor
from torch.autograd import forward_ad
from torch.utils._python_dispatch import is_in_torch_dispatch_mode

from elman.kernels import reference
from elman.ops.custom_ops import Arguments, adjoint_operator, not_none, recurrence_operator, run_backward, run_forward
from elman.ops.vmap import fold, one_by_one, unfold, weight_gradients

# their names here: looking into torch's large modules is what takes longest in `is_plain_eager`
_is_compiling = torch.compiler.is_compiling
_are_functorch_transforms_active = torch._C._are_functorch_transforms_active
_is_any_autocast_enabled = torch._C._is_any_autocast_enabled

PLAIN = (Tensor, torch.nn.Parameter)
"""The types that a machine may take the memory of."""


def apply_recurrence(*args: Arguments) -> tuple[Tensor, Tensor]:
    """(x, h0, w_ih, w_hh, bias, lengths, nonlinearity, reverse, residual, mask) -> h, h_last"""
    return cast(tuple[Tensor, Tensor], _apply(Recurrence, recurrence_operator, args))


def apply_adjoint(*args: Arguments) -> Sequence[Tensor]:
    """(grad_h, grad_h_last, x, h0, w_ih, w_hh, bias, h, lengths, ..., mask, needs) -> the gradients needed"""
    return cast(Sequence[Tensor], _apply(Adjoint, adjoint_operator, args))


def _apply(function: Any, operator: Any, args: tuple[Arguments, ...]) -> Any:
    if torch.compiler.is_compiling():
        return operator(*args)
    if torch._C._are_functorch_transforms_active():
        return function.apply(*args)
    if is_in_torch_dispatch_mode():
        return operator(*args)
    if not torch.is_grad_enabled() and is_plain_eager():
        return function.forward(*args)
    # Function.apply inspects the signature at every call, which costs more than a short sequence does; beneath
    # it lies the same method without that, which is right wherever no torch.func transform is active
    return super(torch.autograd.Function, function).apply(*args)


def is_plain(tensor: Tensor) -> bool:
    """Whether a machine may take the tensor as it is: no fake one, no other subclass, no mode that watches."""
    return type(tensor) in PLAIN and not is_in_torch_dispatch_mode()


def is_plain_eager() -> bool:
    """Whether no compiler, transform, mode, forward differentiation or autocast wants to see the operation."""
    return not _is_any_autocast_enabled() and is_untransformed()


def is_untransformed() -> bool:
    """The same, autocast left aside."""
    return not (
        _is_compiling()
        or _are_functorch_transforms_active()
        or is_in_torch_dispatch_mode()
        or forward_ad._current_level >= 0
    )


class Recurrence(torch.autograd.Function):
    """What `apply_recurrence` does, with its derivative."""

    @staticmethod
    def forward(*args: Arguments) -> tuple[Tensor, Tensor]:
        """Run the machine."""
        return run_forward(*args) if is_plain(args[0]) else recurrence_operator(*args)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Arguments, ...], output: tuple[Tensor, Tensor]) -> None:
        """Keep the inputs and h; nothing else is needed for the adjoint."""
        x, h0, w_ih, w_hh, bias, lengths, *ctx.options, mask = inputs
        ctx.save_for_backward(x, h0, w_ih, w_hh, bias, lengths, mask, output[0])
        ctx.set_materialize_grads(False)

    @staticmethod
    def backward(ctx: Any, grad_h: Tensor | None, grad_h_last: Tensor | None) -> tuple[Tensor | None, ...]:
        """Run the adjoint."""
        *tensors, lengths, mask, h = ctx.saved_tensors
        needs = tuple(ctx.needs_input_grad[:5])
        grads = iter(apply_adjoint(grad_h, grad_h_last, *tensors, h, lengths, *ctx.options, mask, needs))
        return *(next(grads) if need else None for need in needs), *(None,) * 5

    @staticmethod
    def vmap(info: Any, in_dims: tuple[int | None, ...], *args: Arguments) -> Any:
        """Lay V batches side by side as one, unless each has weights of its own."""
        V = info.batch_size
        if any(dim is not None for dim in in_dims[2:5]):
            return one_by_one(apply_recurrence, V, in_dims, args)
        h, h_last = apply_recurrence(*fold(args, in_dims, V, {0: 1, 1: 0, 5: 0, 9: 0}))
        return (unfold(h, V, 1), unfold(h_last, V, 0)), (1, 0)


class Adjoint(torch.autograd.Function):
    """What `apply_adjoint` does, with its derivative."""

    @staticmethod
    def forward(*args: Arguments) -> tuple[Tensor, ...]:
        """Run the machine's adjoint."""
        return tuple(run_backward(*args) if is_plain(args[2]) else adjoint_operator(*args))

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Arguments, ...], output: Sequence[Tensor]) -> None:
        """Keep the inputs."""
        *tensors, nonlinearity, reverse, residual, mask, ctx.needs = inputs
        ctx.options = nonlinearity, reverse, residual
        ctx.save_for_backward(*tensors, mask)

    @staticmethod
    def backward(ctx: Any, *cotangents: Tensor) -> tuple[Tensor | None, ...]:
        """The second derivative, by way of the reference: its adjoint is made of differentiable operations."""
        *tensors, mask = ctx.saved_tensors
        varied = [i for i, need in enumerate(ctx.needs_input_grad[:8]) if need]

        def adjoint(*chosen: Tensor) -> tuple[Tensor, ...]:
            inputs: list[Any] = [*tensors, *ctx.options, mask, ctx.needs]
            for i, tensor in zip(varied, chosen, strict=True):
                inputs[i] = tensor
            return tuple(not_none(reference.backward(*inputs)))

        _, pull_back, *_ = torch.func.vjp(adjoint, *(tensors[i] for i in varied))
        grads: list[Tensor | None] = [None] * len(ctx.needs_input_grad)
        for i, grad in zip(varied, pull_back(cotangents), strict=True):
            grads[i] = grad
        return tuple(grads)

    @staticmethod
    def vmap(info: Any, in_dims: tuple[Any, ...], *args: Arguments) -> Any:
        """Lay V batches side by side as one; the sums over the batch in the weights' gradients stay apart."""
        V, needs = info.batch_size, args[-1]
        if any(dim is not None for dim in in_dims[4:7]):
            return one_by_one(apply_adjoint, V, in_dims, args)
        folded = fold(args, in_dims, V, {0: 1, 1: 0, 2: 1, 3: 0, 7: 1, 8: 0, 12: 0})
        if any(needs[2:]):
            return weight_gradients(apply_adjoint, V, folded)
        batch = [dim for dim, need in zip((1, 0), needs, strict=False) if need]
        grads = apply_adjoint(*folded)
        return tuple(unfold(grad, V, dim) for grad, dim in zip(grads, batch, strict=True)), tuple(batch)


recurrence_operator.register_autograd(Recurrence.backward, setup_context=Recurrence.setup_context)
adjoint_operator.register_autograd(
    lambda ctx, grads: cast(Any, Adjoint).backward(ctx, *grads), setup_context=Adjoint.setup_context
)
