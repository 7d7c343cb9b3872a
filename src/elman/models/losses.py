"""Losses as a sum and a count, so that shares of a batch add up to the whole."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from elman.data.batching import IGNORE_INDEX


def token_loss(logits: Tensor, targets: Tensor) -> tuple[Tensor, int]:
    """Summed cross-entropy in nats over all targets but `IGNORE_INDEX`, and how many those are.

    Arguments:
        logits: (..., V).
        targets: (...) integers.
    """
    total = F.cross_entropy(
        logits.flatten(0, -2).float(), targets.flatten(), ignore_index=IGNORE_INDEX, reduction="sum"
    )
    return total, int((targets != IGNORE_INDEX).sum())


def next_token_loss(
    logits: Tensor,  # (T, B, V)
    targets: Tensor,  # (T, B) the token that comes next at each step
    *,
    padding: int,  # the id that stands where a text has ended
    smoothing: float = 0.0,
) -> tuple[Tensor, int]:
    """Cross-entropy in nats, summed over the tokens that are no padding, and how many these are.

    Arguments:
        smoothing: the share of the target's probability that is spread over all tokens (Szegedy et al. 2016, sec. 7).
    """
    total = F.cross_entropy(
        logits.flatten(0, 1), targets.flatten(), ignore_index=padding, reduction="sum", label_smoothing=smoothing
    )
    return total, int((targets != padding).sum())
