"""Exported classifiers: of one network or several. T steps, B sequences, C classes."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from elman.errors import UserError
from elman.export.onnx.running.session import NEXT, ExportedNetwork, Session
from elman.models.classifier import PREFIXES_AT_ONCE, Classifier

TOKENS_AT_ONCE = 1 << 16
"""Of prefixes whose n-grams are counted side by side, at most: the graph holds some hundred bytes for each."""


class ExportedClassifier(ExportedNetwork, Classifier):
    """In the place of a `Classifier`, or of an ensemble of classifiers."""

    def forward(self, x: Tensor, lengths: Tensor, *, each: bool = False, every_step: bool = False) -> Tensor:
        """Scores (B, C), or (K, B, C) of each member; (T, B, C) at every step.

        Raises:
            UserError: the file was written to be asked otherwise: see `Task.answer_kind`.
        """
        (scores,) = self.session(["member_logits" if each else "logits"], x=x, lengths=lengths)
        if every_step != (scores.dim() == (4 if each else 3)):
            once = "at every step" if not every_step else "once a sequence"
            raise UserError(
                f"{self.session.name} answers {once}, and is asked otherwise; correct the task's answer_kind"
            )
        return scores

    def prefix_scores(self, x: Tensor, before: int = 0) -> Tensor:
        """Scores after each prefix (T - before, C): as a stream, or in both directions each prefix anew."""
        if not self.states:
            return self._each_anew(x, before)
        names = ["logits", *(f"{NEXT}{name}" for name in self.states)]
        state: tuple[Tensor, ...] = ()
        found = []
        for step in x:
            scores, *rest = self.session(names, x=step[None, None], **self.named(self.states, state))
            state = tuple(rest)
            found.append(scores)
        return torch.cat(found)[before:]

    def _each_anew(self, x: Tensor, before: int) -> Tensor:
        return torch.cat([self(*prefixes) for prefixes in _prefixes(x, before)])


class ExportedWithNgrams(ExportedClassifier):
    """In the place of a `WithNgrams`.

    Arguments:
        most: tokens of a text that its network reads.
    """

    def __init__(self, session: Session, most: int) -> None:
        super().__init__(session)
        self.most = most

    def prefix_scores(self, x: Tensor, before: int = 0) -> Tensor:
        """Scores after each prefix, as far back as the network reads; it begins at the same token in each: (T, C)."""
        begin = max(0, len(x) - self.most)
        parts, together = [], max(1, min(PREFIXES_AT_ONCE, TOKENS_AT_ONCE // len(x)))
        for some, lengths in _prefixes(x, max(begin, before), together):
            (scores,) = self.session(["logits"], x=some, lengths=lengths, begin=torch.tensor([begin]))
            parts.append(scores)
        return torch.cat(parts)


def _prefixes(x: Tensor, before: int, together: int = PREFIXES_AT_ONCE) -> Iterator[tuple[Tensor, Tensor]]:
    """The prefixes of x (T, ...) of more than `before` steps, so many at once, and their lengths."""
    for lengths in torch.split(torch.arange(before + 1, len(x) + 1), together):
        yield torch.stack([x[: int(lengths[-1])]] * len(lengths), dim=1), lengths
