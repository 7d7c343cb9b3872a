"""Exported classifiers: of one network or several. T steps, B sequences, C classes."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from elman.export.onnx.running.session import NEXT, ExportedNetwork
from elman.models.classifier import PREFIXES_AT_ONCE, Classifier


class ExportedClassifier(ExportedNetwork, Classifier):
    """In the place of a `Classifier` or of an ensemble of them."""

    def forward(self, x: Tensor, lengths: Tensor, *, each: bool = False, **options: Any) -> Tensor:
        """Scores (B, C), or (K, B, C) of each member; (T, B, C) where the file answers at every step."""
        output = "member_logits" if each else "logits"
        return self.session([output], x=x, lengths=lengths)[0]

    def prefix_scores(self, x: Tensor) -> Tensor:
        """Scores after each prefix (T, C): as a stream, or in both directions each prefix anew."""
        if not self.states:
            return self._each_anew(x)
        names = ["logits", *(f"{NEXT}{name}" for name in self.states)]
        state: tuple[Tensor, ...] = ()
        found = []
        for step in x:
            scores, *rest = self.session(names, x=step[None, None], **self.named(self.states, state))
            state = tuple(rest)
            found.append(scores)
        return torch.cat(found)

    def _each_anew(self, x: Tensor) -> Tensor:
        parts = []
        for lengths in torch.split(torch.arange(1, len(x) + 1), PREFIXES_AT_ONCE):
            longest = int(lengths[-1])
            parts.append(self(torch.stack([x[:longest]] * len(lengths), dim=1), lengths))
        return torch.cat(parts)
