"""How large W_hh may be: by its eigenvalues, or by its singular values."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from elman.errors import UserError


def _check(name: str, bound: float) -> None:
    if not (math.isfinite(bound) and bound > 0):
        raise UserError(f"`{name}` is {bound}; it must be finite and greater than 0")


class SpectralRadius(nn.Module):
    """W = V scaled to a spectral radius, the largest modulus of an eigenvalue; or to at most that.

    Arguments:
        radius: the bound.
        exact: scale up too.

    Raises:
        UserError: `radius` is not finite and positive.
    """

    keeps_zeros = True

    def __init__(self, radius: float, exact: bool = False) -> None:
        super().__init__()
        _check("radius", radius)
        self.radius, self.exact = radius, exact

    def forward(self, weight: Tensor) -> Tensor:
        """V (H, H) to W (H, H)."""
        now = torch.linalg.eigvals(weight).abs().max().clamp_min(torch.finfo(weight.dtype).tiny)
        scale: Tensor = self.radius / now
        return weight * (scale if self.exact else scale.clamp_max(1))

    def right_inverse(self, weight: Tensor) -> Tensor:
        """W itself."""
        return weight


class NormBound(nn.Module):
    """W = V scaled down to at most `bound` in its largest singular value: no step stretches a state by more.

    Raises:
        UserError: `bound` is not finite and positive.
    """

    keeps_zeros = True

    def __init__(self, bound: float) -> None:
        super().__init__()
        _check("bound", bound)
        self.bound = bound

    def forward(self, weight: Tensor) -> Tensor:
        """V to W, of one shape."""
        now = torch.linalg.matrix_norm(weight, 2).clamp_min(torch.finfo(weight.dtype).tiny)
        scale: Tensor = self.bound / now
        return weight * scale.clamp_max(1)

    def right_inverse(self, weight: Tensor) -> Tensor:
        """W itself."""
        return weight
