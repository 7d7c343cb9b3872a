"""Classifier: many to one. A sequence of any length goes in, one answer comes out."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from elman.models.config import Readout, RecurrentConfig
from elman.models.readout import pool, pool_prefixes, width
from elman.models.recurrent import Recurrent
from elman.models.small_init import ScaledOutput, fast_output, small_inputs

PREFIXES_AT_ONCE = 64


class Classifier(nn.Module):
    """Input layer, recurrent layers, a readout of the states, and the output layer.

    Arguments:
        inputs: the layer that turns the input into vectors: an embedding of tokens, or nn.Identity for vectors.
        classes: how many answers there are.
        readout: what is read of h_1 ... h_n: see `readout.pool`.
        dropout: on the vectors that go in and on what is read.
        small_init: begin with small input weights and no biases, and let the output layer learn faster (`small_init`).
        head: units of a relu layer between what is read and the output layer; 0 for none.
        fixed: leave the input layer and the recurrent part as they begin (an echo state network, Jaeger 2001).
    """

    def __init__(
        self,
        inputs: nn.Module,
        shape: RecurrentConfig,
        classes: int,
        *,
        readout: Readout = "last",
        dropout: float = 0.0,
        small_init: bool = False,
        head: int = 0,
        fixed: bool = False,
    ) -> None:
        super().__init__()
        self.inputs = inputs
        self.recurrent = Recurrent(shape)
        self.readout = readout
        self.dropout = nn.Dropout(dropout)
        self.attention = nn.Linear(self.recurrent.output_size, 1) if readout == "attention" else None
        self.head: nn.Module | None = None
        read_size = width(readout, self.recurrent.output_size)
        if head:
            read = nn.Linear(read_size, head)
            self.head = nn.Sequential(
                ScaledOutput() if small_init else nn.Identity(), read, nn.ReLU(), nn.Dropout(dropout)
            )
        self.output = nn.Linear(head or read_size, classes)
        if small_init:
            small_inputs(self.recurrent)
            self.output = self.output if head else fast_output(self.output)
        if fixed:
            self.inputs.requires_grad_(False)
            self.recurrent.requires_grad_(False)

    def forward(self, x: Tensor, lengths: Tensor, *, every_step: bool = False) -> Tensor:
        """Scores of the classes.

        Arguments:
            x: (T, B, ...) sequences, as the input layer takes them.
            lengths: (B,) steps of each.
            every_step: also answer after each prefix, as if the sequence ended there; for one direction only.

        Returns:
            (B, classes), or (T, B, classes) with `every_step`; what stands past a sequence's end means nothing.
        """
        states, last = self.recurrent(self.dropout(self.inputs(x)), (), lengths)
        read = self.read_prefixes(states) if every_step else self.read(states, last[0], lengths)
        read = self.dropout(read)
        scores: Tensor = self.output(read if self.head is None else self.head(read))
        return scores

    def prefix_scores(self, x: Tensor, before: int = 0) -> Tensor:
        """Scores after each prefix of one sequence: the running opinion, for one direction or two.

        Two directions read every prefix anew, which takes T(T+1)/2 steps in place of T.

        Arguments:
            x: (T, ...) one sequence.
            before: leave out the prefixes of so many steps and fewer.

        Returns:
            (T - before, classes).
        """
        steps = len(x)
        if not self.recurrent.shape.bidirectional:
            scores: Tensor = self(x.unsqueeze(1), torch.tensor([steps], device=x.device), every_step=True)
            return scores[before:, 0]
        parts = []
        for lengths in torch.split(torch.arange(before + 1, steps + 1, device=x.device), PREFIXES_AT_ONCE):
            longest = int(lengths[-1])
            parts.append(self(torch.stack([x[:longest]] * len(lengths), dim=1), lengths))
        return torch.cat(parts)

    def read(self, states: Tensor, last: Tensor, lengths: Tensor) -> Tensor:
        """One vector (B, D) for each sequence, from states (T, B, D) and the last ones (layers * directions, B, H)."""
        return pool(states, last, lengths, self.readout, self.attention)

    def read_prefixes(self, states: Tensor) -> Tensor:
        """What `read` would give after each step, (T, B, D), from the states of one direction (T, B, D)."""
        if self.recurrent.shape.bidirectional:
            raise ValueError("a network that also reads backwards has no answer before the end")
        return pool_prefixes(states, self.readout, self.attention)
