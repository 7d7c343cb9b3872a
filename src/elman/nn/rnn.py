"""`RNN`: the layer that takes the place of `torch.nn.RNN`.

T steps, B sequences, I inputs, H hidden units, L layers, D directions.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, NoReturn, cast

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.nn.utils.rnn import PackedSequence

from elman.errors import UserError
from elman.kernels.casting import cast_floating
from elman.kernels.options import NONLINEARITIES, RecurrenceInputs, options_for, reading_waits
from elman.kernels.protocols import NetworkForm, NetworkSettings
from elman.kernels.selection import Backend, select_backend
from elman.kernels.torch_private import is_untransformed
from elman.nn.general.dynamics import general_directions
from elman.nn.layer_norm import normalised_recurrence
from elman.nn.packing import pack_like, permute, unpack
from elman.nn.parametrizations.connections import Mask
from elman.nn.parametrizations.low_rank import factors_of
from elman.nn.refusals import check_reset, is_ordinary, refuse_script, take_other
from elman.nn.rnn_parameters import RNNParameters
from elman.nn.streaming import take_plain_step, take_step
from elman.ops.autocast import autocast_dtype, computed_in
from elman.ops.functional import run_recurrence
from elman.ops.fused_layer import apply_layer
from elman.ops.validation import check_lengths, whole_lengths


class RNN(RNNParameters):
    """A vanilla recurrent network of one or more layers, in the place of `torch.nn.RNN`.

        h_t = tanh(W_ih x_t + b_ih + W_hh h_(t-1) + b_hh)

    The first ten arguments, the parameters and their names, the random numbers they start from, the inputs, outputs
    and errors are those of `torch.nn.RNN`. It is a `torch.nn.RNNBase`, not a `torch.nn.RNN`, because
    `torch.compile` refuses to look inside the latter. The rest is this layer's own.

    Arguments:
        input_size: features of the input, I.
        hidden_size: hidden units, H.
        num_layers: layers, each taking the output of the one before, L.
        nonlinearity: "tanh" or "relu"; or "sigmoid", "softplus", "hardtanh", "rectified_tanh", "leaky_relu" or
            "identity"; or a function of your own, which runs as a plain loop.
        bias: whether there are b_ih and b_hh.
        batch_first: whether input and output are (B, T, ...) rather than (T, B, ...).
        dropout: probability of dropout between layers.
        bidirectional: run a second recurrence from the end to the start beside the first.
        device, dtype: of the parameters.
        recurrent_dropout: probability of variational dropout: one mask a sequence, the same at every step, on
            h_(t-1) where it enters W_hh (Gal and Ghahramani 2016).
        locked_dropout: make `dropout` variational too: between layers, one mask a sequence instead of one a step.
        layer_norm: normalise every pre-activation (Ba, Kiros and Hinton 2016, equation 4); the bias is then the
            normalisation's bias, and `layer_norm_weight_l{k}` its gain. Runs as a plain loop of torch operations.
        residual: the identity connection h_t = h_(t-1) + f(a_t) of the lecture's remedy.
        learned_h0: make the state that a sequence starts from, when none is given, a parameter: `initial_state`,
            shape (L * D, 1, H), zero at first.
        init: "uniform", as torch does; "orthogonal"; "identity" (Le, Jaitly and Hinton 2015, for relu); "antisymmetric"
            (Chang et al. 2019, for `residual`); or a number, the spectral radius that W_hh is scaled to.
        leak: a number, or one a unit, in (0, 1], dt / tau: h_t = (1 - leak) h_(t-1) + leak f(a_t).
        learn_leak: "sigmoid" or "time constant": make the leak a parameter of every layer and direction, which starts
            at `leak` (0.5 if not given) and stays in (0, 1).
        noise: the standard deviation of normal noise in a_t, a number, one a unit, or a factor L (H, K) of a covariance
            L L^T; drawn anew at every call from a seed of torch's generator. None in evaluation mode.
        noise_in_eval: noise in evaluation mode too.
        form: "rate", as above, or "current", where f stands before W_hh: the state is v, the output h = f(v),
            v_t = (1 - leak) v_(t-1) + leak (W_ih x_t + W_hh f(v_(t-1)) + b + noise).

    Raises:
        ValueError, TypeError: an argument is out of range; for torch's own arguments, as torch says it.
    """

    def forward(
        self,
        input: Tensor | PackedSequence,
        hx: Tensor | None = None,
        lengths: Tensor | Sequence[int] | None = None,  # not by name only: torch's old exporter knows no such argument
        return_all: bool = False,
        reset: Tensor | None = None,
        seed: int | None = None,
    ) -> tuple[Any, ...]:
        """Run the layer over a batch of sequences, or over one.

        Arguments:
            input: (T, B, I), or (B, T, I) with `batch_first`; (T, I) for one sequence; or a `PackedSequence`.
            hx: the state before the first step, (L * D, B, H); (L * D, H) for one sequence. Zero (or
                `initial_state`) if not given.
            lengths: each sequence's length, B of them, in any order, 0 to T. Steps past the end are not computed:
                the output there is zero, and `h_n` is the state after the sequence's own last step.
            return_all: also return the hidden states of every layer.
            reset: bool, (T, B), or (B, T) with `batch_first`; (T,) for one sequence; of a `PackedSequence` padded, the
                sequences in their own order. Before a step where it stands the state is zero, or `initial_state`, in
                every layer; the direction that runs from the end is cut between the same two steps.
            seed: of the noise, for the same noise as at another call with it.

        Returns:
            output: the last layer's states, (T, B, D * H), laid out as the input is.
            h_n: every layer's state after the last step, (L * D, B, H); (L * D, H) for one sequence.
            With `return_all` also a tuple of L tensors like `output`, one a layer, before any dropout.

        Raises:
            RuntimeError, ValueError: a shape or dtype does not fit; types and messages are torch's.
        """
        if isinstance(input, PackedSequence):
            return self._forward_packed(input, hx, lengths, return_all, reset, seed)
        if not is_ordinary(input) or (hx is not None and not is_ordinary(hx)):
            named = {"lengths": lengths, "reset": reset, "seed": seed}
            more: dict[str, Any] = {name: value for name, value in named.items() if value is not None}
            more |= {"return_all": True} if return_all else {}
            return cast(tuple[Any, ...], take_other(self, {"input": input, "hx": hx}, **more))
        dims = input.dim()
        if dims == 3:
            if hx is not None and hx.dim() != 3:
                raise RuntimeError(f"For batched 3-D input, hx should also be 3-D but got {hx.dim()}-D tensor")
            x = input.transpose(0, 1) if self.batch_first else input
        elif dims == 2:
            if hx is not None and hx.dim() != 2:
                raise RuntimeError(f"For unbatched 2-D input, hx should also be 2-D but got {hx.dim()}-D tensor")
            if lengths is not None:
                raise ValueError("lengths goes with a batch of sequences, and the input is one sequence (2-D)")
            x = input.unsqueeze(1)
            hx = None if hx is None else hx.unsqueeze(1)
        else:
            raise ValueError(f"RNN: Expected input to be 2D or 3D, got {dims}D tensor instead")
        if lengths is not None and not (isinstance(lengths, Tensor) and lengths.dtype is torch.int64):
            at = lengths.device if isinstance(lengths, Tensor) else "cpu"  # whatever torch.device is the default
            lengths = whole_lengths(torch.as_tensor(lengths, device=at))
        if lengths is not None and lengths.device != x.device:
            if lengths.is_meta:
                raise ValueError(f"lengths is on meta, where it has no values, and x is on {x.device}")
            if not reading_waits(lengths) and not torch.compiler.is_compiling():
                check_lengths(lengths, x.shape[0])  # while it costs nothing: on a GPU nobody looks
            lengths = lengths.to(x.device)
        if reset is not None:
            check_reset(reset)
            reset = reset.unsqueeze(1) if dims == 2 else reset.t() if self.batch_first else reset
        layers, h_n = self._run(x, hx, lengths, return_all, reset, seed)
        if dims == 2:
            layers, h_n = [layer.squeeze(1) for layer in layers], h_n.squeeze(1)
        elif self.batch_first:
            layers = [layer.transpose(0, 1) for layer in layers]
        return (layers[-1], h_n, tuple(layers)) if return_all else (layers[-1], h_n)

    def _forward_packed(
        self,
        packed: PackedSequence,
        hx: Tensor | None,
        lengths: Tensor | Sequence[int] | None,
        return_all: bool,
        reset: Tensor | None,
        seed: int | None,
    ) -> tuple[Any, ...]:
        if lengths is not None:
            raise ValueError("a PackedSequence knows its lengths; give lengths with a padded input")
        self._update_flat_weights()
        self.check_input(packed.data, packed.batch_sizes)
        if hx is not None:
            hx = permute(hx, packed.sorted_indices)
        backend = None
        if (
            is_untransformed() and not return_all and not self._is_general(reset)
        ):  # a compiler, a transform or a mode must see operations
            options = options_for(self.nonlinearity, False, self.residual)
            backend = select_backend(options, packed.data.device, packed.data.dtype)
        network = self._network(packed.data, backend)
        if network is not None:
            shape = len(self._all_weights), int(packed.batch_sizes[0]), self.hidden_size
            if hx is not None:
                self.check_hidden_size(hx, shape)
            data, h_n = self._run_network(network, packed.data, hx, shape, packed.batch_sizes)
            output = PackedSequence(data, packed.batch_sizes, packed.sorted_indices, packed.unsorted_indices)
            return output, permute(h_n, packed.unsorted_indices)
        x, lengths = unpack(packed)
        if reset is not None:
            check_reset(reset)
            reset = reset.t() if self.batch_first else reset
            order = packed.sorted_indices
            reset = (reset if order is None else reset.index_select(1, order))[: x.shape[0]]
        layers, h_n = self._run(x, hx, lengths.to(x.device), return_all, reset, seed)
        h_n = permute(h_n, packed.unsorted_indices)
        sequences = [pack_like(layer, lengths, packed) for layer in (layers if return_all else layers[-1:])]
        return (sequences[-1], h_n, tuple(sequences)) if return_all else (sequences[-1], h_n)

    def _run(
        self,
        x: Tensor,  # (T, B, I)
        hx: Tensor | None,  # (L * D, B, H)
        lengths: Tensor | None,  # (B,)
        every: bool,
        reset: Tensor | None = None,  # (T, B)
        seed: int | None = None,
    ) -> tuple[list[Tensor], Tensor]:
        """The layers' states, (T, B, D * H) each, of `every` one or the last, and every last state, (L * D, B, H)."""
        masked = not (general := self._is_general(reset)) and self._runs_masked(x)
        general |= masked
        dtype = autocast_dtype(x)
        own = None if dtype is None or x.device.type != "cpu" else self._weight("weight_ih_l0").dtype
        if dtype is not None and own is not None and own != torch.float64:  # which autocast leaves alone
            x, hx = cast_floating((x, hx), own)
            exact, K = general or self.residual or self.layer_norm, self.input_size + self.hidden_size
            if computed_in(dtype, x.device, K * self.hidden_size, exact=exact) != dtype:
                with torch.autocast("cpu", enabled=False):
                    wide, h_n = self._run(x, hx, lengths, every, reset, seed)
                return [layer.to(dtype) for layer in wide], h_n.to(dtype)
        drawn = None if self.dynamics is None else self._draw_seed(seed)
        options = options_for("tanh" if general else self.nonlinearity, False, self.residual)
        backend = select_backend(options, x.device, x.dtype) if is_untransformed() and not general else None
        if backend is not None and backend.network is not None and lengths is None and not every:
            network = self._network(x, backend)
            if network is not None:
                self._check(x, hx)
                shape = len(self._all_weights), x.shape[1], self.hidden_size
                output, h_n = self._run_network(network, x, hx, shape)
                return [output], h_n
        D = 2 if self.bidirectional else 1
        if self.learned_h0 and hx is None:
            hx = self.initial_state.expand(len(self._all_weights), x.shape[1], self.hidden_size)
        elif hx is not None:
            self._check(x, hx)
        states: Sequence[Tensor | None] = [None] * self.num_layers
        if hx is not None:  # torch takes longer to split one layer's state from itself than a short sequence takes
            states = (hx.contiguous(),) if self.num_layers == 1 else torch.split(hx.contiguous(), D)
        plain = not self.layer_norm and not (self.recurrent_dropout and self.training)
        layers: list[Tensor] = []
        last: list[Tensor] = []
        for layer, h0 in enumerate(states):
            if layer and self.dropout:
                x = x * self._mask(x) if self.locked_dropout else F.dropout(x, self.dropout, self.training)
            weights = self._weights(layer, D)
            # dropout draws in the order of memory, which is time first in torch's layers
            time_first = bool(self.dropout and self.training and layer < self.num_layers - 1)
            done = None
            if plain and backend is not None:
                done = apply_layer(backend, x, h0, lengths, options, self.hidden_size, D, weights, time_first)
            if done is None:
                if layer == 0:
                    self._check(x, hx)
                run = self._directions if not general else partial(self._general_directions, reset=reset, seed=drawn)
                done = run(layer, x, h0, lengths, weights)
            x, h_last = done
            if masked and layer == self.num_layers - 1 and torch.is_grad_enabled():  # as in `_directions`
                x, h_last = x.clone(), h_last.clone()
            layers.append(x)
            last.append(h_last)
        return layers, last[0] if len(last) == 1 else torch.cat(last)

    def _network(self, x: Tensor, backend: Backend | None) -> NetworkForm | None:
        """The backend that runs all layers in one call, if there is one and it computes what this layer does."""
        own = self.layer_norm or (self.training and (self.recurrent_dropout or self.locked_dropout))
        if backend is None or backend.network is None or own:
            return None
        return backend.network if backend.network.takes(x, self._network_settings()) else None

    def _network_settings(self) -> NetworkSettings:
        options = self.num_layers, self.bias, self.bidirectional, self.dropout, self.training
        return NetworkSettings(self.nonlinearity, *options)

    def _run_network(
        self,
        network: NetworkForm,
        x: Tensor,  # (T, B, I), or (rows, I) of a packed batch
        hx: Tensor | None,
        shape: tuple[int, int, int],  # of hx, (L * D, B, H)
        batch_sizes: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        weights = [self._weight(name) for names in self._all_weights for name in names]
        if hx is None:
            hx = self.initial_state.expand(shape) if self.learned_h0 else x.new_zeros(shape)
        return network.run(x, hx, weights, self._network_settings(), batch_sizes)

    def _mask(self, x: Tensor) -> Tensor:
        """A mask (B, n) for the input (T, B, n) of a layer above the first."""
        return F.dropout(x.new_ones(x.shape[1:]), self.dropout, self.training)

    def _check(self, x: Tensor, hx: Tensor | None) -> None:
        """Raise where x or hx do not fit."""
        T, B, features = x.shape
        shape = (len(self._all_weights), B, self.hidden_size)
        if (
            features != self.input_size
            or (hx is not None and hx.shape != shape)
            or x.dtype != self._weight(self._all_weights[0][0]).dtype
        ):
            self._update_flat_weights()
            self.check_input(x, None)
            if hx is not None:
                self.check_hidden_size(hx, shape)
        if T == 0:
            raise RuntimeError("Expected sequence length to be larger than 0 in RNN")

    def _directions(
        self,
        layer: int,
        x: Tensor,  # (T, B, ...)
        h0: Tensor | None,  # (D, B, H)
        lengths: Tensor | None,  # (B,)
        weights: list[Tensor],  # of one direction after the other
    ) -> tuple[Tensor, Tensor]:
        """One layer, direction by direction: h (T, B, D * H) and h_last (D, B, H)."""
        states, last = [], []
        D = 2 if self.bidirectional else 1
        each = len(weights) // D
        for d in range(D):
            w_ih, w_hh, *biases = weights[d * each : (d + 1) * each]
            start = x.new_zeros(x.shape[1], self.hidden_size) if h0 is None else h0[d]
            mask = None
            if self.recurrent_dropout and self.training:
                mask = F.dropout(torch.ones_like(start), self.recurrent_dropout)
            run = run_recurrence
            if self.layer_norm:
                run = partial(normalised_recurrence, gain=self._weight(self._gain_names[layer * D + d]))
            bias = biases[0] + biases[1] if biases else None
            inputs = RecurrenceInputs(x, start, w_ih, w_hh, bias, lengths, mask)
            h, h_last = run(inputs, options_for(self.nonlinearity, d == 1, self.residual))
            states.append(h)
            last.append(h_last)
        if D == 1:
            if layer == self.num_layers - 1 and torch.is_grad_enabled() and is_untransformed():
                # the op keeps its own, and torch's layers allow theirs to be changed in place
                h, h_last = h.clone(), h_last.clone()
            return h, h_last.unsqueeze(0)
        return torch.cat(states, 2), torch.stack(last)

    def __prepare_scriptable__(self) -> NoReturn:
        refuse_script(self)

    def _is_general(self, reset: Tensor | None) -> bool:
        """Whether a call needs what the plain recurrence has not."""
        if reset is not None or self.dynamics is not None or self.nonlinearity not in NONLINEARITIES:
            return True
        if not self._modules:
            return False
        constrained: Any = self._modules.get("parametrizations")
        return constrained is not None and any(factors_of(self, name) is not None for name in constrained)

    def _runs_masked(self, x: Tensor) -> bool:
        """Whether a weight has a mask, and a backend takes masks; a compiler or a transform sees the dense product."""
        constrained: Any = self._modules.get("parametrizations") if self._modules else None
        if constrained is None or self.layer_norm or not is_untransformed():
            return False
        if not any(isinstance(one, Mask) for name in constrained for one in constrained[name]):
            return False
        return select_backend(options_for("tanh", False, False), x.device, x.dtype).general is not None

    def _draw_seed(self, seed: int | None) -> Tensor | None:
        """The noise's seed of this call, (1,) int64 on the CPU; None where there is no noise."""
        if self.dynamics is None or not self.dynamics.noisy:
            return None
        return torch.randint(2**62, (1,)) if seed is None else torch.tensor([seed])

    def _general_directions(
        self,
        layer: int,
        x: Tensor,  # (T, B, ...)
        h0: Tensor | None,  # (D, B, H)
        lengths: Tensor | None,  # (B,)
        weights: list[Tensor],
        *,
        reset: Tensor | None,  # (T, B)
        seed: Tensor | None,  # (1,)
    ) -> tuple[Tensor, Tensor]:
        """What `_directions` does, with the terms of `dynamics` and resets."""
        if self.layer_norm:
            raise UserError("`layer_norm` goes without `reset`; call the layer once for each part")
        return general_directions(self, layer, x, h0, lengths, weights, reset, seed)

    def step(self, x: Tensor, state: Tensor | None = None, *, reset: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Take one step without gradients: for streams, where the next input is not known yet.

        The weights are read at each step as they are then. Dropout is left out, in training mode too. A layer with
        forward hooks (pruning, the old `weight_norm`) is called with one step, so that they act.

        Arguments:
            x: (B, I) one step of B sequences.
            state: (L, B, H) as the step before returned it; zeros (or the learned initial state) if not given. In the
                current form it is v.
            reset: (B,) bool: whose state is zero, or `initial_state`, before this step.

        A layer with a leak, noise, resets or another function than tanh and relu takes a step as a call with one step,
        which takes longer than packed weights do.

        Returns:
            the output (B, H) and the new state (L, B, H), which share no memory.

        Raises:
            ValueError: the layer has two directions, or a shape, dtype or device does not fit.
        """
        if reset is None:
            done = take_plain_step(self, x, state)
            return take_step(self, x, state, call=self._is_general(None)) if done is None else done
        check_reset(reset)
        return take_step(self, x, state, call=True, reset=reset.unsqueeze(1 if self.batch_first else 0))
