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
    largest = states.masked_fill(~inside, float("-inf")).amax(dim=0) if "max" in readout else None
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
