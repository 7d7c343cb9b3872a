"""Cross-entropy of an output layer without storing its logits: values, gradients, compilers and transforms.

Where gradients are wanted, they are made in the forward pass, in the same sweep as the losses, and only multiplied in
the backward pass. Second derivatives, transforms of `torch.func` and forward differentiation go by the equations in
plain torch, which store all logits; under `torch.compile` the backward pass makes the logits once more.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, cast, get_args

import torch
import torch.nn.functional as F
from torch import Tensor

from elman.kernels.casting import cast_floating
from elman.kernels.cross_entropy import LossNeeds, LossOptions, gradients_in_torch, sum_dtype, sweep
from elman.kernels.options import PLAIN_TYPES
from elman.kernels.torch_private import (
    are_transforms_active,
    is_compiling,
    is_forward_ad,
    is_in_dispatch_mode,
    is_tracing,
    is_untransformed,
    unchecked_apply,
)
from elman.ops.autocast import autocast_dtype, multiplies

Reduction = Literal["none", "mean", "sum"]


def linear_cross_entropy(
    hidden: Tensor,
    weight: Tensor,
    targets: Tensor,
    bias: Tensor | None = None,
    *,
    ignore_index: int = -100,
    label_smoothing: float = 0.0,
    reduction: Reduction = "mean",
) -> Tensor:
    """`F.cross_entropy(F.linear(hidden, weight, bias), targets)`, in nats, with the logits of a few rows at a time.

    Arguments:
        hidden: (..., H).
        weight: (V, H).
        targets: (...) int64, 0..V-1 or `ignore_index`.
        bias: (V,), or None.
        ignore_index: a target that asks for nothing.
        label_smoothing: the share of the target's probability that is spread over all V (Szegedy et al. 2016, sec. 7).
        reduction: "mean" over the targets that are not ignored, "sum", or "none" for a loss at each place.

    Returns:
        () or, with "none", (...); float64 for float64, else float32.

    Raises:
        ValueError: shapes that disagree, targets that are no int64, or a setting out of range.
        IndexError: a target out of range.
    """
    _check(hidden, weight, targets, bias, label_smoothing, reduction)
    options, dtype = LossOptions(ignore_index, label_smoothing), autocast_dtype(hidden)
    if dtype is None:
        return _reduced(hidden, weight, bias, targets, options, reduction)
    if hidden.device.type == "cpu" and not multiplies(dtype):
        dtype = torch.float32
    with torch.autocast(hidden.device.type, enabled=False):
        given: tuple[Tensor, Tensor, Tensor | None] = cast_floating((hidden, weight, bias), dtype)
        return _reduced(*given, targets, options, reduction)


def _reduced(
    hidden: Tensor, weight: Tensor, bias: Tensor | None, targets: Tensor, options: LossOptions, reduction: Reduction
) -> Tensor:
    shape, rows = targets.shape, targets.reshape(-1)
    flat = hidden.reshape(-1, hidden.shape[-1]), weight, bias, rows
    given = [part for part in flat if part is not None]
    if is_compiling() or (is_in_dispatch_mode() and _is_plain_inside()):
        losses = cast(Tensor, loss_operator(*flat, *options))
    elif not is_untransformed() or any(type(part) not in PLAIN_TYPES for part in given):
        losses = losses_in_torch(*flat, options)
    elif not torch.is_grad_enabled() or not any(part.requires_grad for part in given):
        losses, _ = sweep(*flat, options, LossNeeds())
    elif reduction == "none":
        losses = cast(Tensor, _row_losses(*flat, options))
    else:
        total = cast(Tensor, _total_loss(*flat, options))
        return total / (rows != options.ignore_index).sum() if reduction == "mean" else total
    if reduction == "none":
        return losses.view(shape)
    return losses.sum() / (rows != options.ignore_index).sum() if reduction == "mean" else losses.sum()


def losses_in_torch(
    hidden: Tensor, weight: Tensor, bias: Tensor | None, targets: Tensor, options: LossOptions
) -> Tensor:
    """The loss (N,) of every row by torch's own operations: what all else is compared with."""
    logits = F.linear(hidden, weight, bias).to(sum_dtype(hidden.dtype))
    return F.cross_entropy(
        logits, targets, ignore_index=options.ignore_index, label_smoothing=options.smoothing, reduction="none"
    )


def _is_plain_inside() -> bool:
    """Whether nothing but a dispatch mode (a tracer, fake tensors) looks at operations."""
    return not are_transforms_active() and not is_forward_ad() and is_tracing() is None


def _check(
    hidden: Tensor, weight: Tensor, targets: Tensor, bias: Tensor | None, smoothing: float, reduction: str
) -> None:
    if weight.dim() != 2 or hidden.dim() < 1 or hidden.shape[-1] != weight.shape[1]:
        raise ValueError(f"hidden is {tuple(hidden.shape)}, weight {tuple(weight.shape)}; both must end in H")
    if targets.shape != hidden.shape[:-1]:
        raise ValueError(f"targets is {tuple(targets.shape)}, hidden {tuple(hidden.shape)} without its last dimension")
    if targets.dtype != torch.int64:
        raise ValueError(f"targets has dtype {targets.dtype}, which must be torch.int64")
    if bias is not None and bias.shape != weight.shape[:1]:
        raise ValueError(f"bias is {tuple(bias.shape)}, weight {tuple(weight.shape)}; both must begin with V")
    if not 0 <= smoothing <= 1:
        raise ValueError(f"label_smoothing is {smoothing}; it must lie between 0 and 1")
    if reduction not in get_args(Reduction):
        raise ValueError(f"reduction is {reduction!r}; choose one of {', '.join(get_args(Reduction))}")


