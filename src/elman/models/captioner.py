"""Captioner: one to many. A vector that stands for a picture goes in, words come out until the end mark.

B pictures, D numbers in a picture's vector, T steps, V vocabulary, E embedding, H hidden, L layers.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

import torch
from torch import Tensor, nn

from elman.data.batching import IGNORE_INDEX
from elman.models.config import RecurrentConfig
from elman.models.dropout import LockedDropout
from elman.models.losses import output_loss
from elman.models.recurrent import Recurrent, State
from elman.nn.linear_cross_entropy import LinearCrossEntropy

EMBEDDING_STD = 0.3  # torch's N(0, 1) saturates a tanh layer from the first step on


class Captioner(nn.Module):
    """Embedding, recurrent layers, and the output layer over the words, with the picture in one place or several.

    `mean` and `spread` (D,) bring each number of a picture to mean 0 and standard deviation 1; `scale_by` sets them.

    Arguments:
        vocabulary: V.
        feature_size: D.
        shape: of the recurrent part; its input size is E.
        feature_as: where the picture is given: "first", as the input of a step before all words; "state", as the state
            before the first step; "every", beside the word at every step.
        dropout: on the picture's vector, on what goes in, and on the states; the same units at every step.
        tied: use the embedding as the output layer's weights too, after a layer that brings H down to E.
    """

    mean: Tensor
    spread: Tensor

    def __init__(
        self,
        vocabulary: int,
        feature_size: int,
        shape: RecurrentConfig,
        *,
        feature_as: Collection[str] = ("first",),
        dropout: float = 0.0,
        tied: bool = False,
    ) -> None:
        super().__init__()
        E, H = shape.input_size, shape.hidden_size
        self.register_buffer("mean", torch.zeros(feature_size))
        self.register_buffer("spread", torch.ones(feature_size))
        self.embedding = nn.Embedding(vocabulary, E)
        nn.init.normal_(self.embedding.weight, std=EMBEDDING_STD)
        self.first = nn.Linear(feature_size, E) if "first" in feature_as else None
        self.initial = nn.Linear(feature_size, shape.layers * H) if "state" in feature_as else None
        self.every = nn.Linear(feature_size, E) if "every" in feature_as else None
        self.recurrent = Recurrent(replace(shape, input_size=2 * E) if self.every else shape)
        self.dropout = LockedDropout(dropout)
        self.narrow = nn.Linear(H, E) if tied else nn.Identity()
        self.output = LinearCrossEntropy(E if tied else H, vocabulary)
        if tied:
            self.output.weight = self.embedding.weight

    def scale_by(self, features: Tensor) -> None:
        """Take mean and standard deviation from features (N, D)."""
        self.mean.copy_(features.mean(0))
        self.spread.copy_(features.std(0, unbiased=False).clamp(min=1e-6))

    def forward(
        self,
        features: Tensor,
        tokens: Tensor,
        every_step: bool = False,
        *,
        targets: Tensor | None = None,
        padding: int = IGNORE_INDEX,
        smoothing: float = 0.0,
    ) -> Tensor:
        """Logits of the next word at every step, or the loss.

        Arguments:
            features: (B, D).
            tokens: (T, B) the begin mark and the words so far.
            every_step: where the picture is the first input, also what would be said after it alone.
            targets: (T, B) the next words; None for logits.
            padding, smoothing: of the loss, see `losses.output_loss`.

        Returns:
            (T, B, V), or (T + 1, B, V) with the picture's own step before the words'; with targets the loss ().
        """
        first, state, memory = self._picture(features)
        words = self._with_picture(self.dropout(self.embedding(tokens)), memory)
        hidden, _ = self.recurrent(torch.cat([*first, words]), state)
        hidden = hidden if every_step else hidden[len(hidden) - len(tokens) :]
        if targets is None:
            return self._said(hidden)
        said = self.narrow(self.dropout(hidden))
        return output_loss(self.output, said, targets, padding=padding, smoothing=smoothing)

    def start(self, features: Tensor) -> tuple[State, State]:
        """State and memory before the first word, from features (B, D), for `decoding.beam_search.write`."""
        first, state, memory = self._picture(features)
        for inputs in first:
            _, state = self.recurrent(inputs, state)
        return state, memory

    def step(self, tokens: Tensor, state: State, memory: State) -> tuple[Tensor, State]:
        """Logits (N, V) of the next word after tokens (N,), and the state: see `beam_search.Writer`."""
        inputs = self._with_picture(self.dropout(self.embedding(tokens.unsqueeze(0))), memory)
        hidden, state = self.recurrent(inputs, state)
        return self._said(hidden)[0], state

    def _picture(self, features: Tensor) -> tuple[list[Tensor], State, State]:
        """The inputs (1, B, E) before the first word, one or none; the first state; and the memory."""
        scaled = (features - self.mean) / self.spread
        features = self.dropout(scaled.unsqueeze(0))  # (1, B, D): all three places see the same of the picture
        memory = (torch.tanh(self.every(features)),) if self.every is not None else ()
        first = [self._with_picture(self.first(features), memory)] if self.first is not None else []
        return first, self._initial(features), memory

    def _said(self, hidden: Tensor) -> Tensor:
        """Logits (T, B, V) from states (T, B, H)."""
        logits: Tensor = self.output(self.narrow(self.dropout(hidden)))
        return logits

    def _initial(self, features: Tensor) -> State:
        shape, B = self.recurrent.shape, features.shape[1]
        if self.initial is None:
            hidden = features.new_zeros(shape.layers, B, shape.hidden_size)
        else:
            hidden = torch.tanh(self.initial(features)).view(B, shape.layers, -1).transpose(0, 1).contiguous()
        return (hidden, *(torch.zeros_like(hidden) for _ in self.recurrent.kind.state[1:]))

    def _with_picture(self, inputs: Tensor, memory: State) -> Tensor:
        """Inputs (T, B, E) with the picture beside each, where it is given at every step."""
        return torch.cat([inputs, memory[0].expand(len(inputs), -1, -1)], dim=2) if memory else inputs
