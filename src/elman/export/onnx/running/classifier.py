"""Exported classifiers: of one network or several. T steps, B sequences, C classes."""

from __future__ import annotations

import torch
from torch import Tensor

from elman.errors import UserError
from elman.export.onnx.running.session import NEXT, ExportedNetwork
from elman.models.classifier import PREFIXES_AT_ONCE, Classifier


class ExportedClassifier(ExportedNetwork, Classifier):
    """In the place of a `Classifier` or of an ensemble of them."""

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
        parts = []
        for lengths in torch.split(torch.arange(before + 1, len(x) + 1), PREFIXES_AT_ONCE):
            longest = int(lengths[-1])
            parts.append(self(torch.stack([x[:longest]] * len(lengths), dim=1), lengths))
        return torch.cat(parts)
