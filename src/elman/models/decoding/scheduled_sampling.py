"""Teacher forcing, and its slow withdrawal: a decoder learns to go on from its own words (Bengio et al. 2015)."""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor

Schedule = Literal["constant", "linear", "sigmoid"]

_STEEPNESS = 10.0  # of the inverse sigmoid over the whole training: nearly flat at both its ends


def teacher_share(schedule: Schedule, last: float, done: float) -> float:
    """Share of the right words that the decoder is given when this share of the training is done.

    Arguments:
        schedule: "constant" is `last` throughout; "linear" and "sigmoid" come down from 1 to `last`.
        done: from 0 to 1.
    """
    if schedule == "constant":
        return last
    fallen = done if schedule == "linear" else 1 / (1 + math.exp(_STEEPNESS * (0.5 - done)))
    return 1 - (1 - last) * fallen


def mixed(tokens: Tensor, logits: Tensor, teacher: float) -> Tensor:
    """The decoder's inputs with some of the right words replaced by what the decoder itself would have drawn there.

    All steps are drawn at once, from a pass in which the right words were given (Duckworth et al. 2019, one pass), so
    that the recurrence still runs over whole sequences.

    Arguments:
        tokens: (T, B) the begin mark and the right words.
        logits: (T, B, V) of that first pass.
        teacher: share of the right words to keep. The begin mark always stays.
    """
    shares = logits[:-1].float().softmax(-1)
    drawn = torch.multinomial(shares.flatten(0, 1), 1).view(shares.shape[:2])
    own = torch.rand(drawn.shape, device=tokens.device) >= teacher
    return torch.cat((tokens[:1], torch.where(own, drawn, tokens[1:])))
