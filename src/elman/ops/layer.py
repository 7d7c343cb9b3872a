"""A layer's directions together, on the fused CPU machine: they run side by side, and write into one output.

Around a short sequence torch's own operations (zeros, sums of biases, concatenation) take longer than the recurrence
does; here are hardly any. What compiles, transforms or watches goes by `recurrence` instead, direction by direction.
T steps, B sequences, I inputs, H hidden units, D directions.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import torch
from torch import Tensor

from elman.kernels import cpu, machine_for
from elman.ops.checks import check_arguments, check_one
from elman.ops.functions import PLAIN, apply_adjoint, nobody_watches


def can_run(x: Tensor, others: Sequence[Tensor | None]) -> bool:
    """Whether `apply_layer` may take the place of one `recurrence` a direction; `others` are h0 and the weights."""
    native: object = cpu
    if not nobody_watches() or type(x) not in PLAIN or machine_for(x.device, x.dtype) is not native:
        return False
    return all(other is None or type(other) in PLAIN for other in others)


def apply_layer(
    x: Tensor,  # (T, B, I), any strides
    h0: Tensor | None,  # (D, B, H); without it zeros
    lengths: Tensor | None,  # (B,) int64
    nonlinearity: str,
    residual: bool,
    weights: Sequence[Sequence[Tensor]],  # D times w_ih (H, I), w_hh (H, H) and, perhaps, b_ih and b_hh (H,)
    *,
    time_first: bool = False,  # lay the states out by steps, though x may lie by sequences
) -> tuple[Tensor, Tensor]:
    """The states of one layer, (T, B, D * H), and its last ones, (D, B, H): the second direction from the end.

    Raises:
        ValueError, TypeError: as `elman.ops.recurrence` does.
    """
    first = weights[0][1]
    for w_ih, w_hh, *biases in weights:
        check_arguments(x, None, w_ih, w_hh, *biases, lengths=lengths, nonlinearity=nonlinearity)
        if w_hh.shape != first.shape:  # both directions write into one output
            raise ValueError(f"w_hh is {tuple(first.shape)} in one direction and {tuple(w_hh.shape)} in the other")
    if h0 is not None:
        check_one("h0", h0, (len(weights), x.shape[1], first.shape[0]), x, first)
    flat = [weight for direction in weights for weight in direction]
    args: tuple[Any, ...] = (x, h0, lengths, nonlinearity, residual, time_first, len(weights), *flat)
    if not torch.is_grad_enabled():
        return Layer.forward(*args)
    # as in `functions`: the method beneath Function.apply, which does not inspect the signature at every call
    function: Any = Layer
    return cast(tuple[Tensor, Tensor], super(torch.autograd.Function, function).apply(*args))


class Layer(torch.autograd.Function):
    """What `apply_layer` does, with its derivative; the second one goes by `apply_adjoint`."""

    @staticmethod
    def forward(
        x: Tensor,
        h0: Tensor | None,
        lengths: Tensor | None,
        nonlinearity: str,
        residual: bool,
        time_first: bool,
        D: int,
        *weights: Tensor,
    ) -> tuple[Tensor, Tensor]:
        """Run the machine."""
        H = weights[1].shape[0]
        h = x.new_empty(*x.shape[:2], D * H) if time_first else cpu.empty_like_input(x, D * H)
        h_n = x.new_empty(D, x.shape[1], H)
        calls = []
        for d, (w_ih, w_hh, *biases) in enumerate(_directions(weights, D)):
            part, last = _part(h, d, D), h_n if D == 1 else h_n[d]
            start = None if h0 is None else h0[d]
            options = (lengths, nonlinearity, d == 1, residual, None)
            calls.append(cpu.forward_call(part, last, x, start, w_ih, w_hh, biases, *options))
        cpu.run_forward(calls)
        return h, h_n

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
        """Keep the inputs and h; nothing else is needed for the adjoint."""
        x, h0, lengths, *ctx.options, _, ctx.D = inputs[:7]
        ctx.save_for_backward(x, h0, lengths, output[0], *inputs[7:])
        ctx.set_materialize_grads(False)

    @staticmethod
    def backward(ctx: Any, grad_h: Tensor | None, grad_h_n: Tensor | None) -> tuple[Tensor | None, ...]:
        """Run the adjoint of every direction."""
        x, h0, lengths, h, *weights = ctx.saved_tensors
        nonlinearity, residual = ctx.options
        D, needs = ctx.D, ctx.needs_input_grad
        watched = torch.is_grad_enabled() or not can_run(x, (grad_h, grad_h_n))
        given, results = [], []
        for d, (w_ih, w_hh, *biases) in enumerate(_directions(weights, D)):
            of_weights = needs[7 + d * (2 + len(biases)) :][: 2 + len(biases)]
            wanted = (*needs[:2], *of_weights[:2], any(of_weights[2:]))
            grads = None if grad_h is None else _part(grad_h, d, D), None if grad_h_n is None else grad_h_n[d]
            options: Any = (lengths, nonlinearity, d == 1, residual, None, wanted)
            start = None if h0 is None else h0[d]
            if watched:
                start = x.new_zeros(h.shape[1], w_hh.shape[0]) if start is None else start
                bias = biases[0] if biases else None
                found = iter(apply_adjoint(*grads, x, start, w_ih, w_hh, bias, _part(h, d, D), *options))
                results.append(tuple(next(found) if want else None for want in wanted))
            else:
                call, result = cpu.backward_call(*grads, x, start, w_ih, w_hh, _part(h, d, D), *options)
                given.append(call)
                results.append(result)
        if given:
            cpu.run_backward(given)
        return _gather(results, len(weights) // D)


def _gather(results: Sequence[tuple[Tensor | None, ...]], each: int) -> tuple[Tensor | None, ...]:
    """The directions' gradients of (x, h0, w_ih, w_hh, bias) as the inputs of `Layer` want them."""
    grad_x, *of_others = (result[0] for result in results)
    for other in of_others:
        grad_x = None if grad_x is None or other is None else grad_x + other
    starts = [result[1] for result in results]
    grad_h0 = None if starts[0] is None else torch.stack(cast(list[Tensor], starts))
    of_weights = [grad for _, _, *two, bias in results for grad in (*two, *((bias, bias) if each == 4 else ()))]
    return grad_x, grad_h0, *(None,) * 5, *of_weights


def _directions(weights: Sequence[Tensor], D: int) -> list[Sequence[Tensor]]:
    each = len(weights) // D
    return [weights[d * each : (d + 1) * each] for d in range(D)]


def _part(tensor: Tensor, d: int, D: int) -> Tensor:
    """Direction d's part of (T, B, D * H)."""
    if D == 1:
        return tensor
    H = tensor.shape[2] // D
    return tensor.narrow(2, d * H, H)
