"""What a network that writes is trained on: the probability it gives each token, all before it being given."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor


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
