"""Losses as a sum and a count, so that shares of a batch add up to the whole."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

IGNORE = -100
"""A target that does not count: padding, or a stream that has run out."""


def token_loss(logits: Tensor, targets: Tensor) -> tuple[Tensor, int]:
    """Summed cross-entropy in nats over all targets but `IGNORE`, and how many those are.

    Arguments:
        logits: (..., V).
        targets: (...) integers.
    """
    total = F.cross_entropy(logits.flatten(0, -2).float(), targets.flatten(), ignore_index=IGNORE, reduction="sum")
    return total, int((targets != IGNORE).sum())
