"""The non-normal form of nnRNN (Kerg et al. 2019): W = P T P^T, a Schur form whose parts are trained apart."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from elman.errors import UserError


class NonNormal(nn.Module):
    """W = P T P^T: P = exp(A - A^T) orthogonal, T of rotations on the diagonal and the trained tensor above them.

    T has 2 x 2 blocks gamma_k [[cos theta_k, -sin theta_k], [sin theta_k, cos theta_k]] on its diagonal, so W's
    eigenvalues are gamma_k e^(+- i theta_k), however large the part above is. With `gamma` 1 and nothing above the
    blocks W is orthogonal, which is where training starts: `gamma`, `theta` and A are parameters of this module, the
    entries of the weight itself above the blocks are what lies above.

    Arguments:
        hidden_size: H, an even number.
        start: what the weight's own entries are multiplied by when the constraint is put on.

    Raises:
        UserError: H is odd.
    """

    def __init__(self, hidden_size: int, start: float = 0.0) -> None:
        super().__init__()
        if hidden_size % 2:
            raise UserError(f"the non-normal form has blocks of two units, and `hidden_size` is {hidden_size}")
        self.start = start
        self.gamma = nn.Parameter(torch.ones(hidden_size // 2))
        self.theta = nn.Parameter(torch.rand(hidden_size // 2) * (2 * math.pi))
        self.skew = nn.Parameter(torch.randn(hidden_size, hidden_size) / math.sqrt(hidden_size))
        unit = torch.arange(hidden_size) // 2
        self.register_buffer("above", unit.unsqueeze(1) < unit, persistent=False)
        self.above: Tensor

    def forward(self, weight: Tensor) -> Tensor:
        """The trained tensor (H, H) to W (H, H)."""
        gamma, theta, skew = (part.to(weight.dtype) for part in (self.gamma, self.theta, self.skew))
        c, s = gamma * theta.cos(), gamma * theta.sin()
        blocks = torch.stack([torch.stack([c, -s], 1), torch.stack([s, c], 1)], 1)  # (H / 2, 2, 2)
        diagonal: Tensor = torch.block_diag(*blocks)  # type: ignore[no-untyped-call]
        T = diagonal + torch.where(self.above, weight, 0)
        P = torch.linalg.matrix_exp(skew - skew.t())
        product: Tensor = P @ T @ P.t()
        return product

    def right_inverse(self, weight: Tensor) -> Tensor:
        """A weight's entries times `start`: a weight that is set is not met again, only its scale is."""
        return weight * self.start
