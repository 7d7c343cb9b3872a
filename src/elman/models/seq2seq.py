"""Translator: many to many, encoder and decoder. All is read before anything is written.

S steps of the source, T of the target, B sequences, E embedding size, H hidden units, L layers, V target tokens.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor, nn

from elman.data.batching import IGNORE_INDEX
from elman.models.attention import Attention, AttentionKind
from elman.models.config import RecurrentConfig
from elman.models.dropout import LockedDropout
from elman.models.losses import output_loss
from elman.models.recurrent import Recurrent, State
from elman.nn.linear_cross_entropy import LinearCrossEntropy

Feed = Literal["none", "last", "mean", "max"]

_INPUT_STD = 0.3  # of what goes into a recurrent layer: more saturates tanh from the first step on


@dataclass(frozen=True, kw_only=True)
class TranslatorConfig:
    """What a translator is made of.

    Arguments:
        source: how many different tokens are read.
        target: V, how many are written.
        recurrent: the decoder's recurrent part; its input size is E. The encoder has as many layers and, its directions
            together, as many units, so that its last states are the decoder's first ones as they are.
        bidirectional: the encoder also reads from the end.
        attention: "none" is the lecture's scheme: one vector is all that goes over.
        feed: without attention, what every step of the decoder is given beside its last word: nothing, the encoder's
            last state (Cho et al. 2014), or the mean or maximum of all its states.
        dropout: on embeddings, on what the encoder gives, and before the output layer.
        tied: use the decoder's embedding as the output layer's weights too (Press and Wolf 2017).
    """

    source: int
    target: int
    recurrent: RecurrentConfig
    bidirectional: bool = True
    attention: AttentionKind = "none"
    feed: Feed = "last"
    dropout: float = 0.0
    tied: bool = True

    @property
    def encoder(self) -> RecurrentConfig:
        """The encoder's recurrent part."""
        units = self.recurrent.hidden_size // (2 if self.bidirectional else 1)
        return replace(self.recurrent, hidden_size=units, bidirectional=self.bidirectional)


class Translator(nn.Module):
    """Reads a sentence with one recurrent network, and writes with a second one, which begins where the first ended.

    With attention the decoder's first layer asks, for all steps at once, what of the source matters (Luong et al.
    2015); its further layers go on from state and answer together. So the native recurrence does the work of all.
    """

    def __init__(self, shape: TranslatorConfig) -> None:
        super().__init__()
        self.shape = shape
        E, H = shape.recurrent.input_size, shape.recurrent.hidden_size
        self.dropout = LockedDropout(shape.dropout)
        self.source_embedding = nn.Embedding(shape.source, E)
        self.target_embedding = nn.Embedding(shape.target, E)
        self.encoder = Recurrent(shape.encoder)
        attends = shape.attention != "none"
        self.fed = shape.feed != "none" and not attends
        upper = shape.recurrent.layers - 1 if attends else 0
        lower = replace(shape.recurrent, layers=shape.recurrent.layers - upper, input_size=E + (H if self.fed else 0))
        self.decoder = Recurrent(lower)
        self.attention = Attention(H, H, H, shape.attention) if attends else None
        self.upper_decoder = Recurrent(replace(shape.recurrent, layers=upper, input_size=2 * H)) if upper else None
        self.gather = nn.Linear(H + E + (H if attends or self.fed else 0), E)
        self.output = LinearCrossEntropy(E, shape.target)
        nn.init.normal_(self.source_embedding.weight, std=_INPUT_STD)
        nn.init.normal_(self.target_embedding.weight, std=E**-0.5 if shape.tied else _INPUT_STD)
        self.scale = _INPUT_STD * E**0.5 if shape.tied else 1.0
        if shape.tied:
            self.output.weight = self.target_embedding.weight

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
        """Logits of the next token at every step of the target, all before it being given; or the loss.

        Arguments:
            source: (S, B) integers.
            lengths: (B,) how many of them each sentence has.
            tokens: (T, B) the begin mark and the tokens written so far.
            targets: (T, B) the next tokens; None for logits.
            padding, smoothing: of the loss, see `losses.output_loss`.

        Returns:
            (T, B, V), or with targets the loss ().
        """
        state, memory = self.encode(source, lengths)
        found, _, _ = self.decode(tokens, state, memory)
        if targets is None:
            logits: Tensor = self.output(found)
            return logits
        return output_loss(self.output, found, targets, padding=padding, smoothing=smoothing)

    def encode(self, source: Tensor, lengths: Tensor) -> tuple[State, State]:
        """Read the source.

        Returns:
            the decoder's first state, and what it may attend to in every step, all with the sequences in dimension 1.
        """
        steps, last = self.encoder(self.dropout(self.source_embedding(source)), (), lengths)
        if self.shape.bidirectional:  # (2 L, B, H/2), the directions of a layer side by side -> (L, B, H)
            last = tuple(part.unflatten(0, (-1, 2)).transpose(1, 2).flatten(2) for part in last)
        inside = torch.arange(len(source), device=source.device).unsqueeze(1) < lengths
        if self.attention is None:
            return last, ((self.dropout(self._fed(steps, last[0], inside)),) if self.fed else ())
        steps = self.dropout(steps)
        return last, (self.attention.project_keys(steps), steps, inside)

    def _fed(self, steps: Tensor, last: Tensor, inside: Tensor) -> Tensor:
        """(1, B, H) for every step of the decoder."""
        if self.shape.feed == "last":
            return last[-1:]
        if self.shape.feed == "max":
            return steps.masked_fill(~inside.unsqueeze(2), -torch.inf).amax(0, keepdim=True)
        return steps.sum(0, keepdim=True) / inside.sum(0).unsqueeze(1)  # past a sentence's end its states are zero

    def decode(self, tokens: Tensor, state: State, memory: State) -> tuple[Tensor, State, Tensor | None]:
        """What is known before each next token.

        Arguments:
            tokens: (T, B).
            state, memory: of `encode`, or the state that an earlier call returned.

        Returns:
            (T, B, E), which the output layer turns into logits; the state; and the attention's weights (B, T, S).
        """
        x = self.dropout(self.target_embedding(tokens) * self.scale)
        weights = None
        if self.attention is None:
            beside = [part.expand(len(x), -1, -1) for part in memory]
            hidden, state = self.decoder(torch.cat((x, *beside), dim=-1), state)
        else:
            below = self.decoder.shape.layers
            hidden, lower = self.decoder(x, tuple(part[:below] for part in state))
            context, weights = self.attention(hidden, *memory)
            beside = [context]
            upper: State = ()
            if self.upper_decoder is not None:
                both = self.dropout(torch.cat((hidden, context), dim=-1))
                hidden, upper = self.upper_decoder(both, tuple(part[below:] for part in state))
            state = tuple(torch.cat(parts) for parts in zip(lower, upper, strict=True)) if upper else lower
        found = self.gather(torch.cat((hidden, *beside, x), dim=-1)).tanh()
        return self.dropout(found), state, weights

    def step(self, tokens: Tensor, state: State, memory: State) -> tuple[Tensor, State]:
        """Read one token (N,) of each text; returns logits (N, V) of the next one, and the state."""
        found, state, _ = self.decode(tokens.unsqueeze(0), state, memory)
        return self.output(found[0]), state
