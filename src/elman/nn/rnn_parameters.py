"""The parameters of `RNN`: its constructor, how they start, and the lecture's stacked form of them.

I inputs, H hidden units, L layers, D directions.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import torch
from torch import Tensor, nn

from elman.kernels.decoder import LayerWeights
from elman.nn import init as initialisers
from elman.nn.general.dynamics import Function, check_nonlinearity, make_dynamics
from elman.nn.parametrizations.low_rank import factors_of
from elman.nn.refusals import check_dtype

_MODES = {"tanh": "RNN_TANH", "relu": "RNN_RELU"}  # torch's names, in its attribute `mode`


class RNNParameters(nn.RNNBase):
    """What `RNN` holds; its arguments are described there."""

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        nonlinearity: str | Function = "tanh",
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
        leak: float | Tensor | None = None,
        learn_leak: str | None = None,
        noise: float | Tensor | None = None,
        noise_in_eval: bool = False,
        form: str = "rate",
        proj_size: int | None = None,
    ) -> None:
        if proj_size is not None:  # as torch.nn.RNN refuses it
            raise ValueError("proj_size argument is only supported for LSTM, not RNN or GRU")
        check_dtype(dtype)
        if not 0 <= recurrent_dropout < 1:
            raise ValueError(f"recurrent_dropout is {recurrent_dropout}; it must be at least 0 and less than 1")
        check_nonlinearity(nonlinearity, layer_norm)
        initialisers.check_choice(init, nonlinearity if isinstance(nonlinearity, str) else "")
        # torch's constructor ends by calling reset_parameters, which asks for these
        self.nonlinearity: Any = nonlinearity
        self.recurrent_dropout = recurrent_dropout
        self.locked_dropout = locked_dropout
        self.layer_norm = layer_norm
        self.residual = residual
        self.learned_h0 = learned_h0
        self.init = init
        super().__init__(
            _MODES.get(nonlinearity, "RNN_TANH") if isinstance(nonlinearity, str) else "RNN_TANH",
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
        self.dynamics = make_dynamics(
            [weights[0].removeprefix("weight_ih_") for weights in self._all_weights],
            hidden_size,
            leak=leak,
            learn_leak=learn_leak,
            noise=noise,
            noise_in_eval=noise_in_eval,
            form=form,
            layer_norm=layer_norm,
            residual=residual,
            device=device,
            dtype=dtype,
        )

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
        if "dynamics" in self._modules and self.dynamics is not None:
            self.dynamics.reset_parameters()

    def _weights(self, layer: int, D: int) -> list[Any]:
        """A layer's weights, of one direction after the other; in the place of one of low rank its two factors."""
        names = self._all_weights[layer * D]
        if D == 2:
            names = names + self._all_weights[layer * D + 1]
        parameters: Any = self._parameters
        try:
            return list(map(parameters.__getitem__, names))
        except KeyError:
            return [factors_of(self, name) or self._weight(name) for name in names]

    def _weight(self, name: str) -> Tensor:
        """The parameter `name`, or the plain attribute that pruning or a parametrisation put in its place."""
        parameter = self._parameters.get(name)  # a fifth of the time that getattr takes on a module
        return getattr(self, name) if parameter is None else parameter

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
