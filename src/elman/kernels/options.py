"""What every backend computes from: the tensors of one recurrence, its options, and which gradients are asked for.

A new term of the recurrence is a field here first: a tensor in `RecurrenceInputs` (in `Needs` and `Gradients` too where
it has a gradient), a constant in `RecurrenceOptions`. T steps, B sequences, I inputs, H hidden units.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import product
from typing import NamedTuple

import torch
from torch import Tensor

NONLINEARITIES = ("tanh", "relu")
"""The functions f of the recurrence, by name."""

PLAIN_TYPES = (Tensor, torch.nn.Parameter)
"""The types of tensors whose memory a backend may take: subclasses have rules of their own."""


class RecurrenceInputs(NamedTuple):
    """The tensors of one recurrence; those with a gradient come first."""

    x: Tensor  # (T, B, I) input
    h0: Tensor  # (B, H) state before the first step
    w_ih: Tensor  # (H, I)
    w_hh: Tensor  # (H, H)
    bias: Tensor | None = None  # (H,)
    lengths: Tensor | None = None  # (B,) int64; past its length a sequence's outputs are zero
    mask: Tensor | None = None  # (B, H) multiplies h_(t-1) on its way into W_hh


class Needs(NamedTuple):
    """Which gradients are asked for."""

    x: bool = True
    h0: bool = True
    w_ih: bool = True
    w_hh: bool = True
    bias: bool = True


class Gradients(NamedTuple):
    """The gradients of the inputs, None where not asked for; each has its input's shape."""

    x: Tensor | None = None
    h0: Tensor | None = None
    w_ih: Tensor | None = None
    w_hh: Tensor | None = None
    bias: Tensor | None = None


@dataclass(frozen=True)
class RecurrenceOptions:
    """What a recurrence computes, apart from its tensors.

    Arguments:
        nonlinearity: f, "tanh" or "relu".
        reverse: run from each sequence's own last step to its first.
        residual: the identity connection, h_t = h_(t-1) + f(a_t).

    Raises:
        ValueError: the nonlinearity is unknown.
    """

    nonlinearity: str = "tanh"
    reverse: bool = False
    residual: bool = False
    _hash: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.nonlinearity not in NONLINEARITIES:
            choices = " or ".join(map(repr, NONLINEARITIES))
            raise ValueError(f"nonlinearity is {self.nonlinearity!r}; choose {choices}")
        kind = NONLINEARITIES.index(self.nonlinearity)  # a number's hash, unlike a word's, is the same in every process
        object.__setattr__(self, "_hash", hash((kind, self.reverse, self.residual)))

    def __hash__(self) -> int:
        return self._hash  # made once: the options are looked up at every call


PLAIN = RecurrenceOptions()
"""The recurrence of `torch.nn.RNN`: tanh, forwards."""

_MADE = {values: RecurrenceOptions(*values) for values in product(NONLINEARITIES, (False, True), (False, True))}


def reading_waits(tensor: Tensor) -> bool:
    """Whether to look at a tensor's values is to wait for a device."""
    return tensor.device.type == "cuda"


def options_for(nonlinearity: str, reverse: bool, residual: bool) -> RecurrenceOptions:
    """The same options without making an object at every call, which takes longer than a short sequence's step.

    Raises:
        ValueError: the nonlinearity is unknown.
    """
    made = _MADE.get((nonlinearity, reverse, residual))
    return RecurrenceOptions(nonlinearity, reverse, residual) if made is None else made
