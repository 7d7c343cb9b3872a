"""The recurrent part of every model: elman's own layer, or torch's gated ones to compare with."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from elman.models.config import RecurrentConfig
from elman.nn import RNN

State = tuple[Tensor, ...]
"""(h_n,) or, for an LSTM, (h_n, c_n); each (layers * directions, B, H)."""


class Recurrent(nn.Module):
    """A recurrent layer behind one face: (T, B, I) -> (T, B, directions * H), with the state as a tuple."""

    def __init__(self, shape: RecurrentConfig) -> None:
        super().__init__()
        self.shape = shape
        between = shape.dropout if shape.layers > 1 else 0.0
        self.layer: nn.Module
        if shape.cell == "rnn":
            self.layer = RNN(
                shape.input_size,
                shape.hidden_size,
                shape.layers,
                shape.nonlinearity,
                dropout=between,
                bidirectional=shape.bidirectional,
                recurrent_dropout=shape.recurrent_dropout,
                locked_dropout=True,
                residual=shape.residual,
                layer_norm=shape.layer_norm,
                init=shape.init,
            )
        else:
            gated = nn.LSTM if shape.cell == "lstm" else nn.GRU
            self.layer = gated(
                shape.input_size, shape.hidden_size, shape.layers, dropout=between, bidirectional=shape.bidirectional
            )
        self.output_size = shape.hidden_size * (2 if shape.bidirectional else 1)

    def forward(self, x: Tensor, state: State = (), lengths: Tensor | None = None) -> tuple[Tensor, State]:
        """Run over a batch.

        Arguments:
            x: (T, B, I).
            state: as returned by an earlier call, or () for zeros.
            lengths: (B,) steps of each sequence; outputs past the end are zero.
        """
        if self.shape.cell == "rnn":
            output, h_n = self.layer(x, state[0] if state else None, lengths=lengths)
            return output, (h_n,)
        hx = None if not state else state if self.shape.cell == "lstm" else state[0]
        if lengths is None:
            output, last = self.layer(x, hx)
        else:
            packed = nn.utils.rnn.pack_padded_sequence(x, lengths.cpu().clamp(min=1), enforce_sorted=False)
            packed_output, last = self.layer(packed, hx)
            output, _ = nn.utils.rnn.pad_packed_sequence(packed_output, total_length=x.shape[0])
        return output, (last if isinstance(last, tuple) else (last,))


def cut(state: State) -> State:
    """The state without its history: where truncated backpropagation through time truncates."""
    return tuple(part.detach() for part in state)


def select(state: State, columns: Tensor) -> State:
    """The state of some sequences of the batch."""
    return tuple(torch.index_select(part, 1, columns) for part in state)
