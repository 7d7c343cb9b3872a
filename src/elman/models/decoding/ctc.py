"""Connectionist temporal classification: symbols without an alignment (Graves et al. 2006). Symbol 0 is the blank.

What turns scores into symbols needs no torch and stands in `elman.runtime.ctc`. T steps, V + 1 symbols with the blank.
"""

from __future__ import annotations

from itertools import pairwise

import torch.nn.functional as F
from torch import Tensor

from elman.runtime.ctc import BLANK


def ctc_loss(logits: Tensor, lengths: Tensor, targets: Tensor, target_lengths: Tensor) -> Tensor:
    """Summed negative log-likelihood in nats of all ways to emit the targets.

    Arguments:
        logits: (T, B, V + 1).
        lengths: (B,) steps of each.
        targets: all targets, one after the other.
        target_lengths: (B,).
    """
    scores = logits.float().log_softmax(-1)
    return F.ctc_loss(scores, targets, lengths, target_lengths, blank=BLANK, reduction="sum", zero_infinity=True)


def steps_needed(symbols: list[int]) -> int:
    """The least steps that can emit these symbols: one each, and a blank between two that are alike."""
    return len(symbols) + sum(first == second for first, second in pairwise(symbols))
