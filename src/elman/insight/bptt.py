"""The backward pass through recorded layers: dC/ds_t at every step, as autograd would find it.

Autograd gives a fused layer's gradients at its two ends only. Here the gradient that arrives from above (the direct
one) is carried back step by step: total_t = direct_t + total_(t+1) J_(t+1).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence

from elman.insight.recording import Call, Sequences
from elman.insight.trace import Trace, turned
from elman.kernels import Needs, RecurrenceInputs, RecurrenceOptions
from elman.nn.registry import layers_of
from elman.ops.autograd import apply_adjoint

_BLOCK = 16  # steps whose norms are taken together: memory for all at once costs more than the arithmetic


@dataclass(frozen=True)
class Seeds:
    """The gradient of the cost with respect to what a recurrent module returned.

    Attributes:
        output: for each layer (T, B, D*H), or None where that layer's output is not used outside the module.
        last: with respect to h_n, and to c_n for the LSTM, each (L*D, B, H).
    """

    output: tuple[Tensor | None, ...]
    last: tuple[Tensor, ...]


def seeds(calls: list[Call], cost: Tensor) -> list[Seeds]:
    """Go backward from the cost to what each call returned, and no further than the first of them."""
    handles = [_data(s) for call in calls for s in (call.output, *call.last, *call.lower)]
    wanted = [handle for handle in handles if handle.requires_grad]
    found = dict(zip(map(id, wanted), torch.autograd.grad(cost, wanted, allow_unused=True), strict=True))
    return [_seeds(call, found) for call in calls]


def _seeds(call: Call, found: Mapping[int, Tensor | None]) -> Seeds:
    dtype = next(call.module.parameters()).dtype

    def sequences(output: Sequences) -> Tensor | None:
        gradient: Any = found.get(id(_data(output)))
        if gradient is not None and isinstance(output, PackedSequence):
            gradient = PackedSequence(gradient, *output[1:])
        return None if gradient is None else call.padded(gradient).to(dtype)

    def state(last: Tensor) -> Tensor:
        gradient = found.get(id(last))
        gradient = torch.zeros_like(last) if gradient is None else gradient
        return (gradient.unsqueeze(1) if call.batch_dim is None else gradient).to(dtype)

    lower = call.lower or (None,) * (layers_of(call.module) - 1)
    outputs = (*(None if s is None else sequences(s) for s in lower), sequences(call.output))
    return Seeds(outputs, tuple(map(state, call.last)))


def _data(output: Sequences) -> Tensor:
    return output.data if isinstance(output, PackedSequence) else output


@dataclass(frozen=True)
class Gradients:
    """The gradients of one layer in one direction, in the order of its steps.

    Attributes:
        trace: what the layer did.
        total: (T, B, S) dC/ds_t: what arrives at s_t from above, from the loss at step t or the next layer, and
            what comes back through the later steps.
        ends: (B,) the last step of each sequence at which something arrives from above; -1 where nothing does.
        last: (B, S) what arrives there.
        alone: nothing arrives from above at any other step.
    """

    trace: Trace
    total: Tensor
    ends: Tensor
    last: Tensor
    alone: bool

    def x(self) -> Tensor:
        """Give dC/dx_t, (T, B, I), in the order of the layer's steps."""
        return self.trace.jacobians.input_gradient(self.total)

    def h(self) -> Tensor:
        """Give dC/dh_t, (T, B, H)."""
        return self.total[..., : self.trace.cell.hidden_size]

    def c(self) -> Tensor | None:
        """Give dC/dc_t with what passes through h_t, (T, B, H); None but for the LSTM."""
        return self.trace.jacobians.memory_gradient(self.total)

    def carried(self) -> Tensor:
        """Give the norm of what arrives at the end and is carried back by the recurrence alone, (T, B) float64."""
        return norms(self.total) if self.alone else carried_alone(self.trace, self.last, self.ends)


