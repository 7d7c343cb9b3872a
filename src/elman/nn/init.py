"""Initialisers of the recurrent weights, for the recurrent modules of elman and of torch alike.

Each works in place on every recurrent layer and direction of a module (`torch.nn.RNN`, `torch.nn.RNNCell` and those
of elman) and returns the module. The input weights and biases keep their values, except where the source says more.
"""

from __future__ import annotations

import math
from typing import TypeVar

import torch
from torch import Tensor, nn

from elman.nn.starts import balanced_dale_ as balanced_dale_
from elman.nn.starts import low_rank_ as low_rank_
from elman.nn.starts import sparse_ as sparse_

Module = TypeVar("Module", bound=nn.Module)

CHOICES = ("uniform", "orthogonal", "identity", "antisymmetric")
"""What the layers' option `init` takes, besides a number."""


def orthogonal_(module: Module, gain: float = 1.0) -> Module:
    """Make every W_hh a random orthogonal matrix times `gain` (Saxe, McClelland and Ganguli 2014).

    Raises:
        ValueError: the module has no square recurrent weights.
    """
    for w_hh in _named(module, "weight_hh"):
        nn.init.orthogonal_(w_hh, gain)
    return module


def identity_(module: Module, scale: float = 1.0, input_std: float = 0.001) -> Module:
    """Make every W_hh `scale` times the identity, as for the relu network of Le, Jaitly and Hinton (2015).

    Also from there (section 3): biases zero, and the input weights normal with a standard deviation of `input_std`.

    Raises:
        ValueError: the module has no square recurrent weights.
    """
    with torch.no_grad():
        for w_hh in _named(module, "weight_hh"):
            nn.init.eye_(w_hh).mul_(scale)
        for w_ih in _named(module, "weight_ih"):
            nn.init.normal_(w_ih, std=input_std)
        for bias in _named(module, "bias_"):
            nn.init.zeros_(bias)
    return module


def antisymmetric_(module: Module, scale: float = 0.1) -> Module:
    """Make every W_hh antisymmetric, W - W^T with W's entries normal, its largest singular value about `scale`.

    For layers with the identity connection, h_t = h_(t-1) + f(a_t): the eigenvalues of an antisymmetric matrix are
    imaginary, so that a small state neither grows nor fades (Chang, Chen, Haber and Chi 2019, section 3; their step
    size is `scale`).

    Raises:
        ValueError: the module has no square recurrent weights.
    """
    with torch.no_grad():
        for w_hh in _named(module, "weight_hh"):
            nn.init.normal_(w_hh, std=scale / math.sqrt(8 * max(len(w_hh), 1)))
            w_hh.sub_(w_hh.t().clone())
    return module


def spectral_(module: Module, radius: float = 1.0) -> Module:
    """Scale every W_hh, as it is, to the spectral radius `radius`: the largest modulus of its eigenvalues.

    Under 1 the linear part of the recurrence forgets, over 1 it grows (the lecture's "Issues with the Vanilla RNN").

    Raises:
        ValueError: `radius` is negative or not finite, a W_hh has radius 0 already, or the module has no square
            recurrent weights.
    """
    if not (math.isfinite(radius) and radius >= 0):
        raise ValueError(f"radius is {radius}; it must be finite and not negative")
    for w_hh in _named(module, "weight_hh"):
        if w_hh.is_meta:
            continue
        now = torch.linalg.eigvals(w_hh.detach().double()).abs().max().item()
        if now == 0:
            raise ValueError("a recurrent weight matrix has spectral radius 0 and cannot be scaled to another")
        with torch.no_grad():
            w_hh.mul_(radius / now)
    return module


def _named(module: nn.Module, name: str) -> list[Tensor]:
    """The module's own parameters whose name starts so."""
    parameters = module.named_parameters(recurse=False)
    found: list[Tensor] = [parameter for key, parameter in parameters if key.startswith(name)]
    if name == "weight_hh" and not (found and all(w.shape[0] == w.shape[1] for w in found)):
        raise ValueError(f"{type(module).__name__} has no square recurrent weights (weight_hh)")
    return found


def check_choice(choice: str | float, nonlinearity: str) -> None:
    """Raise ValueError unless `choice` is one that the layers' option `init` takes."""
    if isinstance(choice, str):
        if choice not in CHOICES:
            names = ", ".join(map(repr, CHOICES))
            raise ValueError(f"init is {choice!r}; choose {names}, or a number, the spectral radius")
        if choice == "identity" and nonlinearity != "relu":
            raise ValueError(f"init='identity' is for nonlinearity='relu', which is {nonlinearity!r} here")
    elif not (math.isfinite(choice) and choice > 0):
        raise ValueError(f"init is {choice}; a spectral radius is finite and greater than 0")


def apply_choice_(module: nn.Module, choice: str | float) -> None:
    """Initialise a module, fresh from torch's own initialisation, by a choice that `check_choice` let pass."""
    if choice == "orthogonal":
        orthogonal_(module)
    elif choice == "identity":
        identity_(module)
    elif choice == "antisymmetric":
        antisymmetric_(module)
    elif not isinstance(choice, str):
        spectral_(module, choice)
