"""What the general recurrence computes from: the tensors, the options, and which gradients are asked for.

It is the recurrence of `elman.kernels.options` with more terms. What needs none of them is computed by that one, whose
kernels are the shorter for it. T steps, B sequences, I inputs, H hidden units.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import NamedTuple

from torch import Tensor

from elman.kernels.options import NONLINEARITIES as PLAIN_NONLINEARITIES

NONLINEARITIES = ("tanh", "relu", "sigmoid", "softplus", "hardtanh", "rectified_tanh", "leaky_relu", "identity")
"""The functions f of the general recurrence, by name; their places here are their numbers in the C interface."""
FORMS = ("rate", "current")
LEAKY_SLOPE = 0.01
"""The slope of leaky relu below zero, torch's default."""


class GeneralInputs(NamedTuple):
    """The tensors of one general recurrence; those with a gradient come first."""

    x: Tensor  # (T, B, I) input
    h0: Tensor  # (B, H) state before the first step: of the current form v, not f(v)
    w_ih: Tensor  # (H, I)
    w_hh: Tensor  # (H, H), or (H, r) with w_in
    bias: Tensor | None = None  # (H,)
    leak: Tensor | None = None  # (H,) a, in (0, 1]; None is 1
    noise: Tensor | None = None  # (H,) s, the size of the noise
    restart: Tensor | None = None  # (H,) the state that a reset goes to; None is zero
    w_in: Tensor | None = None  # (H, r): W_hh = w_hh w_in^T of rank r, with w_hh (H, r) too
    lengths: Tensor | None = None  # (B,) int64; past its length a sequence's outputs are zero
    mask: Tensor | None = None  # (B, H) multiplies what enters W_hh
    reset: Tensor | None = None  # (T, B) bool: before which steps the state is set to `restart`
    seed: Tensor | None = None  # (2,) int64 on the CPU: the noise's seed and stream; with `noise`
    connected: Tensor | None = None  # (H, H) bool: W_hh is zero where it is False, whatever w_hh is; without w_in


class GeneralNeeds(NamedTuple):
    """Which gradients are asked for."""

    x: bool = True
    h0: bool = True
    w_ih: bool = True
    w_hh: bool = True
    bias: bool = True
    leak: bool = True
    noise: bool = True
    restart: bool = True
    w_in: bool = True


class GeneralGradients(NamedTuple):
    """The gradients of the inputs, None where not asked for; each has its input's shape."""

    x: Tensor | None = None
    h0: Tensor | None = None
    w_ih: Tensor | None = None
    w_hh: Tensor | None = None
    bias: Tensor | None = None
    leak: Tensor | None = None
    noise: Tensor | None = None
    restart: Tensor | None = None
    w_in: Tensor | None = None


DIFFERENTIABLE = len(GeneralNeeds._fields)
"""How many of the inputs have a gradient: the first ones."""


@dataclass(frozen=True)
class GeneralOptions:
    """What a general recurrence computes, apart from its tensors.

    Arguments:
        nonlinearity: f, one of `NONLINEARITIES`.
        reverse: run from each sequence's own last step to its first.
        residual: the identity connection: what is kept of h_(t-1) is all of it, in the place of 1 - a.
        form: "rate", where the state is what f has been through, or "current", where it is what f goes through.

    Raises:
        ValueError: the nonlinearity or the form is unknown.
    """

    nonlinearity: str = "tanh"
    reverse: bool = False
    residual: bool = False
    form: str = "rate"

    def __post_init__(self) -> None:
        for name, value, choices in (
            ("nonlinearity", self.nonlinearity, NONLINEARITIES),
            ("form", self.form, FORMS),
        ):
            if value not in choices:
                listed = ", ".join(map(repr, choices[:-1]))
                raise ValueError(f"{name} is {value!r}; choose {listed} or {choices[-1]!r}")

    @property
    def current(self) -> bool:
        """Whether the state is v, and h = f(v)."""
        return self.form == "current"


_SWITCH = (False, True)
_MADE = {values: GeneralOptions(*values) for values in product(NONLINEARITIES, _SWITCH, _SWITCH, FORMS)}


def general_options(nonlinearity: str, reverse: bool, residual: bool, form: str) -> GeneralOptions:
    """The same options without making an object at every call.

    Raises:
        ValueError: the nonlinearity or the form is unknown.
    """
    made = _MADE.get((nonlinearity, reverse, residual, form))
    return GeneralOptions(nonlinearity, reverse, residual, form) if made is None else made


def is_plain(inputs: GeneralInputs, options: GeneralOptions) -> bool:
    """Whether the recurrence of `elman.kernels.options` computes it."""
    added = inputs.leak, inputs.noise, inputs.reset, inputs.w_in, inputs.connected
    terms = any(tensor is not None for tensor in added)
    return options.nonlinearity in PLAIN_NONLINEARITIES and not options.current and not terms


def saves_extra(inputs: GeneralInputs, options: GeneralOptions) -> bool:
    """Whether the adjoint needs one (T, B, H) more than h: f(a_t) of the rate form, v_t of the current form.

    Where all of h_t is f(a_t), h itself says all.
    """
    return options.current or inputs.leak is not None or (options.residual and not is_plain(inputs, options))
