"""A layer's directions together, on a backend that can: they run side by side, and write into one output.

Around a short sequence torch's own operations (zeros, sums of biases, concatenation) and Python take longer than the
recurrence does; here are hardly any, and one look at the arguments. What is not as it should be there, and what
compiles, transforms or watches, uses `recurrence` instead, direction by direction, which says what is wrong.
T steps, B sequences, I inputs, H hidden units, D directions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor

from elman.kernels.options import PLAIN_TYPES, Gradients, Needs, RecurrenceInputs, RecurrenceOptions
from elman.kernels.protocols import LayerForm
from elman.kernels.selection import Backend
from elman.kernels.torch_private import (
    has_numbers,
    is_any_autocast_enabled,
    is_plain_eager,
    is_profiling,
    unchecked_apply,
)
from elman.ops.autograd import apply_adjoint, apply_recurrence

_is_grad_enabled = torch.is_grad_enabled


class _Call(NamedTuple):
    """What a layer's call is, apart from its tensors."""

    layer: LayerForm
    options: RecurrenceOptions
    D: int


def apply_layer(
    backend: Backend,  # selected for x and the options; nothing transforms or watches
    x: Tensor,  # (T, B, I), any strides
    h0: Tensor | None,  # (D, B, H) contiguous; without it zeros
    lengths: Tensor | None,  # (B,) int64
    options: RecurrenceOptions,  # of the first direction
    H: int,
    D: int,
    weights: Sequence[Tensor],  # D times w_ih (H, I), w_hh (H, H) and no, one or two biases (H,)
    time_first: bool = False,  # lay the states out by steps, though x may lie by sequences
) -> tuple[Tensor, Tensor] | None:
    """The states of one layer, (T, B, D * H), and its last ones, (D, B, H): the second direction from the end.

    None, and nothing has run, where one `recurrence` a direction must take its place: the backend has no such form,
    something does not fit, or is not contiguous, or autocast is on.

    Raises:
        ValueError: a length is outside 0..T.
    """
    layer = backend.layer
    if layer is None or is_any_autocast_enabled() or type(x) not in PLAIN_TYPES:
        return None
    given = backend, layer, x, h0, lengths, options, H, D, weights, time_first
    if _is_grad_enabled():
        made = _states_and_last(*given)
        if made is None:
            return None
        return cast(tuple[Tensor, Tensor], _apply(x, h0, lengths, _Call(layer, options, D), made, *weights))
    if is_profiling():
        with torch.profiler.record_function("elman::layer"):
            return _states_and_last(*given)
    return _states_and_last(*given)


def _states_and_last(
    backend: Backend,
    layer: LayerForm,
    x: Tensor,
    h0: Tensor | None,
    lengths: Tensor | None,
    options: RecurrenceOptions,
    H: int,
    D: int,
    weights: Sequence[Tensor],
    time_first: bool,
) -> tuple[Tensor, Tensor] | None:
    """What `apply_layer` returns, without a derivative."""
    run = backend.run_layer
    made = None if run is None else run(x, h0, lengths, weights, H, D, time_first)
    if made is not None:
        return made
    addresses = layer.addresses(x, h0, lengths, H, D, weights)
    if addresses is None:
        return None
    return layer.forward_layer(x, h0, lengths, options, H, D, addresses, time_first=time_first)


