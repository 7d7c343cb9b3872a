"""What a layer has beside torch's: a leak, noise, a form, other functions; `RNN` keeps them here and runs by them.

H hidden units, L layers, D directions.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, Protocol, cast

import torch
from torch import Tensor, nn

from elman.errors import UserError
from elman.kernels.general.noise import normal
from elman.kernels.general.options import FORMS, NONLINEARITIES, GeneralInputs, GeneralOptions, general_options
from elman.kernels.options import NONLINEARITIES as PLAIN_NONLINEARITIES
from elman.nn.general.loop import looped_recurrence
from elman.nn.parametrizations.connections import connections_of
from elman.ops.general.functional import run_general

Function = Callable[[Tensor], Tensor]
LEARNED = ("sigmoid", "time constant")


class Dynamics(nn.Module):
    """The terms of a layer that torch's has not.

    Arguments:
        names: of the layer's directions, "l0", "l0_reverse", ...
        hidden_size: H.
        leak: a number or H of them, in (0, 1]; None is 1.
        learn_leak: "sigmoid", a = 1 / (1 + e^-p), or "time constant", a = 1 / (1 + log(1 + e^p)): both stay in (0, 1).
        noise: a number, H of them, or a factor (H, K) of a covariance.
        noise_in_eval: whether there is noise outside training mode too.
        form: "rate" or "current".

    Raises:
        UserError: a value is out of range or of the wrong shape.
    """

    def __init__(
        self,
        names: list[str],
        hidden_size: int,
        leak: float | Tensor | None,
        learn_leak: str | None,
        noise: float | Tensor | None,
        noise_in_eval: bool,
        form: str,
        *,
        device: torch.device | str | int | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        if form not in FORMS:
            raise UserError(f"`form` is {form!r}; choose 'rate' or 'current'")
        if learn_leak is not None and learn_leak not in LEARNED:
            raise UserError(f"`learn_leak` is {learn_leak!r}; choose 'sigmoid' or 'time constant'")
        self.form, self.learn_leak, self.noise_in_eval, self.names = form, learn_leak, noise_in_eval, names
        if leak is None and learn_leak is not None:
            leak = 0.5
        start = _checked("leak", leak, hidden_size, device, dtype)
        size = _checked("noise", noise, hidden_size, device, dtype)
        self.register_buffer("leak", start if learn_leak is None else None)
        self.register_buffer("noise", size)
        self.leak: Tensor | None
        self.noise: Tensor | None
        self.start: Tensor | None = None
        if learn_leak is not None:
            assert start is not None
            self.start = start
            if (start >= 1).any():
                raise UserError("`leak` is 1; one that is learned starts below 1, such as 0.5")
            for name in names:
                self.register_parameter(f"leak_{name}", nn.Parameter(_raw(start, learn_leak)))

    def reset_parameters(self) -> None:
        """Put the learned leaks back to their start."""
        with torch.no_grad():
            for parameter in self.parameters():
                assert self.start is not None
                assert self.learn_leak is not None
                parameter.copy_(_raw(self.start, self.learn_leak))

    def leak_of(self, name: str) -> Tensor | None:
        """a of one direction, (H,), in (0, 1]."""
        if self.learn_leak is None:
            return self.leak
        return self.leak_from(getattr(self, f"leak_{name}"))

    def leak_from(self, raw: Tensor) -> Tensor:
        """a of a learned parameter, of any shape."""
        return torch.sigmoid(raw) if self.learn_leak == "sigmoid" else 1 / (1 + nn.functional.softplus(raw))

    @property
    def noisy(self) -> bool:
        """Whether there is noise now."""
        return self.noise is not None and (self.training or self.noise_in_eval)

    def run(
        self,
        direction: int,  # its place in `names`
        inputs: GeneralInputs,  # without leak and noise; `seed` is the seed alone, (1,)
        options: GeneralOptions,
        function: Function | None,
    ) -> tuple[Tensor, Tensor]:
        """One direction of one layer: h (T, B, H) and the last state (B, H)."""
        inputs = inputs._replace(leak=self.leak_of(self.names[direction]))
        if self.noisy and inputs.seed is not None:
            inputs = self._with_noise(inputs, nn.functional.pad(inputs.seed, (0, 1), value=direction))
        else:
            inputs = inputs._replace(seed=None)
        if function is not None:
            return looped_recurrence(inputs, options, function)
        h, last, _ = run_general(inputs, options)
        return h, last

    def _with_noise(self, inputs: GeneralInputs, seed: Tensor) -> GeneralInputs:
        assert self.noise is not None
        if self.noise.dim() == 1:
            return inputs._replace(noise=self.noise, seed=seed)
        # L n of a factor L (H, K) is K more inputs
        x = inputs.x
        T, B, _ = x.shape
        number, stream = seed.tolist()
        drawn = normal(number, stream, T, B, self.noise.shape[1], x.device).to(x.dtype)
        w_ih = torch.cat([inputs.w_ih, self.noise.to(inputs.w_ih.dtype)], 1)
        return inputs._replace(x=torch.cat([x, drawn], 2), w_ih=w_ih, seed=None)

    def extra_repr(self) -> str:
        """What is not at its default."""
        shown = {"form": self.form, "learn_leak": self.learn_leak}
        return ", ".join(f"{key}={value!r}" for key, value in shown.items() if value)


def make_dynamics(
    names: list[str],
    hidden_size: int,
    *,
    leak: float | Tensor | None,
    learn_leak: str | None,
    noise: float | Tensor | None,
    noise_in_eval: bool,
    form: str,
    layer_norm: bool,
    residual: bool,
    device: torch.device | str | int | None = None,
    dtype: torch.dtype | None = None,
) -> Dynamics | None:
    """The terms of a layer, or None where it has none of them.

    Raises:
        UserError: what is asked for does not go together, or a value is out of range.
    """
    asked = leak is not None or learn_leak is not None or noise is not None or form != "rate"
    if asked and layer_norm:
        raise UserError("`layer_norm` goes without `leak`, `noise` and `form`; choose one")
    if (leak is not None or learn_leak is not None) and residual:
        raise UserError("`leak` and `residual` say different things of h_(t-1); choose one")
    if not asked:
        return None
    return Dynamics(names, hidden_size, leak, learn_leak, noise, noise_in_eval, form, device=device, dtype=dtype)


def check_nonlinearity(nonlinearity: str | Function, layer_norm: bool) -> None:
    """Raise where a layer does not know its nonlinearity.

    Raises:
        ValueError: it is none of the names, in torch's words.
        UserError: it is one that does not go with layer normalisation.
    """
    if not callable(nonlinearity) and nonlinearity not in NONLINEARITIES:
        listed = ", ".join(f"'{name}'" for name in NONLINEARITIES[1:-1])
        last = NONLINEARITIES[-1]
        raise ValueError(f"Unknown nonlinearity '{nonlinearity}'. Select from 'tanh', {listed} or '{last}'.")
    if layer_norm and nonlinearity not in PLAIN_NONLINEARITIES:
        raise UserError("`layer_norm` goes with `nonlinearity` 'tanh' or 'relu'")


def _options_of(nonlinearity: Any, reverse: bool, residual: bool, form: str) -> tuple[GeneralOptions, Function | None]:
    """A direction's options, and the user's own function where there is one."""
    if callable(nonlinearity):
        return general_options("identity", reverse, residual, form), nonlinearity
    return general_options(nonlinearity, reverse, residual, form), None


def cut_from_the_end(
    reset: Tensor,  # (..., T, B)
    lengths: Tensor | None,  # (..., B)
) -> Tensor:
    """The resets of the direction that runs from the end, (..., T, B): the same cuts between steps.

    A reset at t parts step t from step t - 1: who comes from the end is reset before its step t - 1. One past a
    sequence's end parts nothing.
    """
    later = torch.cat([reset, torch.zeros_like(reset[..., :1, :])], -2)[..., 1:, :]
    if lengths is None:
        return later
    return later & (torch.arange(1, reset.shape[-2] + 1, device=reset.device).unsqueeze(1) < lengths.unsqueeze(-2))


class Layer(Protocol):
    """What is asked of a layer here: `elman.nn.RNN` has it."""

    nonlinearity: Any
    residual: bool
    bidirectional: bool
    training: bool
    recurrent_dropout: float
    dynamics: Dynamics | None
    hidden_size: int
    learned_h0: bool
    initial_state: nn.Parameter
    _all_weights: list[list[str]]


def general_directions(
    rnn: Layer,
    layer: int,
    x: Tensor,  # (T, B, ...)
    h0: Tensor | None,  # (D, B, H)
    lengths: Tensor | None,  # (B,)
    weights: Sequence[Any],  # of one direction after the other; a w_hh of low rank is its two factors
    reset: Tensor | None,  # (T, B)
    seed: Tensor | None,  # (1,)
) -> tuple[Tensor, Tensor]:
    """One layer, direction by direction: h (T, B, D * H) and the last states (D, B, H)."""
    states, last = [], []
    D, dynamics = 2 if rnn.bidirectional else 1, rnn.dynamics
    each, form = len(weights) // D, "rate" if dynamics is None else dynamics.form
    for d in range(D):
        cut = reset if reset is None or d == 0 else cut_from_the_end(reset, lengths)
        own = None if h0 is None else h0[d]
        inputs = _inputs(rnn, layer * D + d, x, own, lengths, weights[d * each : (d + 1) * each], cut, seed)
        options, function = _options_of(rnn.nonlinearity, d == 1, rnn.residual, form)
        if dynamics is not None:
            h, h_last = dynamics.run(layer * D + d, inputs, options, function)
        elif function is not None:
            h, h_last = looped_recurrence(inputs, options, function)
        else:
            h, h_last, _ = run_general(inputs, options)
        states.append(h)
        last.append(h_last)
    if D == 1:
        return states[0], last[0].unsqueeze(0)
    return torch.cat(states, 2), torch.stack(last)


def _inputs(
    rnn: Layer,
    place: int,  # the direction's, among those of all layers
    x: Tensor,
    h0: Tensor | None,  # (B, H)
    lengths: Tensor | None,
    weights: Sequence[Any],
    reset: Tensor | None,  # (T, B)
    seed: Tensor | None,
) -> GeneralInputs:
    """One direction's tensors but those of `dynamics`."""
    w_ih, w_hh, *biases = weights
    w_hh, w_in = w_hh if isinstance(w_hh, tuple) else (w_hh, None)
    start = x.new_zeros(x.shape[1], rnn.hidden_size) if h0 is None else h0
    mask = None
    if rnn.recurrent_dropout and rnn.training:
        mask = nn.functional.dropout(torch.ones_like(start), rnn.recurrent_dropout)
    restart = rnn.initial_state[place, 0] if reset is not None and rnn.learned_h0 else None
    bias = biases[0] + biases[1] if biases else None
    connected = connections_of(cast(nn.Module, rnn), rnn._all_weights[place][1])
    given = {"restart": restart, "w_in": w_in, "lengths": lengths, "mask": mask, "reset": reset, "seed": seed}
    return GeneralInputs(x, start, w_ih, w_hh, bias, **given, connected=connected)