@torch.no_grad()
def gradients(layers: list[list[Trace]], seed: Seeds) -> list[list[Gradients]]:
    """Carry the gradient back through all layers and steps: [layer][direction]."""
    found: list[list[Gradients]] = []
    for number in reversed(range(len(layers))):
        outside = seed.output[number]
        parts = [] if outside is None else [outside]
        for one in found[-1] if found else ():
            parts.append(turned(one.x(), one.trace.lengths) if one.trace.cell.reverse else one.x())
        row = []
        for d, trace in enumerate(layers[number]):
            size = trace.cell.hidden_size
            direct = trace.h.new_zeros(*trace.h.shape[:2], trace.cell.state_size)
            for part in parts:
                mine = part[..., d * size : (d + 1) * size]
                direct[..., :size] += turned(mine, trace.lengths) if trace.cell.reverse else mine
            if not trace.whole:
                direct.masked_fill_(~trace.real()[..., None], 0)
            last = torch.cat([s[number * len(layers[number]) + d] for s in seed.last], -1)
            some = (trace.lengths > 0).nonzero()[:, 0]
            direct[trace.lengths[some] - 1, some] += last[some]
            row.append(_carried(trace, direct))
        found.append(row)
    return found[::-1]


def _carried(trace: Trace, direct: Tensor) -> Gradients:
    reached = (direct != 0).any(-1)
    t = torch.arange(len(direct), device=direct.device)[:, None]
    ends = torch.where(reached, t, -1).amax(0)
    last = direct[ends.clamp_min(0), torch.arange(len(ends), device=direct.device)]
    return Gradients(trace, carried_back(trace, direct), ends, last, bool((reached.sum(0) <= 1).all()))


def carried_back(trace: Trace, direct: Tensor) -> Tensor:
    """Add to the direct gradient of each step, in its place, what comes back from the steps after it.

    Arguments:
        direct: (T, B, S).
    """
    if trace.cell.map.plain:
        direct[:-1] += _fused(trace, direct, None, trace.lengths)[1:]
        return direct
    for t in reversed(range(1, len(direct))):
        direct[t - 1] += trace.jacobians.vjp(t, direct[t])
    return direct


def carried_alone(trace: Trace, last: Tensor, ends: Tensor) -> Tensor:
    """Carry back only what arrives, `last` (B, S), at each sequence's step in `ends` (B,); its norm, (T, B) float64."""
    begin = norms(last)
    found = begin.new_zeros(trace.h.shape[:2])
    if trace.cell.map.plain:
        found[:-1] = norms(_fused(trace, None, last, ends + 1)[1:])
        some = (ends >= 0).nonzero()[:, 0]
        found[ends[some], some] = begin[some]
        return found
    carried, starts = torch.zeros_like(last), set(ends.tolist())
    for t in range(max(starts), -1, -1):
        if t in starts:
            carried = torch.where((ends == t)[:, None], last, carried)
        elif t < min(starts) and not carried.any():
            break  # too small for a float: all that follows is zero
        found[t] = norms(carried)
        carried = trace.jacobians.vjp(t, carried)
    return found


def _fused(trace: Trace, grad_h: Tensor | None, grad_last: Tensor | None, lengths: Tensor) -> Tensor:
    """Give delta_t W_hh, what goes back from each step to the one before it, (T, B, H), by the layer's own adjoint.

    The adjoint gives delta_t W_ih; with W_hh in the place of W_ih, that is it.
    """
    cell, h, w_hh = trace.cell, trace.h, trace.cell.weights["weight_hh"]
    whole = bool((lengths == len(h)).all())
    inputs = RecurrenceInputs(h, trace.state, w_hh, w_hh, lengths=None if whole else lengths)
    needs = Needs(x=True, h0=False, w_ih=False, w_hh=False, bias=False)
    gradient = apply_adjoint(grad_h, grad_last, inputs, h, RecurrenceOptions(cell.map.options["nonlinearity"]), needs).x
    assert gradient is not None
    return gradient


def norms(x: Tensor) -> Tensor:
    """Give the Euclidean norms along the last dimension in float64, where a square would under- or overflow, too."""
    if x.dtype != torch.float32:
        exact: Tensor = torch.linalg.vector_norm(x, dim=-1, dtype=torch.float64)
        return exact
    found: Tensor = torch.linalg.vector_norm(x, dim=-1).double()  # many times faster
    small, large = found < 1e-15, ~(found < 1e15)
    if bool(small.any()):
        parts = [torch.linalg.vector_norm(part * 2.0**100, dim=-1) for part in torch.split(x, _BLOCK)]
        found = torch.where(small, torch.cat(parts).double() * 2.0**-100, found)
    if bool(large.any()):
        found[large] = torch.linalg.vector_norm(x[large], dim=-1, dtype=torch.float64)
    return found
