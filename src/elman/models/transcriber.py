"""Transcriber: many to many without an alignment. At each step scores of all symbols and of none.

T steps, B recordings, I values a step, V symbols.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import torch
from torch import Tensor, nn

from elman.models.config import RecurrentConfig
from elman.models.dropout import LockedDropout
from elman.models.recurrent import Recurrent, State

CHUNK = 512
CONTEXT = 96
"""Where a long recording is read in pieces and both directions are: steps of a piece, and on either side of it."""


class Transcriber(nn.Module):
    """Recurrent layers and the output layer, with the blank as symbol 0.

    Arguments:
        shape: of the recurrent part; its input size is I.
        symbols: V.
        dropout: on what goes in and on the states, the same units at every step.
    """

    def __init__(self, shape: RecurrentConfig, symbols: int, *, dropout: float = 0.0) -> None:
        super().__init__()
        self.recurrent = Recurrent(shape)
        self.dropout = LockedDropout(dropout)
        self.output = nn.Linear(self.recurrent.output_size, symbols + 1)

    @property
    def both_directions(self) -> bool:
        """Whether a second recurrence reads from the end, so that no text can be written while the sound comes."""
        return self.recurrent.shape.bidirectional

    def forward(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Logits (T, B, V + 1) from x (T, B, I) and lengths (B,); what stands past an end means nothing."""
        return self.go_on(x, (), lengths)[0]

    def go_on(self, x: Tensor, state: State, lengths: Tensor | None = None) -> tuple[Tensor, State]:
        """Logits, and the state after them, from the state before."""
        states, state = self.recurrent(self.dropout(x), state, lengths)
        logits: Tensor = self.output(self.dropout(states))
        return logits, state


def log_probabilities(model: Transcriber, pieces: Iterable[Tensor]) -> Iterator[Tensor]:
    """(t, V + 1) log-probabilities, piece by piece, from pieces (t, I) of one recording: memory does not grow with it.

    In one direction the state is carried, and the result is that of the whole recording at once. In both, each piece of
    `CHUNK` steps is read with `CONTEXT` steps on either side.
    """
    if not model.both_directions:
        state: State = ()
        for piece in pieces:
            if len(piece):
                logits, state = model.go_on(piece.unsqueeze(1), state)
                yield logits[:, 0].float().log_softmax(-1)
        return
    held, begun = torch.zeros(0), 0  # the steps not yet done with, and how many of them are context that is done
    for piece in pieces:
        held = torch.cat([held, piece]) if len(held) else piece
        while len(held) >= begun + CHUNK + CONTEXT:
            yield _middle(model, held[: begun + CHUNK + CONTEXT], begun, begun + CHUNK)
            drop = max(0, begun + CHUNK - CONTEXT)
            held, begun = held[drop:], begun + CHUNK - drop
    if len(held) > begun:
        yield _middle(model, held, begun, len(held))


def _middle(model: Transcriber, steps: Tensor, begin: int, end: int) -> Tensor:
    logits: Tensor = model(steps.unsqueeze(1))
    return logits[begin:end, 0].float().log_softmax(-1)
