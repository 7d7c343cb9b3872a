"""Losses as a sum and a count, so that shares of a batch add up to the whole."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from elman.data.batching import IGNORE_INDEX
from elman.nn.linear_cross_entropy import LinearCrossEntropy
from elman.ops.output_loss import linear_cross_entropy


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


def output_loss(
    output: LinearCrossEntropy,
    hidden: Tensor,  # (..., H) what the output layer reads
    targets: Tensor,  # (...) the token that comes next at each place
    *,
    padding: int = IGNORE_INDEX,  # the id that stands where there is none
    smoothing: float = 0.0,
) -> Tensor:
    """Cross-entropy () in nats, summed over the targets that are no padding; the logits are not stored.

    Arguments:
        smoothing: the share of the target's probability that is spread over all tokens (Szegedy et al. 2016, sec. 7).
    """
    keep = targets != padding
    if not bool(keep.all()):  # what asks for nothing needs no logits
        hidden, targets = hidden[keep], targets[keep]
    return linear_cross_entropy(
        hidden,
        output.weight,
        targets,
        output.bias,
        ignore_index=padding,
        label_smoothing=smoothing,
        reduction="sum",
    )
