"""Language model: many to many, in step. y_t says how probable each next token is, given all tokens so far."""

from __future__ import annotations

from torch import Tensor, nn

from elman.models.config import RecurrentConfig
from elman.models.dropout import LockedDropout
from elman.models.losses import output_loss
from elman.models.recurrent import Recurrent, State
from elman.nn.linear_cross_entropy import LinearCrossEntropy
from elman.nn.rnn import RNN
from elman.nn.streaming import is_packable


class LanguageModel(nn.Module):
    """Embedding, recurrent layers, and the output layer F of the lecture's y_t = F(h_t).

    Arguments:
        vocabulary: V, how many tokens there are.
        shape: of the recurrent part; its input size is the embedding's size.
        dropout: on the embedding and on the last layer's states, the same units at every step of a chunk.
        tied: use the embedding as the output layer's weights too (Press and Wolf 2017).
    """

    def __init__(self, vocabulary: int, shape: RecurrentConfig, *, dropout: float = 0.0, tied: bool = False) -> None:
        super().__init__()
        if tied and shape.input_size != shape.hidden_size:
            raise ValueError(f"tied needs equal sizes, but embedding is {shape.input_size}, hidden {shape.hidden_size}")
        self.embedding = nn.Embedding(vocabulary, shape.input_size)
        self.recurrent = Recurrent(shape)
        self.dropout = LockedDropout(dropout)
        self.decoder = LinearCrossEntropy(shape.hidden_size, vocabulary)
        # torch's N(0, 1) embedding saturates a tanh layer from the first step on.
        nn.init.normal_(self.embedding.weight, std=shape.input_size**-0.5 if tied else 0.3)
        if tied:
            self.decoder.weight = self.embedding.weight

    @property
    def native_layer(self) -> RNN | None:
        """The recurrent layer where whole texts can be written by its native steps; None for others."""
        layer = self.recurrent.layer
        return layer if isinstance(layer, RNN) and is_packable(layer) else None

    def forward(self, tokens: Tensor, state: State = (), targets: Tensor | None = None) -> tuple[Tensor, State]:
        """Logits of the next token at every step, or the loss.

        Arguments:
            tokens: (T, B) integers.
            state: carried from the chunk before, or () for zeros.
            targets: (T, B) the next tokens, or `IGNORE_INDEX`; None for logits.

        Returns:
            logits (T, B, V), or with targets their cross-entropy () in nats, summed; and the state after the last step.
        """
        hidden, state = self.recurrent(self.dropout(self.embedding(tokens)), state)
        hidden = self.dropout(hidden)
        return (self.decoder(hidden) if targets is None else output_loss(self.decoder, hidden, targets)), state
