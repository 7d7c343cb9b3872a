"""Exported models that write: they read once, and then give the logits of a token a call. N texts, V tokens."""

from __future__ import annotations

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

from elman.data.batching import IGNORE_INDEX
from elman.export.onnx.running.session import NEXT, STATE, ExportedNetwork, Session
from elman.models.captioner import Captioner
from elman.models.recurrent import State
from elman.models.seq2seq import Translator


class ExportedWriter(ExportedNetwork):
    """What a captioner and a translator share.

    Arguments:
        memory: the names of what is kept of what was read, those that the graph has.
    """

    def __init__(self, session: Session, memory: tuple[str, ...]) -> None:
        super().__init__(session)
        self.kept = [name for name in self.states if name in memory]
        self.states = [name for name in self.states if name not in memory]

    def read(self, **inputs: Tensor) -> tuple[State, State]:
        """The first state and the memory."""
        names = [f"{NEXT}{name}" for name in (*self.states, *self.kept)]
        found = self.session(names, **inputs)
        return tuple(found[: len(self.states)]), tuple(found[len(self.states) :])

    def write(self, tokens: Tensor, state: State, memory: State, *more: str) -> tuple[Tensor, State, list[Tensor]]:
        """Logits (N, V) after tokens (N,), the state, and other outputs."""
        names = ["logits", *(f"{NEXT}{name}" for name in self.states), *more]
        logits, *found = self.session(
            names, tokens=tokens, **self.named(self.states, state), **self.named(self.kept, memory)
        )
        return logits, tuple(found[: len(self.states)]), found[len(self.states) :]

    def each(self, tokens: Tensor, state: State, memory: State) -> Iterator[Tensor]:
        """The logits (N, V) after each of tokens (T, N)."""
        for row in tokens:
            logits, state, _ = self.write(row, state, memory)
            yield logits

    def answer(
        self, tokens: Tensor, state: State, memory: State, targets: Tensor | None, padding: int, smoothing: float
    ) -> Tensor:
        """Logits (T, N, V), or with targets (T, N) the summed loss ()."""
        if targets is None:
            return torch.stack(list(self.each(tokens, state, memory)))
        losses = [
            F.cross_entropy(logits, wanted, ignore_index=padding, reduction="sum", label_smoothing=smoothing)
            for logits, wanted in zip(self.each(tokens, state, memory), targets, strict=True)
        ]
        return torch.stack(losses).sum()


class ExportedCaptioner(ExportedWriter, Captioner):
    """In the place of a `Captioner`."""

    def __init__(self, session: Session) -> None:
        super().__init__(session, ("memory",))

    def forward(  # type: ignore[override]
        self,
        features: Tensor,
        tokens: Tensor,
        *,
        targets: Tensor | None = None,
        padding: int = IGNORE_INDEX,
        smoothing: float = 0.0,
    ) -> Tensor:
        """Logits (T, B, V) from features (B, D) and tokens (T, B), or the loss."""
        return self.answer(tokens, *self.start(features), targets, padding, smoothing)

    def start(self, features: Tensor) -> tuple[State, State]:
        """State and memory before the first word."""
        return self.read(features=features)

    def step(self, tokens: Tensor, state: State, memory: State) -> tuple[Tensor, State]:
        """Logits (N, V) of the next word, and the state."""
        return self.write(tokens, state, memory)[:2]


class ExportedTranslator(ExportedWriter, Translator):
    """In the place of a `Translator`."""

    def __init__(self, session: Session) -> None:
        super().__init__(session, ("keys", "steps", "inside", "fed"))
        self.attends = f"{STATE}keys" in session.inputs

    def forward(
        self,
        source: Tensor,
        lengths: Tensor,
        tokens: Tensor,
        *,
        targets: Tensor | None = None,
        padding: int = IGNORE_INDEX,
        smoothing: float = 0.0,
    ) -> Tensor:
        """Logits (T, B, V) from source (S, B) and tokens (T, B), or the loss."""
        return self.answer(tokens, *self.encode(source, lengths), targets, padding, smoothing)

    def encode(self, source: Tensor, lengths: Tensor) -> tuple[State, State]:
        """The decoder's first state, and the memory."""
        return self.read(source=source, lengths=lengths)

    def decode(self, tokens: Tensor, state: State, memory: State) -> tuple[Tensor, State, Tensor | None]:
        """Logits (T, B, V), the state, and the attention's weights (B, T, S)."""
        more = ("weights",) if self.attends else ()
        said, weights = [], []
        for row in tokens:
            logits, state, found = self.write(row, state, memory, *more)
            said.append(logits)
            weights += found
        return torch.stack(said), state, torch.stack(weights, dim=1) if weights else None

    def step(self, tokens: Tensor, state: State, memory: State) -> tuple[Tensor, State]:
        """Logits (N, V) of the next token, and the state."""
        return self.write(tokens, state, memory)[:2]
