"""The backward pass through recorded layers: dC/ds_t at every step, as autograd would find it.

A fused layer returns the states of its last layer only, and autograd the gradients at the two ends only. Here
each layer's states are worked out again where the layer kept them to itself, and the gradient that arrives
from above (the direct one) is carried back step by step: total_t = direct_t + total_(t+1) J_(t+1).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence

from elman.insight.cells import Cell, Local, Lstm
from elman.insight.layers import Call, Sequences, cells


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
        return self.cell.local(self.x, self.h, self.state)

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
        local: its derivative at every step.
        direct: (T, B, S) what arrives at s_t from above: from the loss at step t, or from the next layer.
        total: (T, B, S) dC/ds_t, with what comes back through the later steps.
        delta: (T, B, G*H) dC with respect to the drive W_ih x_t + b_ih.
    """

    trace: Trace
    local: Local
    direct: Tensor
    total: Tensor
    delta: Tensor

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


@torch.no_grad()
def gradients(layers: list[list[Trace]], seed: Seeds) -> list[list[Gradients]]:
    """Carry the gradient back through all layers and steps: [layer][direction]."""
    found: list[list[Gradients]] = []
    for number in reversed(range(len(layers))):
        above = torch.cat([torch.zeros_like(trace.h) for trace in layers[number]], -1)
        outside = seed.output[number]
        if outside is not None:
            above += outside
        for one in found[-1] if found else ():
            above += turned(one.x(), one.trace.lengths) if one.trace.cell.reverse else one.x()
        row = []
        for d, trace in enumerate(layers[number]):
            size, real = trace.cell.hidden_size, trace.real()
            mine = above[..., d * size : (d + 1) * size]
            mine = turned(mine, trace.lengths) if trace.cell.reverse else mine
            direct = mine.new_zeros(*mine.shape[:2], trace.cell.state_size)
            direct[..., :size] = mine * real[..., None]
            last = torch.cat([s[number * len(layers[number]) + d] for s in seed.last], -1)
            some = (trace.lengths > 0).nonzero()[:, 0]
            direct[trace.lengths[some] - 1, some] += last[some]
            local = trace.local()
            total, delta = carried_back(local, direct)
            row.append(Gradients(trace, local, direct, total, delta))
        found.append(row)
    return found[::-1]


def carried_back(local: Local, direct: Tensor) -> tuple[Tensor, Tensor]:
    """Add to the direct gradient of each step what comes back from the steps after it.

    Arguments:
        direct: (T, ..., B, S).

    Returns:
        total, (T, ..., B, S), and delta, (T, ..., B, G*H).
    """
    total = direct.clone()
    delta = direct.new_zeros(*direct.shape[:-1], len(local.w_hh))
    for t in reversed(range(len(direct))):
        back, delta[t] = local.pull(t, total[t])
        if t:
            total[t - 1] += back
    return total, delta


def carried_alone(local: Local, direct: Tensor, ends: Tensor) -> Tensor:
    """Carry back only what arrives at each sequence's step in `ends` (B,); total, (T, B, S)."""
    total = torch.zeros_like(direct)
    if int(ends.max()) < 0:
        return total
    some = (ends >= 0).nonzero()[:, 0]
    total[ends[some], some] = direct[ends[some], some]
    last = int(ends[some].min())
    for t in range(int(ends.max()), 0, -1):
        back = local.pull(t, total[t])[0]
        if t <= last and not back.any():
            break  # too small for a float: all that follows is zero
        total[t - 1] += back
    return total
