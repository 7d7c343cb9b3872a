"""The state space of a recurrent layer: where its states go, in the two directions in which they vary most."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from elman.errors import UserError
from elman.insight.jacobians.cell import Cell
from elman.insight.recording import Loss, call, recording
from elman.insight.trace import traces, turned


@dataclass(frozen=True)
class StateSpace:
    """The trajectories of one layer, and their first two principal components; on the CPU, float64.

    Attributes:
        cell: the layer's weights.
        h: (T, B, H) the hidden states.
        state: (T, B, S) the whole states: h, and for the LSTM c after it.
        x: (T, B, I) the layer's inputs.
        lengths: (B,) steps of each sequence; what lies past them means nothing.
        mean: (H,) of all states.
        axes: (2, H) the two orthogonal directions of largest variance; each one's largest entry is positive.
        explained: the share of the variance along each.
    """

    cell: Cell
    h: Tensor
    state: Tensor
    x: Tensor
    lengths: Tensor
    mean: Tensor
    axes: Tensor
    explained: tuple[float, float]

    @property
    def name(self) -> str:
        """The layer's name, "rnn.l0"."""
        return self.cell.name

    def project(self, h: Tensor) -> Tensor:
        """Give the two coordinates of states (..., H or S): (..., 2)."""
        return (h[..., : len(self.mean)].double() - self.mean) @ self.axes.T

    @property
    def points(self) -> Tensor:
        """The trajectories' coordinates, (T, B, 2)."""
        return self.project(self.h)

    @property
    def real(self) -> Tensor:
        """Which steps lie inside their sequence, (T, B)."""
        return torch.arange(len(self.h))[:, None] < self.lengths

    def visited(self, count: int) -> Tensor:
        """Give `count` of the whole states that were visited, spread evenly, (N, S); fewer if there were fewer."""
        visited = self.state[self.real]
        return visited[torch.linspace(0, len(visited) - 1, min(count, len(visited))).round().long()]

    @property
    def summary(self) -> str:
        """How many states there were, and how much of them two directions show, in one sentence."""
        first, second = self.explained
        shares = f"two directions hold {first + second:.0%} of their variance ({first:.0%} and {second:.0%})"
        return f"{self.name} went through {int(self.real.sum()):,} states; {shares}"


def states(model: nn.Module, batch: Any, layer: str | None = None, *, run: Loss | None = None) -> StateSpace:
    """Run `model` on a batch of sequences and find where one layer's states go.

    Arguments:
        batch: what the model, or `run`, takes; a tuple or a dict gives the model's arguments.
        layer: which, by name; the last if not given.
        run: called with the model and the batch in place of the model; what it returns does not matter.

    Raises:
        UserError: no such layer, fewer than two states, no recurrent layer, weights that are not finite, or a batch on
            another device.
    """
    with recording(model) as calls, torch.no_grad():
        call(model, batch, run)
    found = {trace.cell.name: trace for one in calls for row in traces(one) for trace in row}
    if not found or (layer is not None and layer not in found):
        raise UserError(f"there is no layer called {layer!r}; there are {', '.join(found) or 'none that were called'}")
    trace = found[layer if layer is not None else list(found)[-1]]
    cell, lengths = trace.cell.to(torch.float64, "cpu"), trace.lengths.cpu()
    x, h, before = (part.double().cpu() for part in (trace.x, trace.h, trace.state))
    whole = cell.states(x, h, before)
    if cell.reverse:
        x, h, whole = (turned(part, lengths) for part in (x, h, whole))
    visited = h[torch.arange(len(h))[:, None] < lengths]
    if len(visited) < 2:
        raise UserError(f"{cell.name} went through {len(visited)} state: give at least two steps")
    mean = visited.mean(0)
    variances, directions = torch.linalg.eigh((visited - mean).T @ (visited - mean))
    axes = directions.flip(-1).T[:2]
    if len(axes) == 1:  # a single unit has no second direction
        axes = torch.cat((axes, torch.zeros_like(axes)))
    axes = axes * axes.gather(1, axes.abs().argmax(1, keepdim=True)).sign()
    shares = (variances.flip(-1).clamp_min(0) / variances.clamp_min(0).sum().clamp_min(1e-300)).tolist()
    return StateSpace(cell, h, whole, x, lengths, mean, axes, (shares[0], shares[1] if len(shares) > 1 else 0.0))
