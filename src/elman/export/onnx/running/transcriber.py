"""An exported transcriber. T steps, B recordings, V symbols."""

from __future__ import annotations

from torch import Tensor

from elman.export.onnx.running.session import NEXT, ExportedNetwork
from elman.models.recurrent import State
from elman.models.transcriber import Transcriber


class ExportedTranscriber(ExportedNetwork, Transcriber):
    """In the place of a `Transcriber`; its logits are log-probabilities."""

    @property
    def both_directions(self) -> bool:
        """Whether it also reads from the end."""
        return not self.states

    def go_on(self, x: Tensor, state: State, lengths: Tensor | None = None) -> tuple[Tensor, State]:
        """Log-probabilities (T, B, V + 1), and the state after them."""
        ends = {} if lengths is None else {"lengths": lengths}
        names = ["log_probabilities", *(f"{NEXT}{name}" for name in self.states)]
        scores, *after = self.session(names, x=x, **ends, **self.named(self.states, state))
        return scores, tuple(after)
