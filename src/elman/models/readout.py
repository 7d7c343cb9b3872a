"""What is read of the states h_1 ... h_n of a sequence: one vector, whatever n. T steps, B sequences, D numbers."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from elman.models.config import Readout


def width(readout: Readout, size: int) -> int:
    """How many numbers are read of states of `size` numbers."""
    return 2 * size if readout == "mean-max" else size


def pool(
    states: Tensor,  # (T, B, D), zero past a sequence's end
    last: Tensor,  # (layers * directions, B, H) the states after each sequence's last step
    lengths: Tensor,  # (B,)
    readout: Readout,
    attention: nn.Module | None = None,
) -> Tensor:
    """One vector for each sequence, (B, `width`); what stands past a sequence's end does not count.

    Arguments:
        readout: the "last" state, or the "mean", "sum" or "max" of all, "mean-max" (both, side by side), or an
            "attention"-weighted mean (Yang et al. 2016, eq. 5 to 7, with the states as they are).
        attention: (..., D) to (..., 1), the scores of the last of these.
    """
    if readout == "last":
        directions = states.shape[2] // last.shape[2]
        return torch.cat(tuple(last[-directions:]), dim=-1)
    inside = (torch.arange(states.shape[0], device=states.device).unsqueeze(1) < lengths).unsqueeze(2)
    largest = _largest(states, inside) if "max" in readout else None
    if readout == "max" and largest is not None:
        return largest
    if attention is not None:
        weights = attention(states).masked_fill(~inside, float("-inf")).softmax(dim=0)
        pooled: Tensor = (weights * states).sum(dim=0)
        return pooled
    total = states.sum(dim=0)
    if readout == "sum":
        return total
    mean = total / lengths.clamp(min=1).unsqueeze(1)
    return mean if largest is None else torch.cat([mean, largest], dim=1)


def _largest(states: Tensor, inside: Tensor) -> Tensor:
    """(B, D) the largest of the states (T, B, D) that are inside (T, B, 1).

    Adding minus infinity past the end takes a fifth of the time of writing it there, and gives the same numbers.
    """
    past = torch.zeros_like(inside, dtype=states.dtype).masked_fill_(~inside, float("-inf"))
    return (states + past).amax(dim=0)


def pool_prefixes(states: Tensor, readout: Readout, attention: nn.Module | None = None) -> Tensor:
    """What `pool` would give after each step, (T, B, `width`), from the states of one direction (T, B, D)."""
    if readout == "last":
        return states
    if attention is not None:
        scores = attention(states)
        weights = (scores - scores.amax(dim=0)).exp()
        averages: Tensor = (weights * states).cumsum(dim=0) / weights.cumsum(dim=0)
        return averages
    if readout == "max":
        return states.cummax(dim=0).values
    total = states.cumsum(dim=0)
    if readout == "sum":
        return total
    mean = total / torch.arange(1, len(states) + 1, device=states.device, dtype=states.dtype).view(-1, 1, 1)
    return mean if readout == "mean" else torch.cat([mean, states.cummax(dim=0).values], dim=2)


class RunningPool:
    """What `pool` would give after each step of a sequence that comes in pieces, from the states of one direction.

    Arguments:
        readout, attention: as `pool` takes them.
    """

    def __init__(self, readout: Readout, attention: nn.Module | None = None) -> None:
        self._readout = readout
        self._attention = attention
        self._steps = 0
        self._total: Tensor | None = None  # (1, B, D) the sum so far, weighted where there is attention
        self._largest: Tensor | None = None  # (1, B, D)
        self._weight: Tensor | None = None  # (1, B, 1) the weights' sum, over e to the power of `_highest`
        self._highest: Tensor | None = None  # (1, B, 1)

    def after(self, states: Tensor) -> tuple[Tensor, RunningPool]:
        """(t, B, `width`) from the states (t, B, D) that follow, and the pool that goes on from there."""
        new = RunningPool(self._readout, self._attention)
        new._steps = self._steps + len(states)
        if self._readout == "last":
            return states, new
        if self._attention is not None:
            return self._attended(states, self._attention, new), new
        parts = []
        if self._readout in ("mean", "sum", "mean-max"):
            total = states.cumsum(dim=0) + (0 if self._total is None else self._total)
            new._total = total[-1:]
            counts = torch.arange(self._steps + 1, new._steps + 1, device=states.device, dtype=states.dtype)
            parts.append(total if self._readout == "sum" else total / counts.view(-1, 1, 1))
        if "max" in self._readout:
            largest = states.cummax(dim=0).values
            largest = largest if self._largest is None else torch.maximum(largest, self._largest)
            new._largest = largest[-1:]
            parts.append(largest)
        return (torch.cat(parts, dim=2) if len(parts) > 1 else parts[0]), new

    def _attended(self, states: Tensor, attention: nn.Module, new: RunningPool) -> Tensor:
        scores = attention(states)
        highest = scores.amax(dim=0, keepdim=True)
        if self._highest is not None:
            highest = torch.maximum(highest, self._highest)
        weights = (scores - highest).exp()
        total, weight = (weights * states).cumsum(dim=0), weights.cumsum(dim=0)
        if self._highest is not None and self._total is not None and self._weight is not None:
            kept = (self._highest - highest).exp()
            total, weight = total + self._total * kept, weight + self._weight * kept
        new._total, new._weight, new._highest = total[-1:], weight[-1:], highest
        averages: Tensor = total / weight
        return averages
