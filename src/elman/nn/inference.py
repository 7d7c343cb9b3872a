"""All layers of an `RNN` without gradients: each direction is one native call that writes where the result is to stand.

Around a short sequence torch's own operations take longer than the recurrence does; here are two or three of them.
T steps, B sequences, I inputs, H hidden units, L layers, D directions.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from elman.kernels import cpu, machine_for
from elman.ops.checks import check_arguments
from elman.ops.functions import is_plain, nobody_watches

if TYPE_CHECKING:
    from elman.nn.rnn import RNN


def can_run(rnn: RNN, x: Tensor) -> bool:
    """Whether `run` gives what the differentiable way would give: nothing is to be differentiated, or drawn."""
    native: object = cpu
    return (
        not torch.is_grad_enabled()
        and nobody_watches()
        and is_plain(x)
        and not rnn.layer_norm
        and not (rnn.training and (rnn.dropout or rnn.recurrent_dropout))
        and machine_for(x.device, x.dtype) is native
    )


def run(
    rnn: RNN,
    x: Tensor,  # (T, B, I)
    states: Sequence[Tensor] | None,  # L * D of (B, H); without them zeros
    lengths: Tensor | None,  # (B,)
) -> tuple[list[Tensor], Tensor]:
    """Every layer's states, (T, B, D * H) each, and the last state of each, (L * D, B, H)."""
    B = x.shape[1]
    H, D = rnn.hidden_size, 2 if rnn.bidirectional else 1
    h_n = x.new_empty(rnn.num_layers * D, B, H)
    last = (h_n,) if len(h_n) == 1 else h_n.unbind(0)
    layers: list[Tensor] = []
    for layer in range(rnn.num_layers):
        h = cpu.empty_like_input(x, D * H)
        halves = (h,) if D == 1 else torch.split(h, H, 2)
        for direction, half in enumerate(halves):
            i = layer * D + direction
            w_ih, w_hh, *biases = map(rnn._weight, rnn._all_weights[i])
            h0 = None if states is None else states[i]
            check_arguments(x, h0, w_ih, w_hh, *biases, lengths=lengths, nonlinearity=rnn.nonlinearity)
            cpu.forward_into(
                half, last[i], x, h0, w_ih, w_hh, biases, lengths, rnn.nonlinearity, direction == 1, rnn.residual, None
            )
        layers.append(h)
        x = h
    return layers, h_n