def _checked(
    name: str, value: float | Tensor | None, H: int, device: torch.device | str | int | None, dtype: torch.dtype | None
) -> Tensor | None:
    """A number, or one a unit, as (H,); of noise also (H, K)."""
    if value is None:
        return None
    tensor = torch.as_tensor(value, dtype=dtype or torch.get_default_dtype(), device=device).detach().clone()
    if tensor.dim() == 0:
        tensor = tensor.repeat(H)
    covariance = name == "noise" and tensor.dim() == 2
    if tensor.shape[0] != H or tensor.dim() > 1 + covariance:
        raise UserError(f"`{name}` has shape {tuple(tensor.shape)}; give a number, or one for each of {H} units")
    if tensor.is_meta or covariance:
        return tensor
    low, high = tensor.min().item(), tensor.max().item()
    if name == "leak" and not (low > 0 and high <= 1):
        raise UserError(f"`leak` is {low if low <= 0 else high}; it must be greater than 0 and at most 1")
    if not (low >= 0 and high < math.inf):
        raise UserError(f"`{name}` is {low if low < 0 else high}; it must be finite and not negative")
    return tensor


def _raw(leak: Tensor, learned: str) -> Tensor:
    """The parameter that stands for a leak in (0, 1)."""
    if learned == "sigmoid":
        return torch.logit(leak)
    return torch.log(torch.expm1(1 / leak - 1))
