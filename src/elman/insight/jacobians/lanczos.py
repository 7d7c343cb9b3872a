"""The largest singular value of a map that is known only by its products with vectors.

Golub and Kahan, "Calculating the singular values and pseudo-inverse of a matrix" (1965), section 3: alternate
products with the map and with its transpose make it bidiagonal, a row and a column a round, and the largest
value of the small band is soon that of the map. R maps of S x S run side by side.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

# A vector for each map, (R, S), to its image, and the logarithm of a scale taken out of it, (R,) float64.
Operator = Callable[[Tensor], tuple[Tensor, Tensor]]


def largest_singular_value(
    jvp: Operator, vjp: Operator, start: Tensor, tolerance: float, most: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Find the largest singular value of each map.

    Arguments:
        jvp, vjp: the map and its transpose.
        start: (R, S) a vector for each, not at right angles to the answer.
        tolerance: stop when the residual is less than this share of the value: a singular value lies that
            near, and as a rule the error is the residual's square.
        most: rounds at most.

    Returns:
        the value, (R,) float64, never above the true one; its right singular vector, (R, S); and the residual
        as a share of the value, (R,) float64.
    """
    right = [start / start.norm(dim=-1, keepdim=True)]
    left: list[Tensor] = []
    alphas: list[Tensor] = []
    betas: list[Tensor] = []
    scale = torch.zeros(len(start), dtype=torch.float64)
    for count in range(1, min(most, start.shape[-1]) + 1):
        u, log = jvp(right[-1])
        scale = log if count == 1 else scale
        left.append(_unit(u * (log - scale).exp().to(u)[:, None], left, alphas))
        w, log = vjp(left[-1])
        right.append(_unit(w * (log - scale).exp().to(w)[:, None], right, betas))
        p, values, q = torch.linalg.svd(_band(alphas, betas))
        residual = betas[-1] * p[:, -1, 0].abs() / values[:, 0].clamp_min(torch.finfo(torch.float64).tiny)
        if bool((residual <= tolerance).all()):
            break
    vector: Tensor = (q[:, 0, :, None].to(start) * torch.stack(right[:-1], 1)).sum(1)
    return values[:, 0] * scale.exp(), vector, residual


def _unit(v: Tensor, basis: list[Tensor], lengths: list[Tensor]) -> Tensor:
    """Take from v its share along `basis`, twice for accuracy; note its length and give it length 1."""
    if basis:
        q = torch.stack(basis, 1)
        for _ in range(2):
            v = v - ((v[:, None] * q).sum(-1, keepdim=True) * q).sum(1)
    length = v.norm(dim=-1)
    lengths.append(length.double().cpu())
    unit: Tensor = v / length.clamp_min(torch.finfo(v.dtype).tiny)[:, None]
    return unit


def _band(alphas: list[Tensor], betas: list[Tensor]) -> Tensor:
    size = len(alphas)
    band = torch.zeros(len(alphas[0]), size, size, dtype=torch.float64)
    for k in range(size):
        band[:, k, k] = alphas[k]
        if k:
            band[:, k - 1, k] = betas[k - 1]
    return band
