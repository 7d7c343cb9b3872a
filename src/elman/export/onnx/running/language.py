"""An exported language model: one call a chunk, or one a token. T steps, B sequences, V tokens."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from elman.data.batching import IGNORE_INDEX
from elman.export.onnx.running.session import NEXT, ExportedNetwork
from elman.models.language_model import LanguageModel
from elman.models.recurrent import State

STEPS_AT_ONCE = 256
"""Steps whose logits are held together while a loss is summed."""


class ExportedLanguageModel(ExportedNetwork, LanguageModel):
    """In the place of a `LanguageModel`."""

    @property
    def native_layer(self) -> None:
        """None: its steps are calls of the graph."""
        return None

    def forward(self, tokens: Tensor, state: State = (), targets: Tensor | None = None) -> tuple[Tensor, State]:
        """Logits (T, B, V), or with targets the summed loss; and the state."""
        names = ["logits", *(f"{NEXT}{name}" for name in self.states)]
        if targets is None:
            logits, *after = self.session(names, tokens=tokens, **self.named(self.states, state))
            return logits, tuple(after)
        total = tokens.new_zeros((), dtype=self.place.dtype)
        for some, wanted in zip(torch.split(tokens, STEPS_AT_ONCE), torch.split(targets, STEPS_AT_ONCE), strict=True):
            logits, state = self(some, state)
            flat = logits.flatten(0, 1)
            total = total + F.cross_entropy(flat, wanted.flatten(), ignore_index=IGNORE_INDEX, reduction="sum")
        return total, state
