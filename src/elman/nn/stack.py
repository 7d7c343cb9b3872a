"""Many networks of one shape at once: their weights in one tensor each, one native call for all of them.

V networks, T steps, B sequences, I inputs, H hidden units, L layers, D directions.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from elman.errors import UserError
from elman.kernels.general.options import GeneralInputs, general_options
from elman.nn.general.dynamics import cut_from_the_end
from elman.nn.refusals import check_reset
from elman.nn.rnn import RNN
from elman.ops.general.functional import run_networks
from elman.ops.validation import whole_lengths

_SAME = (
    *("input_size", "hidden_size", "num_layers", "nonlinearity", "bias", "batch_first", "dropout", "bidirectional"),
    *("recurrent_dropout", "locked_dropout", "layer_norm", "residual", "learned_h0"),
)


def stack(networks: Sequence[RNN]) -> Stack:
    """One module of V networks, with copies of their weights; see `Stack`.

    Raises:
        UserError: there are none, they are of different shapes or settings, or have what cannot be stacked.
    """
    return Stack(networks)


class Stack(nn.Module):
    """V `elman.RNN`s of one shape, run and trained together.

    The parameters have the networks' names and a dimension V before their own: those of network v are
    `parameter[v]`. A network's outputs and gradients do not depend on the others. Each native call runs all networks of
    one layer and direction, the threads taking one after the other, so that small networks leave no thread idle.

    Arguments:
        networks: V of them.

    Raises:
        UserError: there are none, they are of different shapes or settings, or have layer normalisation, constraints
            or a nonlinearity of one's own.
    """

    def __init__(self, networks: Sequence[RNN]) -> None:
        super().__init__()
        if not networks:
            raise UserError("there is no network to stack; give at least one")
        first = networks[0]
        for v, network in enumerate(networks):
            _check_same(first, network, v)
        self.networks = len(networks)
        template = copy.deepcopy(first)
        for part in template.modules():
            part._parameters.clear()
            part._buffers.update(dict.fromkeys(part._buffers))
        self.template = template  # its settings; it has no weights left
        self.names: list[list[str]] = [list(names) for names in first._all_weights]
        for name, _ in first.named_parameters():
            values = torch.stack([network.get_parameter(name).detach() for network in networks])
            self.register_parameter(name.replace(".", "_"), nn.Parameter(values))
        for name, _ in first.named_buffers():
            self.register_buffer(
                name.replace(".", "_"), torch.stack([network.get_buffer(name) for network in networks])
            )

    def unstack(self) -> list[RNN]:
        """The V networks, with copies of the weights as they are now."""
        found = []
        for v in range(self.networks):
            network = copy.deepcopy(self.template)
            for name, values in self.named_parameters(recurse=False):
                if name.startswith("dynamics_"):
                    assert network.dynamics is not None
                    setattr(network.dynamics, name.removeprefix("dynamics_"), nn.Parameter(values[v].detach().clone()))
                else:
                    network.register_parameter(name, nn.Parameter(values[v].detach().clone()))
            for name, buffer in self.named_buffers(recurse=False):
                setattr(network.dynamics, name.removeprefix("dynamics_"), buffer[v].clone())
            network._update_flat_weights()
            found.append(network)
        return found

    def forward(
        self,
        input: Tensor,
        hx: Tensor | None = None,
        *,
        lengths: Tensor | Sequence[int] | None = None,
        reset: Tensor | None = None,
        seed: int | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Run all networks.

        Arguments:
            input: (T, B, I), the same for all networks, or (V, T, B, I); with `batch_first` B stands before T.
            hx: the states before the first step, (V, L * D, B, H); zero, or the learned ones, if not given.
            lengths: of the sequences, (B,), or (V, B).
            reset: (T, B) or (V, T, B) bool, with `batch_first` B before T; see `RNN`.
            seed: of the noise; each network's is its own.

        Returns:
            the last layer's states, (V, T, B, D * H), or (V, B, T, D * H) with `batch_first`, and every layer's last
            states, (V, L * D, B, H).

        Raises:
            ValueError: a shape does not fit.
        """
        rnn, V = self.template, self.networks
        x = self._each(input, 3, "input")
        if reset is not None:
            check_reset(reset)
        cut = None if reset is None else self._each(reset, 2, "reset")
        if rnn.batch_first:
            x, cut = x.transpose(1, 2), None if cut is None else cut.transpose(1, 2)
        if lengths is not None:
            lengths = self._each(whole_lengths(torch.as_tensor(lengths)).to(x.device), 1, "lengths")
        B, D, L, H = x.shape[2], 2 if rnn.bidirectional else 1, rnn.num_layers, rnn.hidden_size
        if hx is None and rnn.learned_h0:
            hx = cast(Tensor, self.initial_state).expand(V, L * D, B, H)
        if hx is None:
            hx = x.new_zeros(V, L * D, B, H)
        if hx.shape != (V, L * D, B, H):
            raise ValueError(f"hx has shape {tuple(hx.shape)}, {V} networks of this shape need {(V, L * D, B, H)}")
        numbers = self._draw_seeds(seed)
        last = []
        for layer in range(L):
            if layer and rnn.dropout:
                x = self._dropped(x)
            states = []
            for d in range(layer * D, layer * D + D):
                h, h_last = self._direction(d, d % D == 1, x, hx[:, d], lengths, cut, numbers)
                states.append(h)
                last.append(h_last)
            x = states[0] if D == 1 else torch.cat(states, 3)
        return (x.transpose(1, 2) if rnn.batch_first else x), torch.stack(last, 1)

    def _direction(
        self,
        d: int,
        backwards: bool,
        x: Tensor,  # (V, T, B, .)
        h0: Tensor,  # (V, B, H)
        lengths: Tensor | None,
        reset: Tensor | None,
        numbers: Tensor | None,  # (V,) the seeds
    ) -> tuple[Tensor, Tensor]:
        rnn, own = self.template, self.template.dynamics
        w_ih, w_hh, *biases = (self.get_parameter(name) for name in self.names[d])
        mask = None
        if rnn.recurrent_dropout and rnn.training:
            mask = F.dropout(torch.ones_like(h0), rnn.recurrent_dropout)
        cut = reset
        if reset is not None and backwards:
            cut = cut_from_the_end(reset, lengths)
        restart = None
        if rnn.learned_h0 and cut is not None:
            restart = cast(Tensor, self.initial_state)[:, d, 0]
        leak = noise = seed = None
        if own is not None:
            leak = cast(Any, self._buffers.get("dynamics_leak"))
            if own.learn_leak is not None:
                leak = own.leak_from(self.get_parameter(f"dynamics_leak_{own.names[d]}"))
            if numbers is not None:
                noise = cast(Tensor, self.dynamics_noise)
                seed = torch.stack([numbers, torch.full_like(numbers, d)], 1)
        inputs = GeneralInputs(
            *(x, h0, w_ih, w_hh, biases[0] + biases[1] if biases else None),
            leak=leak,
            noise=noise,
            restart=restart,
            lengths=lengths,
            mask=mask,
            reset=cut,
            seed=seed,
        )
        form = "rate" if own is None else own.form
        h, h_last, _ = run_networks(inputs, general_options(rnn.nonlinearity, backwards, rnn.residual, form))
        return h, h_last

    def _draw_seeds(self, seed: int | None) -> Tensor | None:
        own = self.template.dynamics
        if own is None or "dynamics_noise" not in self._buffers or not (self.training or own.noise_in_eval):
            return None
        generator = None if seed is None else torch.Generator().manual_seed(seed)
        return torch.randint(2**62, (self.networks,), generator=generator)

    def _dropped(self, x: Tensor) -> Tensor:
        rnn = self.template
        if not rnn.locked_dropout:
            return F.dropout(x, rnn.dropout, self.training)
        return x * F.dropout(x.new_ones(x.shape[0], 1, *x.shape[2:]), rnn.dropout, self.training)

    def _each(self, tensor: Tensor, dims: int, name: str) -> Tensor:
        """A tensor that is the same for all networks, or one a network, with V before the others."""
        if tensor.dim() == dims:
            return tensor.expand(self.networks, *tensor.shape)
        if tensor.dim() != dims + 1 or tensor.shape[0] != self.networks:
            shape = tuple(tensor.shape)
            raise ValueError(
                f"{name} has shape {shape}; give {dims} dimensions for all of the {self.networks} networks, "
                f"or {dims + 1} with {self.networks} first"
            )
        return tensor

    def extra_repr(self) -> str:
        """How many networks there are."""
        return f"{self.networks} networks"


def _check_same(first: RNN, network: Any, v: int) -> None:
    if not isinstance(network, RNN):
        raise UserError(f"network {v} is a {type(network).__name__}; only `elman.RNN`s are stacked")
    if "parametrizations" in network._modules:
        raise UserError(f"network {v} has constraints, which are not stacked; take them off before")
    if network.layer_norm or callable(network.nonlinearity):
        raise UserError(f"network {v} has layer normalisation or a nonlinearity of its own, which run in no kernel")
    for name in _SAME:
        if getattr(network, name) != getattr(first, name):
            raise UserError(f"`{name}` of network 0 is {getattr(first, name)}, of network {v} {getattr(network, name)}")
    if _terms(first) != _terms(network):
        raise UserError(f"networks 0 and {v} differ in their leak, noise or form: {_terms(first)}, {_terms(network)}")
    noise = None if network.dynamics is None else network.dynamics.noise
    if noise is not None and noise.dim() == 2:
        raise UserError(f"network {v} has noise of a covariance, which is not stacked; give it one size a unit")


def _terms(network: RNN) -> tuple[Any, ...]:
    own = network.dynamics
    if own is None:
        return ()
    return own.form, own.learn_leak, own.leak is None, own.noise is None, own.noise_in_eval
