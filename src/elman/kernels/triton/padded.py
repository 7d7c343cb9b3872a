"""Padded batches in whole tensor operations that never wait for the device, of one network or of many.

T steps, B sequences, F features, H hidden units; any dimensions may stand before these, the same of every tensor.
"""

from __future__ import annotations

import torch
from torch import Tensor


def zero_padding(
    padded: Tensor,  # (..., T, B, F)
    lengths: Tensor | None,  # (..., B)
) -> Tensor:
    """Zeros past each sequence's end, where anything may lie, NaN too."""
    if lengths is None:
        return padded
    live = torch.arange(padded.shape[-3], device=padded.device).unsqueeze(1) < lengths.unsqueeze(-2)  # (..., T, B)
    return torch.where(live.unsqueeze(-1), padded, 0)


def states_before(
    states: Tensor,  # (..., T, B, H)
    start: Tensor,  # (..., B, H) the state before the first step
    lengths: Tensor | None,  # (..., B)
    reverse: bool,
) -> Tensor:
    """The state before each step, (..., T, B, H); past a sequence's end it says nothing."""
    first, T = start.unsqueeze(-3), states.shape[-3]
    before = torch.cat([states[..., 1:, :, :], first] if reverse else [first, states[..., :-1, :, :]], -3)
    if reverse and lengths is not None:
        last = torch.arange(T, device=states.device).unsqueeze(1) == lengths.unsqueeze(-2) - 1  # (..., T, B)
        before = torch.where(last.unsqueeze(-1), first, before)
    return before