def _needs(varied: Sequence[bool]) -> LossNeeds:
    hidden, weight, bias = varied[:3]
    return LossNeeds(hidden, weight, bias)


def _row_gradients(ctx: Any, scale: Tensor) -> tuple[Tensor | None, ...]:
    """The gradients of the losses, each row's multiplied by `scale` (N,); by another sweep."""
    hidden, weight, bias, targets = ctx.saved_tensors
    if torch.is_grad_enabled():
        again = gradients_in_torch(scale, hidden, weight, bias, targets, ctx.options)
        return (*again, None, None) if bias is not None else (*again, None, None, None)
    _, found = sweep(hidden, weight, bias, targets, ctx.options, _needs(ctx.needs_input_grad), scale)
    return (*found, None, None)


class RowLosses(torch.autograd.Function):
    """The loss of every row; the backward pass is a sweep of its own."""

    @staticmethod
    def forward(ctx: Any, *args: Any) -> Tensor:
        """Arguments as those of `sweep`, up to the options."""
        hidden, weight, bias, targets, ctx.options = args
        ctx.save_for_backward(hidden, weight, bias, targets)
        losses, _ = sweep(hidden, weight, bias, targets, ctx.options, LossNeeds())
        return losses

    @staticmethod
    def backward(ctx: Any, scale: Tensor) -> tuple[Tensor | None, ...]:
        """The gradients for a gradient (N,) of the losses."""
        return _row_gradients(ctx, scale)


class TotalLoss(torch.autograd.Function):
    """The sum of the rows' losses, with its gradients from the same sweep."""

    @staticmethod
    def forward(ctx: Any, *args: Any) -> Tensor:
        """Arguments as those of `sweep`, up to the options."""
        hidden, weight, bias, targets, ctx.options = args
        ctx.save_for_backward(hidden, weight, bias, targets)
        losses, ctx.gradients = sweep(hidden, weight, bias, targets, ctx.options, _needs(ctx.needs_input_grad))
        return losses.sum()

    @staticmethod
    def backward(ctx: Any, scale: Tensor) -> tuple[Tensor | None, ...]:
        """Multiply, and hand over: a second pass over the same graph makes the gradients anew."""
        if torch.is_grad_enabled():
            return _row_gradients(ctx, scale.expand(len(ctx.saved_tensors[0])))
        gradients, ctx.gradients = ctx.gradients, None
        if gradients is None:
            hidden, weight, bias, targets = ctx.saved_tensors
            _, gradients = sweep(hidden, weight, bias, targets, ctx.options, _needs(ctx.needs_input_grad))
        for gradient in gradients:
            if gradient is not None:
                gradient.mul_(scale)
        return (*gradients, None, None)


# without the look at the signature: `_reduced` asks for transforms before
_row_losses = unchecked_apply(RowLosses)
_total_loss = unchecked_apply(TotalLoss)

_SCHEMA = "Tensor hidden, Tensor weight, Tensor? bias, Tensor targets, int ignore_index, float smoothing"


def _losses(
    hidden: Tensor, weight: Tensor, bias: Tensor | None, targets: Tensor, ignore_index: int, smoothing: float
) -> Tensor:
    return sweep(hidden, weight, bias, targets, LossOptions(ignore_index, smoothing), LossNeeds())[0]


def _loss_gradients(scale: Tensor, needs: Sequence[bool], *args: Any) -> list[Tensor]:
    hidden, weight, bias, targets, ignore_index, smoothing = args
    options = LossOptions(ignore_index, smoothing)
    _, found = sweep(hidden, weight, bias, targets, options, LossNeeds(*needs), scale)
    return [gradient for gradient in found if gradient is not None]


loss_operator = torch.library.custom_op(
    "elman::linear_cross_entropy", _losses, mutates_args=(), schema=f"({_SCHEMA}) -> Tensor"
)
gradient_operator = torch.library.custom_op(
    "elman::linear_cross_entropy_gradients",
    _loss_gradients,
    mutates_args=(),
    schema=f"(Tensor scale, bool[] needs, {_SCHEMA}) -> Tensor[]",
)


@loss_operator.register_fake
def _(hidden: Tensor, *args: Any) -> Tensor:
    return hidden.new_empty(hidden.shape[:1], dtype=sum_dtype(hidden.dtype))


@gradient_operator.register_fake
def _(scale: Tensor, needs: Sequence[bool], *args: Any) -> list[Tensor]:
    return [tensor.new_empty(tensor.shape) for tensor, need in zip(args[:3], needs, strict=True) if need]


def _keep(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    *tensors, ignore_index, smoothing = inputs
    ctx.save_for_backward(*tensors)
    ctx.options = LossOptions(ignore_index, smoothing)


def _backward(ctx: Any, scale: Tensor) -> tuple[Tensor | None, ...]:
    hidden, weight, bias, targets = ctx.saved_tensors
    needs = _needs(ctx.needs_input_grad)
    found = iter(gradient_operator(scale, list(needs), hidden, weight, bias, targets, *ctx.options))
    return (*(next(found) if need else None for need in needs), None, None, None)


loss_operator.register_autograd(_backward, setup_context=_keep)
