"""A layer's directions together, on the fused CPU machine: they run side by side, and write into one output.

Around a short sequence torch's own operations (zeros, sums of biases, concatenation) and Python take longer than the
recurrence does; here are hardly any, and one look at the arguments. What is not as it should be there, and what
compiles, transforms or watches, goes by `recurrence` instead, direction by direction, which says what is wrong.
T steps, B sequences, I inputs, H hidden units, D directions.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import torch
from torch import Tensor

from elman.kernels import select_backend
from elman.kernels.cpu import backend as cpu
from elman.ops.autograd import PLAIN, apply_adjoint, is_plain_eager

_CPU = torch.device("cpu")
_is_grad_enabled = torch.is_grad_enabled


def apply_layer(
    x: Tensor,  # (T, B, I), any strides
    h0: Tensor | None,  # (D, B, H) contiguous; without it zeros
    lengths: Tensor | None,  # (B,) int64
    nonlinearity: str,  # "tanh" or "relu"
    residual: bool,
    H: int,
    D: int,
    weights: Sequence[Tensor],  # D times w_ih (H, I), w_hh (H, H) and no, one or two biases (H,)
    time_first: bool = False,  # lay the states out by steps, though x may lie by sequences
) -> tuple[Tensor, Tensor] | None:
    """The states of one layer, (T, B, D * H), and its last ones, (D, B, H): the second direction from the end.

    None, and nothing has run, where one `recurrence` a direction must take its place: something does not fit, or is
    not contiguous, or somebody watches.

    Raises:
        ValueError: a length is outside 0..T.
    """
    dtype = x.dtype
    backend: object = cpu
    if not is_plain_eager() or type(x) not in PLAIN or not x.is_cpu or select_backend(_CPU, dtype) is not backend:
        return None
    T, B, inputs = x.shape
    pointers = []
    for weight, shape in zip(weights, ((H, inputs), (H, H), (H,), (H,))[: len(weights) // D] * D, strict=True):
        if weight.shape != shape or not _fits(weight, dtype):
            return None
        pointers.append(weight.data_ptr())
    if h0 is not None and (h0.shape != (D, B, H) or not _fits(h0, dtype)):
        return None
    if T == 0 or (lengths is not None and (lengths.shape != (B,) or not _fits(lengths, torch.int64))):
        return None
    if not _is_grad_enabled():
        return cpu.forward_layer(x, h0, lengths, nonlinearity, residual, H, D, pointers, time_first=time_first)
    # as in `functions`: the method beneath Function.apply, which does not inspect the signature at every call
    apply: Any = super(torch.autograd.Function, cast(Any, Layer)).apply
    options = nonlinearity, residual, H, D, pointers, time_first
    return cast(tuple[Tensor, Tensor], apply(x, h0, lengths, options, *weights))


def _fits(tensor: Tensor, dtype: torch.dtype) -> bool:
    """Whether the machine may take the tensor's memory as it is."""
    return tensor.dtype is dtype and tensor.is_cpu and tensor.is_contiguous() and type(tensor) in PLAIN


class Layer(torch.autograd.Function):
    """What `apply_layer` does, with its derivative; the second one goes by `apply_adjoint`."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        h0: Tensor | None,
        lengths: Tensor | None,
        options: tuple[str, bool, int, int, Sequence[int], bool],
        *weights: Tensor,
    ) -> tuple[Tensor, Tensor]:
        """Run the machine. Keep the inputs and h; nothing else is needed for the adjoint."""
        h, h_n = cpu.forward_layer(x, h0, lengths, *options[:5], time_first=options[5])
        ctx.options = options
        ctx.save_for_backward(x, h0, lengths, h, *weights)
        ctx.set_materialize_grads(False)
        return h, h_n

    @staticmethod
    def backward(ctx: Any, grad_h: Tensor | None, grad_h_n: Tensor | None) -> tuple[Tensor | None, ...]:
        """Run the adjoint of every direction."""
        x, h0, lengths, h, *weights = ctx.saved_tensors
        nonlinearity, residual, _, D, *_ = ctx.options
        needs, each = ctx.needs_input_grad, len(weights) // D
        of_weights = [needs[4 + d * each : 4 + (d + 1) * each] for d in range(D)]
        wanted = [(needs[0], needs[1], mine[0], mine[1], True in mine[2:]) for mine in of_weights]
        plain = is_plain_eager() and {type(grad_h), type(grad_h_n)} <= _GRADIENTS
        run = cpu.backward_layer if plain and not torch.is_grad_enabled() else _differentiable
        results = run(grad_h, grad_h_n, x, h0, h, lengths, nonlinearity, residual, D, weights, wanted)
        grad_x, grad_h0 = results[0][:2]
        if D == 2:
            if grad_x is not None:
                grad_x = grad_x + cast(Tensor, results[1][0])
            if grad_h0 is not None:
                grad_h0 = torch.stack([grad_h0, cast(Tensor, results[1][1])])
        elif grad_h0 is not None:
            grad_h0 = grad_h0.unsqueeze(0)
        flat = [grad for _, _, *two, bias in results for grad in (*two, bias, bias)[:each]]
        return grad_x, grad_h0, None, None, *flat


_GRADIENTS = {*PLAIN, type(None)}


def _differentiable(
    grad_h: Tensor | None,
    grad_h_n: Tensor | None,
    x: Tensor,
    h0: Tensor | None,
    h: Tensor,
    lengths: Tensor | None,
    nonlinearity: str,
    residual: bool,
    D: int,
    weights: Sequence[Tensor],
    wanted: Sequence[Sequence[bool]],
) -> list[cpu.Gradients]:
    """What `cpu.backward_layer` does, made of operations that can be differentiated, compiled and watched."""
    H, each, results = h.shape[2] // D, len(weights) // D, []
    for d, needs in enumerate(wanted):
        w_ih, w_hh, *biases = weights[d * each : (d + 1) * each]
        start = x.new_zeros(x.shape[1], H) if h0 is None else h0[d]
        grads = None if grad_h is None else _part(grad_h, d, H), None if grad_h_n is None else grad_h_n[d]
        options: Any = lengths, nonlinearity, d == 1, residual, None, needs
        found = iter(apply_adjoint(*grads, x, start, w_ih, w_hh, (*biases, None)[0], _part(h, d, H), *options))
        of_x, of_h0, of_w_ih, of_w_hh, of_bias = (next(found) if need else None for need in needs)
        results.append((of_x, of_h0, of_w_ih, of_w_hh, of_bias))
    return results


def _part(tensor: Tensor, d: int, H: int) -> Tensor:
    """Direction d's part of (T, B, D * H)."""
    return tensor.narrow(2, d * H, H)
