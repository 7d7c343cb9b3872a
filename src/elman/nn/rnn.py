"""`RNN`: the layer that takes the place of `torch.nn.RNN`.

T steps, B sequences, I inputs, H hidden units, L layers, D directions.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.rnn import PackedSequence

import elman.nn.init as initialisers
from elman.kernels.decoder import LayerWeights
from elman.kernels.options import RecurrenceInputs, options_for, reading_waits
from elman.kernels.protocols import NetworkForm, NetworkSettings
from elman.kernels.selection import Backend, select_backend
from elman.kernels.torch_private import is_untransformed
from elman.nn.layer_norm import normalised_recurrence
from elman.nn.packing import pack_like, permute, unpack
from elman.nn.streaming import packed_stack
from elman.ops.functional import run_recurrence
from elman.ops.fused_layer import apply_layer
from elman.ops.validation import check_lengths

_MODES = {"tanh": "RNN_TANH", "relu": "RNN_RELU"}  # torch's names, in its attribute `mode`


class RNN(nn.RNNBase):
    """A vanilla recurrent network of one or more layers, in the place of `torch.nn.RNN`.

        h_t = tanh(W_ih x_t + b_ih + W_hh h_(t-1) + b_hh)

    The first ten arguments, the parameters and their names, the random numbers they start from, the inputs, outputs
    and errors are those of `torch.nn.RNN`. It is a `torch.nn.RNNBase`, not a `torch.nn.RNN`, because
    `torch.compile` refuses to look inside the latter. The rest is this layer's own.

    Arguments:
        input_size: features of the input, I.
        hidden_size: hidden units, H.
        num_layers: layers, each taking the output of the one before, L.
        nonlinearity: "tanh" or "relu".
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

    Raises:
        ValueError, TypeError: an argument is out of range; for torch's own arguments, as torch says it.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        nonlinearity: str = "tanh",
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: torch.device | str | int | None = None,
        dtype: torch.dtype | None = None,
        *,
        recurrent_dropout: float = 0.0,
        locked_dropout: bool = False,
        layer_norm: bool = False,
        residual: bool = False,
        learned_h0: bool = False,
        init: str | float = "uniform",
    ) -> None:
        if not 0 <= recurrent_dropout < 1:
            raise ValueError(f"recurrent_dropout is {recurrent_dropout}; it must be at least 0 and less than 1")
        if nonlinearity not in _MODES:
            raise ValueError(f"Unknown nonlinearity '{nonlinearity}'. Select from 'tanh' or 'relu'.")
        initialisers.check_choice(init, nonlinearity)
        # torch's constructor ends by calling reset_parameters, which asks for these
        self.nonlinearity = nonlinearity
        self.recurrent_dropout = recurrent_dropout
        self.locked_dropout = locked_dropout
        self.layer_norm = layer_norm
        self.residual = residual
        self.learned_h0 = learned_h0
        self.init = init
        super().__init__(
            _MODES[nonlinearity],
            input_size,
            hidden_size,
            num_layers,
            bias,
            batch_first,
            dropout,
            bidirectional,
            device=device,
            dtype=dtype,
        )
        self._gain_names: list[str] = []
        if layer_norm:
            for name, *_ in self._all_weights:
                self._gain_names.append(name.replace("weight_ih", "layer_norm_weight"))
                gain = torch.ones(hidden_size, device=device, dtype=dtype)
                self.register_parameter(self._gain_names[-1], nn.Parameter(gain))
        if learned_h0:
            zeros = torch.zeros(len(self._all_weights), 1, hidden_size, device=device, dtype=dtype)
            self.initial_state = nn.Parameter(zeros)

    def reset_parameters(self) -> None:
        """Draw the parameters anew, as the constructor does."""
        super().reset_parameters()
        initialisers.apply_choice_(self, self.init)
        with torch.no_grad():
            for name, parameter in self.named_parameters(recurse=False):
                if name.startswith("layer_norm_weight"):
                    parameter.fill_(1)
                elif name == "initial_state":
                    parameter.zero_()

    def forward(
        self,
        input: Tensor | PackedSequence,
        hx: Tensor | None = None,
        *,
        lengths: Tensor | Sequence[int] | None = None,
        return_all: bool = False,
    ) -> tuple[Any, ...]:
        """Run the layer over a batch of sequences, or over one.

        Arguments:
            input: (T, B, I), or (B, T, I) with `batch_first`; (T, I) for one sequence; or a `PackedSequence`.
            hx: the state before the first step, (L * D, B, H); (L * D, H) for one sequence. Zero (or
                `initial_state`) if not given.
            lengths: each sequence's length, B of them, in any order, 0 to T. Steps past the end are not computed:
                the output there is zero, and `h_n` is the state after the sequence's own last step.
            return_all: also return the hidden states of every layer.

        Returns:
            output: the last layer's states, (T, B, D * H), laid out as the input is.
            h_n: every layer's state after the last step, (L * D, B, H); (L * D, H) for one sequence.
            With `return_all` also a tuple of L tensors like `output`, one a layer, before any dropout.

        Raises:
            RuntimeError, ValueError: a shape or dtype does not fit; types and messages are torch's.
        """
        if isinstance(input, PackedSequence):
            return self._forward_packed(input, hx, lengths, return_all)
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
            lengths = torch.as_tensor(lengths).to(torch.int64)
        if lengths is not None and lengths.device != x.device:
            if not reading_waits(lengths) and not torch.compiler.is_compiling():
                check_lengths(lengths, x.shape[0])  # while it costs nothing: on a GPU nobody looks
            lengths = lengths.to(x.device)
        layers, h_n = self._run(x, hx, lengths, return_all)
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
    ) -> tuple[Any, ...]:
        if lengths is not None:
            raise ValueError("a PackedSequence knows its lengths; give lengths with a padded input")
        self._update_flat_weights()
        self.check_input(packed.data, packed.batch_sizes)
        if hx is not None:
            hx = permute(hx, packed.sorted_indices)
        backend = None
        if is_untransformed() and not return_all:  # a compiler, a transform or a mode must see operations
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
        layers, h_n = self._run(x, hx, lengths.to(x.device), return_all)
        h_n = permute(h_n, packed.unsorted_indices)
        sequences = [pack_like(layer, lengths, packed) for layer in (layers if return_all else layers[-1:])]
        return (sequences[-1], h_n, tuple(sequences)) if return_all else (sequences[-1], h_n)

    def _run(
        self,
        x: Tensor,  # (T, B, I)
        hx: Tensor | None,  # (L * D, B, H)
        lengths: Tensor | None,  # (B,)
        every: bool,
    ) -> tuple[list[Tensor], Tensor]:
        """The layers' states, (T, B, D * H) each, of `every` one or the last, and every last state, (L * D, B, H)."""
        options = options_for(self.nonlinearity, False, self.residual)
        backend = select_backend(options, x.device, x.dtype) if is_untransformed() else None
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
        states = [None] * self.num_layers if hx is None else torch.split(hx.contiguous(), D)
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
                done = self._directions(layer, x, h0, lengths, weights)
            x, h_last = done
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
            return h, h_last.unsqueeze(0)
        return torch.cat(states, 2), torch.stack(last)

    def _weights(self, layer: int, D: int) -> list[Tensor]:
        """A layer's weights, of one direction after the other."""
        names = self._all_weights[layer * D]
        if D == 2:
            names = names + self._all_weights[layer * D + 1]
        parameters: Any = self._parameters
        try:
            return list(map(parameters.__getitem__, names))
        except KeyError:
            return [self._weight(name) for name in names]

    def _weight(self, name: str) -> Tensor:
        """The parameter `name`, or the plain attribute that pruning or a parametrisation put in its place."""
        parameter = self._parameters.get(name)  # a fifth of the time that getattr takes on a module
        return getattr(self, name) if parameter is None else parameter

    def step(self, x: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Take one step without gradients: for streams, where the next input is not known yet.

        The weights are packed at the first step, and again after they have changed. Dropout is left out.

        Arguments:
            x: (B, I) one step of B sequences.
            state: (L, B, H) as the step before returned it; zeros (or the learned initial state) if not given.

        Returns:
            the output (B, H) and the new state (L, B, H).

        Raises:
            ValueError: the layer has two directions, or a wrong shape.
        """
        if state is None:
            shape = self.num_layers, x.shape[0], self.hidden_size
            state = self.initial_state.detach().expand(shape) if self.learned_h0 else x.new_zeros(shape)
        if self.layer_norm:
            with torch.no_grad():
                output, state = self(x.unsqueeze(1 if self.batch_first else 0), state)
                return output.squeeze(1 if self.batch_first else 0), state
        state = packed_stack(self).step(x.detach(), state)
        return state[-1], state

    def layer_weights(self) -> list[LayerWeights]:
        """The weights of each layer and direction as they are now, without gradients; the two biases added."""
        layers = []
        for names in self._all_weights:
            w_ih, w_hh, *biases = (self._weight(name).detach() for name in names)
            layers.append(LayerWeights(w_ih, w_hh, biases[0] + biases[1] if biases else None))
        return layers

    @classmethod
    def from_stacked(cls, stacked: Tensor | Sequence[Tensor], input_size: int, **options: Any) -> Self:
        """A layer in the lecture's own form, h_t = tanh W [x_t ; h_(t-1)]: one W, no bias.

        Arguments:
            stacked: W, shape (H, I + H); for several layers or directions a sequence of them, in the order of
                `h_n`. Copied.
            input_size: I, the columns of W that x_t meets.
            options: the constructor's other arguments.

        Raises:
            ValueError: a W's shape does not fit.
        """
        matrices = [stacked] if isinstance(stacked, Tensor) else list(stacked)
        directions = 2 if options.get("bidirectional") else 1
        if not matrices or len(matrices) % directions:
            raise ValueError(f"{len(matrices)} stacked matrices do not make whole layers of {directions} directions")
        hidden_size = matrices[0].shape[0]
        options = {"dtype": matrices[0].dtype, "device": matrices[0].device, **options}
        rnn = cls(input_size, hidden_size, len(matrices) // directions, bias=False, **options)
        with torch.no_grad():
            for matrix, (ih, hh) in zip(matrices, rnn._all_weights, strict=True):
                w_ih, w_hh = rnn._weight(ih), rnn._weight(hh)
                shape = (hidden_size, w_ih.shape[1] + hidden_size)
                if matrix.shape != shape:
                    raise ValueError(f"stacked W for {ih} has shape {tuple(matrix.shape)}, expected {shape}")
                w_ih.copy_(matrix[:, : w_ih.shape[1]])
                w_hh.copy_(matrix[:, w_ih.shape[1] :])
        return rnn

    def stacked_weight(self, layer: int = 0, reverse: bool = False) -> Tensor:
        """The lecture's W of one layer, [W_ih W_hh], shape (H, I + H); differentiable in both."""
        suffix = f"l{layer}_reverse" if reverse else f"l{layer}"
        return torch.cat([self._weight(f"weight_ih_{suffix}"), self._weight(f"weight_hh_{suffix}")], 1)

    def extra_repr(self) -> str:
        """torch's, then what is not at its default."""
        own = {
            "recurrent_dropout": (self.recurrent_dropout, 0.0),
            "locked_dropout": (self.locked_dropout, False),
            "layer_norm": (self.layer_norm, False),
            "residual": (self.residual, False),
            "learned_h0": (self.learned_h0, False),
            "init": (self.init, "uniform"),
        }
        return ", ".join(
            [
                super().extra_repr(),
                *(f"{key}={value!r}" for key, (value, default) in own.items() if value != default),
            ]
        )
