"""Recurrent weights of low rank, W_hh = M N^T (Mastrogiuseppe and Ostojic 2018), at the cost of their rank."""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from elman.errors import UserError
from elman.nn.parametrizations.connections import is_hooked


class LowRank(nn.Module):
    """W = M N^T with M, N (H, r): the trained tensors are `original0`, M, and `original1`, N.

    As the only constraint of an `elman.RNN`'s weight, W is never made: a step multiplies by N, then by M. Beside others
    it is made, and costs what any W does. A weight that is set is met by its r largest singular values.

    Arguments:
        rank: r.

    Raises:
        UserError: `rank` is below 1, or above the weight's sizes.
    """

    def __init__(self, rank: int) -> None:
        super().__init__()
        if rank < 1:
            raise UserError(f"`rank` is {rank}; it must be at least 1")
        self.rank = rank

    def forward(self, m: Tensor, n: Tensor) -> Tensor:
        """M (H, r) and N (H, r) to W (H, H)."""
        return m @ n.t()

    def right_inverse(self, weight: Tensor) -> tuple[Tensor, Tensor]:
        """W to M and N, of one size."""
        if self.rank > min(weight.shape):
            raise UserError(f"`rank` is {self.rank}, above the sizes of the weight {tuple(weight.shape)}")
        u, s, v = torch.linalg.svd(weight, full_matrices=False)
        root = s[: self.rank].sqrt()
        return (u[:, : self.rank] * root).contiguous(), (v[: self.rank].t() * root).contiguous()


def factors_of(module: nn.Module, name: str) -> tuple[Tensor, Tensor] | None:
    """M and N of a weight whose only constraint is a low rank; None for others."""
    if not parametrize.is_parametrized(module, name):
        return None
    constraints: Any = cast(Any, module).parametrizations[name]
    if (
        len(constraints) != 1
        or type(constraints[0]) is not LowRank
        or is_hooked(constraints)
        or is_hooked(constraints[0])
    ):
        return None
    return constraints.original0, constraints.original1
