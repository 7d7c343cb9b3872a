"""Several classifiers trained at once, each from a seed of its own; their probabilities are averaged."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from elman.models.classification.multiscale import MultiScaleClassifier


class Ensemble(nn.Module):
    """Classifiers side by side. K members, B sequences, C classes.

    Arguments:
        build: makes a member; what it draws from torch's random state makes members differ.
        count: K.
    """

    def __init__(self, build: Callable[[], nn.Module], count: int) -> None:
        super().__init__()
        self.members = nn.ModuleList(build() for _ in range(count))

    def forward(self, x: Tensor, lengths: Tensor, *, each: bool = False, **options: Any) -> Tensor:
        """Scores of the classes: the logarithm of the members' mean probability.

        Arguments:
            x, lengths, options: what a member takes.
            each: give the scores of each member by itself, as training wants them.

        Returns:
            (..., B, C), or (K, ..., B, C) with `each`.
        """
        first = self.members[0]
        if isinstance(first, MultiScaleClassifier):
            options["views"] = first.views(x, lengths)  # the same for all
        scores = torch.stack([member(x, lengths, **options) for member in self.members])
        return scores if each else mean_scores(scores)

    def prefix_scores(self, x: Tensor) -> Tensor:
        """Scores after each prefix of one sequence (T, ...): (T, C), where the members can tell."""
        return mean_scores(torch.stack([member.prefix_scores(x) for member in self.members]))  # type: ignore[operator]


class EachMember(nn.Module):
    """An ensemble that gives the scores of every member: (B, K, C).

    Arguments:
        ensemble: of K members.
    """

    def __init__(self, ensemble: nn.Module) -> None:
        super().__init__()
        self.ensemble = ensemble

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Scores from what a member takes."""
        scores: Tensor = self.ensemble(x, lengths, each=True)
        return scores.transpose(0, 1)


class MeanOfMembers(EachMember):
    """An ensemble whose members answer with numbers: their mean, (B, O)."""

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Numbers from what a member takes."""
        return super().forward(x, lengths).mean(1)


def mean_scores(scores: Tensor) -> Tensor:
    """The logarithm of the mean probability of scores (K, ..., C)."""
    return scores.float().log_softmax(-1).logsumexp(0) - math.log(len(scores))
