"""One step at a time, without gradients: a layer's weights packed once, for streams and for writing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from elman.kernels import make_stack
from elman.kernels.decoder import LayerWeights, Stack, StackWeights
from elman.kernels.options import NONLINEARITIES, options_for


class Steppable(Protocol):
    """What is asked of a layer that is packed for steps: `elman.nn.RNN` has it."""

    nonlinearity: str
    residual: bool
    bidirectional: bool
    layer_norm: bool

    @property
    def dynamics(self) -> object:
        """What it has beside torch's terms, or None."""

    def layer_weights(self) -> Sequence[LayerWeights]:
        """The weights of each layer, from the bottom up."""

    def parameters(self, recurse: bool = True) -> Iterator[nn.Parameter]:
        """All that is learned."""


def is_packable(rnn: Steppable) -> bool:
    """Whether `pack_for_steps` takes it; what it does not take is called step by step."""
    terms = rnn.dynamics is not None or rnn.nonlinearity not in NONLINEARITIES
    return not (rnn.bidirectional or rnn.layer_norm or terms)


def pack_for_steps(
    rnn: Steppable,
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
        ValueError: two directions, layer normalisation, a leak, noise, or another function than tanh and relu: none of
            these can be taken step by step this way.
    """
    if rnn.bidirectional:
        raise ValueError("a layer that also reads backwards cannot be stepped: its past depends on the future")
    if rnn.layer_norm:
        raise ValueError("a layer with layer normalisation cannot be packed for steps; call it with one step")
    if rnn.dynamics is not None or rnn.nonlinearity not in NONLINEARITIES:
        raise ValueError("a layer with a leak, noise or a nonlinearity of its own cannot be packed; call its `step`")
    weights = StackWeights(rnn.layer_weights(), embedding, output)
    with torch.no_grad():
        return make_stack(weights, options_for(rnn.nonlinearity, False, rnn.residual), bfloat16=bfloat16)


_PACKED: WeakKeyDictionary[Steppable, tuple[tuple[int, ...], Stack]] = WeakKeyDictionary()


def packed_stack(rnn: Steppable) -> Stack:
    """The weights packed at the first step, and again when one of them has changed since."""
    now = tuple(number for weight in rnn.parameters() for number in (weight.data_ptr(), weight._version))
    then, stack = _PACKED.get(rnn, ((), None))
    if stack is None or then != now:
        stack = pack_for_steps(rnn)
        _PACKED[rnn] = (now, stack)
    return stack
