"""The recurrent part of every model: any registered cell (`elman.nn.registry`), called in one way."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from elman.models.config import RecurrentConfig
from elman.nn.registry import cell_kind

State = tuple[Tensor, ...]
"""The parts of the state, (h_n,) or for the LSTM (h_n, c_n); each (layers * directions, B, H)."""


class Recurrent(nn.Module):
    """A recurrent layer of any kind: (T, B, I) -> (T, B, directions * H), with the state as a tuple.

    Arguments:
        shape: what it is made of.
    """

    def __init__(self, shape: RecurrentConfig) -> None:
        super().__init__()
        self.shape = shape
        self.kind = cell_kind(shape.cell)
        self.layer = self.kind.build(
            shape.input_size,
            shape.hidden_size,
            shape.layers,
            dropout=shape.dropout if shape.layers > 1 else 0.0,
            bidirectional=shape.bidirectional,
            **{name: getattr(shape, name) for name in self.kind.options},
        )
        self.output_size = shape.hidden_size * (2 if shape.bidirectional else 1)

    def forward(self, x: Tensor, state: State = (), lengths: Tensor | None = None) -> tuple[Tensor, State]:
        """Run over a batch.

        Arguments:
            x: (T, B, I).
            state: as returned by an earlier call, or () for zeros.
            lengths: (B,) steps of each sequence; outputs past the end are zero.

        Returns:
            the last layer's states, (T, B, directions * H), and the state after each sequence's last step.
        """
        hx = None if not state else state if len(self.kind.state) > 1 else state[0]
        if lengths is None:
            output, last = self.layer(x, hx)
        elif self.kind.takes_lengths:
            output, last = self.layer(x, hx, lengths=lengths)
        else:
            packed = nn.utils.rnn.pack_padded_sequence(x, lengths.cpu().clamp(min=1), enforce_sorted=False)
            packed_output, last = self.layer(packed, hx)
            output, _ = nn.utils.rnn.pad_packed_sequence(packed_output, total_length=x.shape[0])
        return output, (last if isinstance(last, tuple) else (last,))


def cut(state: State) -> State:
    """The state without its history: where truncated backpropagation through time truncates."""
    return tuple(part.detach() for part in state)


def select(state: State, columns: Tensor) -> State:
    """The state of some sequences of the batch.

    Arguments:
        columns: (N,) numbers of sequences.
    """
    return tuple(torch.index_select(part, 1, columns) for part in state)
