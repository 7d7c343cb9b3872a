"""Starts of recurrent weights that go with constraints: balanced under Dale's law, sparse, of low rank.

Each works in place on every recurrent layer and direction of a module and returns it, as those of `elman.nn.init`.
"""

from __future__ import annotations

import math
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from elman.errors import UserError
from elman.nn.parametrizations.dale import signs
from elman.nn.parametrizations.low_rank import factors_of

Module = TypeVar("Module", bound=nn.Module)


def balanced_dale_(module: Module, sign: Tensor | float = 0.8, radius: float = 1.5, density: float = 1.0) -> Module:
    """W[i, j] = sign_j |w|, each unit's excitation and inhibition in balance, scaled to a spectral radius.

    The sizes are of a gamma distribution with shape 2; those of the inhibitory units are multiplied by the ratio of
    excitatory to inhibitory units, and each row's are scaled so that it sums to 0 (Song, Yang and Wang 2016, section
    "Training"; Rajan and Abbott 2006 for the balance).

    Arguments:
        sign: 1 or -1 for each unit, or the share of excitatory ones.
        radius: of the matrix.
        density: the share of connections that there are.

    Raises:
        UserError: there are no units of one of the signs, or `density` is outside 0 to 1.
    """
    if not 0 < density <= 1:
        raise UserError(f"`density` is {density}; it is a share, above 0 and at most 1")
    for name in _names(module):
        w_hh = getattr(module, name).detach()
        H = w_hh.shape[0]
        s = (sign if isinstance(sign, Tensor) else signs(H, sign)).to(w_hh)
        if s.shape != (H,):
            raise UserError(f"`sign` has shape {tuple(s.shape)}, the module {H} units")
        if (s > 0).all() or (s < 0).all():
            raise UserError("`sign` has units of one sign alone; balance needs excitatory and inhibitory ones")
        size = torch.empty(2, H, H, dtype=w_hh.dtype).exponential_().sum(0) * (torch.rand(H, H) < density)
        size = size.to(w_hh)
        excitation, inhibition = size @ (s > 0).to(size), size @ (s < 0).to(size)
        ratio = torch.where(inhibition > 0, excitation / inhibition.clamp_min(1e-12), 1).unsqueeze(1)
        _put(module, name, _scaled(torch.where(s > 0, size, -size * ratio), radius))
    return module


def sparse_(module: Module, density: float = 0.1, radius: float = 1.0) -> Module:
    """Normal entries where there is a connection, zeros elsewhere, scaled to a spectral radius (Jaeger 2001).

    Every unit receives from at least one. The zeros are trained as the others are; `Mask` keeps them.

    Raises:
        UserError: `density` is outside 0 to 1.
    """
    if not 0 < density <= 1:
        raise UserError(f"`density` is {density}; it is a share, above 0 and at most 1")
    for name in _names(module):
        w_hh = getattr(module, name).detach()
        H = w_hh.shape[0]
        there = torch.rand(H, H) < density
        there[torch.arange(H), torch.randint(H, (H,))] = True
        _put(module, name, _scaled((torch.randn(H, H) * there).to(w_hh), radius))
    return module


def low_rank_(module: Module, rank: int = 1, overlap: float = 1.0, noise: float = 0.0) -> Module:
    """W = M N^T / H + noise: the columns of M and N normal, each pair's covariance `overlap`.

    `overlap` is an outlier of the spectrum for each of the `rank` pairs, `noise` the radius of the other eigenvalues
    (Mastrogiuseppe and Ostojic 2018; Schuessler et al. 2020). With the constraint `LowRank` the trained factors start
    so, without the noise.

    Raises:
        UserError: `rank` is below 1, or noise is asked for under the constraint.
    """
    if rank < 1:
        raise UserError(f"`rank` is {rank}; it must be at least 1")
    for name in _names(module):
        factors = factors_of(module, name)
        if factors is not None and noise:
            raise UserError("`noise` has full rank, and the weight is held to a low one; leave it out")
        w_hh: Tensor = getattr(module, name)
        H = w_hh.shape[0]
        r = rank if factors is None else factors[0].shape[1]
        m, rest = torch.randn(2, H, r).to(w_hh)
        n = overlap * m + rest
        with torch.no_grad():
            if factors is not None:
                factors[0].copy_(m / math.sqrt(H))
                factors[1].copy_(n / math.sqrt(H))
                continue
            spread = torch.randn(H, H).to(w_hh) * (noise / math.sqrt(H))
            _put(module, name, m @ n.t() / H + spread)
    return module


def _names(module: nn.Module) -> list[str]:
    """The recurrent weights by name, constrained or not."""
    names = [name for name, _ in module.named_parameters(recurse=False)]
    if parametrize.is_parametrized(module):
        constrained: Any = module.parametrizations
        names += list(constrained)
    found = [name for name in names if name.startswith("weight_hh")]
    if not found:
        raise UserError(f"{type(module).__name__} has no recurrent weights (weight_hh)")
    return found


def _put(module: nn.Module, name: str, value: Tensor) -> None:
    """Set a weight; a constrained one by way of its constraints."""
    with torch.no_grad():
        if parametrize.is_parametrized(module, name):
            setattr(module, name, value)
        else:
            weight: Tensor = getattr(module, name)
            weight.copy_(value)


def _scaled(weight: Tensor, radius: float) -> Tensor:
    now = torch.linalg.eigvals(weight.double()).abs().max().item()
    return weight * (radius / now) if now > 0 else weight
