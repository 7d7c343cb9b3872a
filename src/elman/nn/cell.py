"""`RNNCell`: one step, in the place of `torch.nn.RNNCell`."""

from __future__ import annotations

from functools import partial
from typing import NoReturn, cast

import torch
from torch import Tensor, nn

import elman.nn.init as initialisers
from elman.kernels.options import NONLINEARITIES, RecurrenceInputs, options_for
from elman.nn.layer_norm import normalised_recurrence
from elman.nn.refusals import check_dtype, is_ordinary, refuse_script, take_other
from elman.ops.functional import run_recurrence


class RNNCell(nn.RNNCell):
    """One step of the recurrence, in the place of `torch.nn.RNNCell`.

        h' = tanh(W_ih x + b_ih + W_hh h + b_hh)

    The first six arguments, the parameters, their names, the random numbers they start from, inputs, outputs and
    errors are those of `torch.nn.RNNCell` (it is a subclass). The step is the one that `RNN` takes.

    Arguments:
        input_size: features of the input, I.
        hidden_size: hidden units, H.
        bias: whether there are b_ih and b_hh.
        nonlinearity: "tanh" or "relu".
        device, dtype: of the parameters.
        layer_norm: normalise the pre-activation; adds the gain `layer_norm_weight`. See `RNN`.
        residual: the identity connection h' = h + f(a).
        init: "uniform", "orthogonal", "identity", "antisymmetric" or a spectral radius. See `RNN`.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        nonlinearity: str = "tanh",
        device: torch.device | str | int | None = None,
        dtype: torch.dtype | None = None,
        *,
        layer_norm: bool = False,
        residual: bool = False,
        init: str | float = "uniform",
    ) -> None:
        check_dtype(dtype)
        initialisers.check_choice(init, nonlinearity)
        # torch's constructor ends by calling reset_parameters, which asks for these
        self.layer_norm = layer_norm
        self.residual = residual
        self.init = init
        super().__init__(input_size, hidden_size, bias, nonlinearity, device, dtype)
        if layer_norm:
            self.layer_norm_weight = nn.Parameter(torch.ones(hidden_size, device=device, dtype=dtype))

    def reset_parameters(self) -> None:
        """Draw the parameters anew, as the constructor does."""
        super().reset_parameters()
        initialisers.apply_choice_(self, self.init)
        if "layer_norm_weight" in self._parameters:
            nn.init.ones_(self.layer_norm_weight)

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        """Take one step.

        Arguments:
            input: (B, I), or (I,) for one sequence.
            hx: the state before the step, (B, H) or (H,); zero if not given.

        Returns:
            The state after the step, shaped as `hx`.

        Raises:
            RuntimeError, ValueError: a shape does not fit; types and messages are torch's.
        """
        if not (is_ordinary(input) and is_ordinary(hx)):
            return cast(Tensor, take_other(self, {"input": input, "hx": hx}))
        batched = input.dim() == 2
        x = input if batched else input.unsqueeze(0)
        h = hx if batched or hx is None else hx.unsqueeze(0)
        if h is None:
            h = x.new_zeros(x.shape[0], self.hidden_size)
        known = self.nonlinearity in NONLINEARITIES
        if not known or x.dim() != 2 or x.shape[1] != self.input_size or h.shape != (len(x), self.hidden_size):
            return super().forward(input, hx)  # which raises what torch raises
        bias = None if self.bias_ih is None else self.bias_ih + self.bias_hh
        inputs = RecurrenceInputs(x.unsqueeze(0), h, self.weight_ih, self.weight_hh, bias)
        options = options_for(self.nonlinearity, False, self.residual)
        run = partial(normalised_recurrence, gain=self.layer_norm_weight) if self.layer_norm else run_recurrence
        _, new = run(inputs, options)
        if self.layer_norm and torch.is_grad_enabled():
            new = new.clone()  # autograd keeps its own, and torch's cell allows its state to be changed in place
        return new if batched else new.squeeze(0)

    def __prepare_scriptable__(self) -> NoReturn:
        refuse_script(self)

    def extra_repr(self) -> str:
        """torch's, then what is not at its default."""
        own = {
            "layer_norm": (self.layer_norm, False),
            "residual": (self.residual, False),
            "init": (self.init, "uniform"),
        }
        return ", ".join(
            [
                super().extra_repr(),
                *(f"{key}={value!r}" for key, (value, default) in own.items() if value != default),
            ]
        )
