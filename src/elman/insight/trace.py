"""What each layer of a recorded call did: its inputs and states, step by step.

A fused layer returns the states of its last layer only; those of the layers below are worked out again here.
T steps, B sequences, I inputs, H hidden units, S numbers in the state.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor

from elman.insight.jacobians.base import StepJacobians
from elman.insight.jacobians.cell import Cell, cells
from elman.insight.jacobians.linearise import step_jacobians
from elman.insight.recording import Call

_BLOCK = 16  # steps counted together: memory for all at once costs more than the arithmetic


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

    @cached_property
    def jacobians(self) -> StepJacobians:
        """The Jacobian of every step."""
        return step_jacobians(self.cell, self.x, self.h, self.state)

    @property
    def h_before(self) -> Tensor:
        """(T, B, H) the hidden state before each step."""
        return torch.cat((self.state[None, :, : self.cell.hidden_size], self.h[:-1]))

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
        if self.cell.map.plain:  # h is the gate's value
            (gate,) = self.cell.map.gates
            counts = {gate.name: torch.cat([gate.saturated(h).sum(-1) for h in torch.split(self.h, _BLOCK)])}
        else:
            counts = {gate: where.sum(-1) for gate, where in self.jacobians.saturated.items()}
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
    """Give what each layer did, [layer][direction]; the states below the last layer are worked out again.

    Arguments:
        call: a call of a recurrent module.
    """
    layers = cells(call.name, call.module, call.kind)
    dtype, device = layers[0][0].dtype, call.x.device
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
