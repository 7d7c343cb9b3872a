"""`CTRNN`: the continuous-time network of computational neuroscience, by the names used there."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from elman.errors import UserError
from elman.nn.parametrizations import Dale, Mask, constrain
from elman.nn.rnn import RNN


class CTRNN(RNN):
    """A continuous-time recurrent network, taken in steps of dt (Euler and Maruyama).

        tau dv/dt = -v + W_ih x + W_hh f(v) + b + noise,   h = f(v)           form "current"
        tau dh/dt = -h + f(W_ih x + W_hh h + b + noise)                       form "rate"

    It is `elman.RNN` with leak = dt / tau and noise of size sqrt(2 tau / dt) * `noise`, so that in the current form v
    has the standard deviation `noise` where nothing else drives it, whatever dt is (Song, Yang and Wang 2016, equation
    5). Everything else is that layer's: parameters, inputs, outputs, `lengths`, `reset`, `step`.

    Arguments:
        input_size, hidden_size: I and H.
        dt: the time that a step takes, in the unit of tau.
        tau: the time constant, a number or one a unit; at least dt.
        noise: the standard deviation of the noise, a number or one a unit; None in evaluation mode.
        dale: the sign of what each unit sends, (H,) of 1 and -1, or the share of excitatory units; None for no law.
        mask: (H, H), 0 and 1: row i says from whom unit i receives.
        nonlinearity: f, as `elman.RNN` takes it.
        form: "current" or "rate".
        learn_tau: make the time constants parameters, one a unit, which start at tau and stay above dt.
        options: other arguments of `elman.RNN`: num_layers, bias, batch_first, learned_h0, ...

    Raises:
        UserError: dt is longer than tau, the noise is negative, or `dale` or `mask` does not fit.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        *,
        dt: float = 20.0,
        tau: float | Tensor = 100.0,
        noise: float | Tensor | None = None,
        dale: Tensor | float | None = None,
        mask: Tensor | None = None,
        nonlinearity: Any = "relu",
        form: str = "current",
        learn_tau: bool = False,
        **options: Any,
    ) -> None:
        if not (math.isfinite(dt) and dt > 0):
            raise UserError(f"`dt` is {dt}; it must be finite and greater than 0")
        times = torch.as_tensor(tau, dtype=torch.get_default_dtype())
        if not (times >= dt).all() or not times.isfinite().all():
            shortest = times.min().item()
            raise UserError(f"`dt` is {dt}, longer than the time constant `tau`, {shortest:g}; take smaller steps")
        size = None
        if noise is not None:
            size = torch.as_tensor(noise, dtype=times.dtype)
            if not (size >= 0).all():
                raise UserError(f"`noise` is {size.min().item():g}; it must not be negative")
            size = size * (2 * times / dt).sqrt()
        leak: Any = dt / times
        super().__init__(
            input_size,
            hidden_size,
            nonlinearity=nonlinearity,
            form=form,
            leak=leak,
            learn_leak="time constant" if learn_tau else None,
            noise=size,
            **options,
        )
        self.dt = dt
        own: list[nn.Module] = []
        if dale is not None:
            own.append(Dale(dale))
        if mask is not None:
            own.append(Mask(mask))
        for constraint in own:
            constrain(self, constraint)

    def time_constants(self) -> list[Tensor]:
        """tau of every layer and direction now, (H,) each."""
        assert self.dynamics is not None
        leaks = (self.dynamics.leak_of(name) for name in self.dynamics.names)
        return [self.dt / leak for leak in leaks if leak is not None]
