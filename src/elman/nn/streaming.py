"""One step at a time, without gradients: by the weights as they are at each step, or packed once to write many."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor

from elman.kernels import make_stack, select_backend
from elman.kernels.decoder import LayerWeights, Stack, StackWeights
from elman.kernels.options import NONLINEARITIES, options_for
from elman.kernels.selection import select_step
from elman.kernels.torch_private import is_untransformed
from elman.ops.validation import check_layout


class Steppable(Protocol):
    """What is asked of a layer that takes steps: `elman.nn.RNN` has it."""

    input_size: int
    hidden_size: int
    num_layers: int
    nonlinearity: str
    batch_first: bool
    bidirectional: bool
    layer_norm: bool
    residual: bool
    learned_h0: bool
    training: bool
    _all_weights: list[list[str]]
    _forward_pre_hooks: dict[int, Callable[..., Any]]
    _forward_hooks: dict[int, Callable[..., Any]]

    @property
    def initial_state(self) -> Tensor:
        """(L * D, 1, H), with `learned_h0`."""

    @property
    def dynamics(self) -> object:
        """What it has beside torch's terms, or None."""

    def layer_weights(self) -> Sequence[LayerWeights]:
        """The weights of each layer, from the bottom up."""

    def _weight(self, name: str) -> Tensor: ...

    def _weights(self, layer: int, D: int) -> Sequence[Tensor]: ...

    def __call__(self, *args: Any, **more: Any) -> Any:
        """As `torch.nn.RNN`."""


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

    The stack has copies: what changes the layer's weights later does not change it. `RNN.step` reads them at each step.

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
    if rnn._forward_pre_hooks:  # pruning and its like write the weights when the layer is called
        first = rnn._weight(rnn._all_weights[0][0])
        _call_once(rnn, first.new_zeros(1, rnn.input_size), None, {})
    weights = StackWeights(rnn.layer_weights(), embedding, output)
    with torch.no_grad():
        return make_stack(weights, options_for(rnn.nonlinearity, False, rnn.residual), bfloat16=bfloat16)


def take_plain_step(rnn: Steppable, x: Tensor, state: Tensor | None) -> tuple[Tensor, Tensor] | None:
    """A step by one builtin function, which finds the weights and looks at every tensor: this is all that is left for
    Python to look at. None, and nothing has run, where `take_step` must take it.

    Dynamics and parametrisations are modules; a pruned weight is no parameter, and its hook runs at a call.
    """
    its = rnn.__dict__  # a module's attributes take four times as long as entries of its dictionary
    if (
        its["_modules"]
        or its["_forward_pre_hooks"]
        or its["_forward_hooks"]
        or its["bidirectional"]
        or its["layer_norm"]
        or (state is None and its["learned_h0"])
        or type(nonlinearity := its["nonlinearity"]) is not str
        or not is_untransformed()
    ):
        return None
    step = select_step(nonlinearity, its["residual"])
    return None if step is None else step(x, state, its["_parameters"], its["_all_weights"], its["hidden_size"])


def take_step(
    rnn: Steppable, x: Tensor, state: Tensor | None, *, call: bool = False, **more: Any
) -> tuple[Tensor, Tensor]:
    """What `elman.nn.RNN.step` does: by a backend that reads the weights where they lie, or by a call with one step.

    A call is what hooks act on (pruning and the old weight normalisation write the weights in one), and what compilers,
    transforms and forward differentiation see.

    Arguments:
        call: make a call, whatever a backend may be able to do.
        more: what the call is given.
    """
    if rnn.bidirectional:
        raise ValueError("a layer that also reads backwards cannot be stepped: its past depends on the future")
    for name, given in (("x", x), ("state", state)):
        if not isinstance(given, Tensor) and not (given is None and name == "state"):
            raise TypeError(f"{name} is a {type(given).__name__}; give a tensor")
    hooks = rnn._forward_pre_hooks or rnn._forward_hooks
    if not (call or rnn.layer_norm or hooks) and is_untransformed() and x.dim() == 2 and not x.is_nested:
        options = options_for(rnn.nonlinearity, False, rnn.residual)
        backend = select_backend(options, x.device, x.dtype)
        if backend.step is not None:
            start = state
            if state is None and rnn.learned_h0:
                start = rnn.initial_state.detach().expand(-1, x.shape[0], -1).contiguous()
            layers = [rnn._weights(layer, 1) for layer in range(rnn.num_layers)]
            done = backend.step.step_layers(x, start, layers, options, rnn.hidden_size)
            if done is not None:
                return done
    return _call_once(rnn, x, state, more)


def _call_once(rnn: Steppable, x: Tensor, state: Tensor | None, more: dict[str, Any]) -> tuple[Tensor, Tensor]:
    """A call with one step, without gradients and as in evaluation mode."""
    weight = rnn._weight(rnn._all_weights[0][0])
    check_layout("x", x)
    _check("x", x, (x.shape[0] if x.dim() else 0, rnn.input_size), ("sequences", rnn.input_size), weight)
    if state is not None:
        check_layout("state", state)
        shape = rnn.num_layers, x.shape[0], rnn.hidden_size
        _check("state", state, shape, shape, weight)
    at = 1 if rnn.batch_first else 0
    was_training = rnn.training
    try:
        if was_training:
            rnn.training = False  # the layer's own flag is all that dropout looks at
        with torch.no_grad():
            output, new = rnn(x.unsqueeze(at), state, **more)
    finally:
        if was_training:
            rnn.training = True
    return output.squeeze(at).clone(), new  # some backend may have made one a view of the other


def _check(name: str, tensor: Tensor, shape: tuple[int, ...], said: tuple[object, ...], weight: Tensor) -> None:
    if tensor.shape != shape or tensor.dtype is not weight.dtype or tensor.device != weight.device:
        found = f"{tensor.dtype} {tuple(tensor.shape)} on {tensor.device}"
        wanted = f"{weight.dtype} ({', '.join(map(str, said))}) on {weight.device}"
        raise ValueError(f"{name} is {found}, expected {wanted}")
