"""The backward pass through recorded layers: dC/ds_t at every step, as autograd would find it.

A fused layer returns the states of its last layer only, and autograd the gradients at the two ends only. Here
each layer's states are worked out again where the layer kept them to itself, and the gradient that arrives
from above (the direct one) is carried back step by step: total_t = direct_t + total_(t+1) J_(t+1).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence

from elman.insight.cell_jacobians import Cell, Local, Lstm, is_still
from elman.insight.recording import Call, Sequences, cells
from elman.kernels import Needs, RecurrenceInputs, RecurrenceOptions
from elman.ops.autograd import apply_adjoint

_BLOCK = 16  # steps looked at together: memory for all at once costs more than the arithmetic


@dataclass(frozen=True)
class Trace:
    """What one layer did in one direction, its steps in the order in which it took them.

    Attributes:
        x: (T, B, I) its input.
        h: (T, B, H) its hidden state after each step.
        state: (B, S) its state before the first.
        lengths: (B,) steps of each sequence.
    """

    cell: Cell
    x: Tensor
    h: Tensor
    state: Tensor
    lengths: Tensor

    def local(self) -> Local:
        return self._local

    @cached_property
    def _local(self) -> Local:
        return self.cell.local(self.x, self.h, self.state)

    @property
    def whole(self) -> bool:
        """Whether no sequence ends before the others."""
        return bool((self.lengths == len(self.h)).all())

    def of(self, rows: list[int]) -> Trace:
        """Give the same for some of the sequences."""
        x, h = self.x[:, rows], self.h[:, rows]
        return replace(self, x=x, h=h, state=self.state[rows], lengths=self.lengths[rows])

    def saturated(self) -> dict[str, float]:
        """Give for each gate the share of its values, over all real steps, that are saturated."""
        if self.cell.plain:
            parts = (is_still(self.cell, h).sum(-1) for h in torch.split(self.h, _BLOCK))
            counts = {"h": torch.cat(list(parts))}
        else:
            counts = {gate: still.sum(-1) for gate, still in self.local().saturated.items()}
        real = self.real()
        return {g: float(count[real].sum() / (real.sum() * self.cell.hidden_size)) for g, count in counts.items()}

    def real(self) -> Tensor:
        """Say which steps lie inside their sequence, (T, B)."""
        return torch.arange(len(self.h), device=self.h.device)[:, None] < self.lengths


def turned(x: Tensor, lengths: Tensor) -> Tensor:
    """Read each sequence of x (T, B, ...) from its own end; what lies past the end stays."""
    t = torch.arange(len(x), device=x.device)[:, None]
    index = torch.where(t < lengths, lengths - 1 - t, t)
    return x[index, torch.arange(x.shape[1], device=x.device)]


@torch.no_grad()
def traces(call: Call) -> list[list[Trace]]:
    """Give what each layer did, [layer][direction]; the states below the last layer are worked out again."""
    layers = cells(call.name, call.module)
    dtype, device = layers[0][0].w_hh.dtype, call.x.device
    x, lengths = call.x.to(dtype), call.lengths.to(device)
    top = call.padded(call.output).detach().to(dtype)
    found: list[list[Trace]] = []
    for number, directions in enumerate(layers):
        row: list[Trace] = []
        for d, cell in enumerate(directions):
            mine = turned(x, lengths) if cell.reverse else x
            state = torch.cat([s[number * len(directions) + d] for s in call.state], -1).to(dtype)
            if number == len(layers) - 1:
                h = top[..., d * cell.hidden_size : (d + 1) * cell.hidden_size]
                h = turned(h, lengths) if cell.reverse else h
            else:
                h = cell.run(mine, state)[..., : cell.hidden_size]
            row.append(Trace(cell, mine, h, state, lengths))
        found.append(row)
        x = torch.cat([turned(r.h, lengths) if r.cell.reverse else r.h for r in row], -1)
    return found


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

    lower = call.lower or (None,) * (call.module.num_layers - 1)
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

    @property
    def local(self) -> Local:
        """The layer's derivative at every step."""
        return self.trace.local()

    @property
    def delta(self) -> Tensor:
        """Give dC with respect to the drive W_ih x_t + b_ih, (T, B, G*H)."""
        return self.local.delta(slice(None), self.total)

    def x(self) -> Tensor:
        """Give dC/dx_t, (T, B, I), in the order of the layer's steps."""
        return self.delta @ self.trace.cell.w_ih

    def h(self) -> Tensor:
        """Give dC/dh_t, (T, B, H)."""
        return self.total[..., : self.trace.cell.hidden_size]

    def c(self) -> Tensor | None:
        """Give dC/dc_t with what passes through h_t, (T, B, H); None but for the LSTM."""
        if not isinstance(self.local, Lstm):
            return None
        h, c = self.total.chunk(2, -1)
        return c + h * self.local.cell_to_hidden

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
    if trace.cell.plain:
        direct[:-1] += _fused(trace, direct, None, trace.lengths)[1:]
        return direct
    local = trace.local()
    for t in reversed(range(1, len(direct))):
        direct[t - 1] += local.vjp(t, direct[t])[0]
    return direct


def carried_alone(trace: Trace, last: Tensor, ends: Tensor) -> Tensor:
    """Carry back only what arrives, `last` (B, S), at each sequence's step in `ends` (B,); its norm, (T, B) float64."""
    begin = norms(last)
    found = begin.new_zeros(trace.h.shape[:2])
    if trace.cell.plain:
        found[:-1] = norms(_fused(trace, None, last, ends + 1)[1:])
        some = (ends >= 0).nonzero()[:, 0]
        found[ends[some], some] = begin[some]
        return found
    local, carried, starts = trace.local(), torch.zeros_like(last), set(ends.tolist())
    for t in range(max(starts), -1, -1):
        if t in starts:
            carried = torch.where((ends == t)[:, None], last, carried)
        elif t < min(starts) and not carried.any():
            break  # too small for a float: all that follows is zero
        found[t] = norms(carried)
        carried = local.vjp(t, carried)[0]
    return found


def _fused(trace: Trace, grad_h: Tensor | None, grad_last: Tensor | None, lengths: Tensor) -> Tensor:
    """Give delta_t W_hh, what goes back from each step to the one before it, (T, B, H), by the layer's own adjoint.

    The adjoint gives delta_t W_ih; with W_hh in the place of W_ih, that is it.
    """
    cell, h = trace.cell, trace.h
    whole = bool((lengths == len(h)).all())
    inputs = RecurrenceInputs(h, trace.state, cell.w_hh, cell.w_hh, lengths=None if whole else lengths)
    needs = Needs(x=True, h0=False, w_ih=False, w_hh=False, bias=False)
    gradient = apply_adjoint(grad_h, grad_last, inputs, h, RecurrenceOptions(cell.kind), needs).x
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