class ElmanLayer(torch.autograd.Function):
    """What `apply_layer` does, with its derivative; the second one uses `apply_adjoint`."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        h0: Tensor | None,
        lengths: Tensor | None,
        call: _Call,
        made: tuple[Tensor, Tensor],  # what the backend has computed
        *weights: Tensor,
    ) -> tuple[Tensor, Tensor]:
        """Keep the inputs and h; nothing else is needed for the adjoint.

        torch's layers allow that their output be changed in place, since they keep another copy. Here h is kept in
        such a way that nothing is said of a change, with a counter of them, and computed again where there was one.
        """
        h, h_n = made
        ctx.call = call
        ctx.changes = _counter_of(h)
        ctx.save_for_backward(x, h0, lengths, h.data, *weights)
        ctx.set_materialize_grads(False)
        return h, h_n

    @staticmethod
    def backward(ctx: Any, grad_h: Tensor | None, grad_h_n: Tensor | None) -> tuple[Tensor | None, ...]:
        """Run the adjoint of every direction."""
        x, h0, lengths, h, *weights = ctx.saved_tensors
        call: _Call = ctx.call
        if torch.is_grad_enabled() or ctx.changes._version:
            h = _states(x, h0, lengths, call, weights)  # differentiable, for the second derivative
        needs_x, needs_h0, _, _, _, *needs_weights = ctx.needs_input_grad
        each = len(weights) // call.D
        needs = []
        for d in range(call.D):
            w_ih, w_hh, *biases = needs_weights[d * each : (d + 1) * each]
            needs.append(Needs(needs_x, needs_h0, w_ih, w_hh, True in biases))
        plain = is_plain_eager() and _is_plain(grad_h) and _is_plain(grad_h_n)
        run = call.layer.backward_layer if plain and not torch.is_grad_enabled() else _differentiable
        results = run(grad_h, grad_h_n, x, h0, h, lengths, call.options, call.D, weights, needs)
        grad_x, grad_h0 = _of_all_directions(results)
        flat: list[Tensor | None] = []
        for found in results:
            flat += (found.w_ih, found.w_hh, found.bias, found.bias)[:each]
        return grad_x, grad_h0, None, None, None, *flat


def _is_plain(grad: Tensor | None) -> bool:
    return grad is None or (type(grad) in PLAIN_TYPES and has_numbers(grad))


def _counter_of(tensor: Tensor) -> Tensor:
    """A tensor without numbers whose `_version` counts the changes in place of another, which it does not keep."""
    counter = tensor.detach()
    counter.data = _nothing(tensor.dtype, tensor.device)
    return counter


@cache
def _nothing(dtype: torch.dtype, device: torch.device) -> Tensor:
    return torch.empty(0, dtype=dtype, device=device)


def _states(
    x: Tensor, h0: Tensor | None, lengths: Tensor | None, call: _Call, weights: Sequence[Tensor]
) -> Tensor:  # (T, B, D * H)
    """h once more."""
    states, each = [], len(weights) // call.D
    for d in range(call.D):
        w_ih, w_hh, *biases = weights[d * each : (d + 1) * each]
        start = x.new_zeros(x.shape[1], w_hh.shape[0]) if h0 is None else h0[d]
        bias = sum(biases[1:], biases[0]) if biases else None
        turned = replace(call.options, reverse=call.options.reverse or d == 1)
        states.append(apply_recurrence(RecurrenceInputs(x, start, w_ih, w_hh, bias, lengths), turned)[0])
    return states[0] if call.D == 1 else torch.cat(states, 2)


_apply = unchecked_apply(ElmanLayer)


def _of_all_directions(results: Sequence[Gradients]) -> tuple[Tensor | None, Tensor | None]:
    """The gradients of x (T, B, I) and h0 (D, B, H)."""
    first, *others = results
    grad_x = first.x
    for other in others:
        if grad_x is not None and other.x is not None:
            grad_x = grad_x + other.x
    if first.h0 is None:
        return grad_x, None
    if not others:
        return grad_x, first.h0.unsqueeze(0)
    return grad_x, torch.stack([found.h0 for found in results if found.h0 is not None])


def _differentiable(
    grad_h: Tensor | None,
    grad_h_n: Tensor | None,
    x: Tensor,
    h0: Tensor | None,
    h: Tensor,
    lengths: Tensor | None,
    options: RecurrenceOptions,
    D: int,
    weights: Sequence[Tensor],
    needs: Sequence[Needs],
) -> list[Gradients]:
    """What `LayerForm.backward_layer` does, made of operations that can be differentiated, compiled and watched."""
    H, each, results = h.shape[2] // D, len(weights) // D, []
    for d, own in enumerate(needs):
        w_ih, w_hh, *biases = weights[d * each : (d + 1) * each]
        start = x.new_zeros(x.shape[1], H) if h0 is None else h0[d]
        inputs = RecurrenceInputs(x, start, w_ih, w_hh, biases[0] if biases else None, lengths)
        from_loss = None if grad_h is None else _part(grad_h, d, H)
        from_last = None if grad_h_n is None else grad_h_n[d]
        turned = replace(options, reverse=options.reverse or d == 1)
        results.append(apply_adjoint(from_loss, from_last, inputs, _part(h, d, H), turned, own))
    return results


def _part(tensor: Tensor, d: int, H: int) -> Tensor:
    """Direction d's part of (T, B, D * H)."""
    return tensor.narrow(2, d * H, H)
