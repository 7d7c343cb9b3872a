"""One step at a time, without gradients: a layer's weights packed once, for streams and for writing."""

from __future__ import annotations

from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from elman.kernels.decoder import LayerWeights, Stack, make_stack

if TYPE_CHECKING:
    from elman.nn.rnn import RNN


def pack_for_steps(
    rnn: RNN,
    *,
    embedding: Tensor | None = None,
    output: tuple[Tensor, Tensor | None] | None = None,
    bfloat16: bool = False,
) -> Stack:
    """Pack the weights of `rnn` as they are now, for many steps (`Stack.step`) or for writing (`Stack.generate`).

    Arguments:
        embedding: (V, I), if the input is tokens.
        output: weight (V, H) and bias (V,) of the output layer, if tokens are written.
        bfloat16: round the weights to bfloat16, for speed.

    Raises:
        ValueError: two directions, or layer normalisation: neither can be taken step by step this way.
    """
    if rnn.bidirectional:
        raise ValueError("a layer that also reads backwards cannot be stepped: its past depends on the future")
    if rnn.layer_norm:
        raise ValueError("a layer with layer normalisation cannot be packed for steps; call it with one step")
    layers = []
    for names in rnn._all_weights:
        weights = {name.rsplit("_l", 1)[0]: getattr(rnn, name).detach() for name in names}
        bias = weights["bias_ih"] + weights["bias_hh"] if rnn.bias else None
        layers.append(LayerWeights(weights["weight_ih"], weights["weight_hh"], bias))
    with torch.no_grad():
        return make_stack(layers, rnn.nonlinearity, rnn.residual, embedding=embedding, output=output, bfloat16=bfloat16)


def step(rnn: RNN, x: Tensor, state: Tensor | None) -> tuple[Tensor, Tensor]:
    """One step of `rnn` without gradients; see `RNN.step`."""
    batch = x.shape[0]
    if state is None:
        shape = (rnn.num_layers, batch, rnn.hidden_size)
        state = rnn.initial_state.detach().expand(shape) if rnn.learned_h0 else x.new_zeros(shape)
    if rnn.layer_norm:
        with torch.no_grad():
            x = x.unsqueeze(1 if rnn.batch_first else 0)
            output, state = rnn(x, state)
            return output.squeeze(1 if rnn.batch_first else 0), state
    state = _packed(rnn).step(x.detach(), state)
    return state[-1], state


_PACKED: WeakKeyDictionary[RNN, tuple[tuple[int, ...], Stack]] = WeakKeyDictionary()


def _packed(rnn: RNN) -> Stack:
    """The weights packed at the first step, and again when one of them has changed since."""
    now = tuple(number for weight in rnn.parameters() for number in (weight.data_ptr(), weight._version))
    then, stack = _PACKED.get(rnn, ((), None))
    if stack is None or then != now:
        stack = pack_for_steps(rnn)
        _PACKED[rnn] = (now, stack)
    return stack
