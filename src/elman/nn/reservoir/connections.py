"""The connections of a reservoir, as they are drawn, and the radius of their spectrum.

H hidden units in G groups of 8, K connections of all groups.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from elman.kernels.cpu.reservoir import GROUP

DENSE = 256
"""Units up to which eigenvalues are computed from the whole matrix."""


def spectral_radius_of(matrix: Tensor) -> float:
    """The size of the largest eigenvalue of a matrix (H, H).

    Of a large matrix by the Arnoldi iteration (Saad 2011, Numerical Methods for Large Eigenvalue Problems, section 6.2)
    with a space that grows until the radius changes by less than 1 part in 1,000.
    """
    H = len(matrix)
    if H <= DENSE:
        return float(torch.linalg.eigvals(matrix).abs().max())
    draw = torch.Generator().manual_seed(0)
    basis = torch.zeros(H, H + 1, dtype=matrix.dtype).T.contiguous()  # a row a vector
    hessenberg = torch.zeros(H + 1, H, dtype=matrix.dtype)
    start = torch.randn(H, generator=draw, dtype=matrix.dtype)
    basis[0] = start / start.norm()
    found, steps, matrix = 0.0, DENSE // 2, matrix.cpu()
    for n in range(H):
        new = matrix @ basis[n]
        for _ in range(2):  # twice is enough for orthogonality
            along = basis[: n + 1] @ new
            new = new - along @ basis[: n + 1]
            hessenberg[: n + 1, n] += along
        size = float(new.norm())
        hessenberg[n + 1, n] = size
        if n + 1 == steps or size < 1e-12 or n + 1 == H:
            radius = float(torch.linalg.eigvals(hessenberg[: n + 1, : n + 1]).abs().max())
            if size < 1e-12 or abs(radius - found) <= 1e-3 * radius:
                return radius
            found, steps = radius, steps + DENSE // 4
        basis[n + 1] = new / size
    return found


def connections(H: int, density: float, draw: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Starts (G + 1), sources (K) and values (K, 8) of a normal matrix with `density` H connections to each unit."""
    groups, each = -(-H // GROUP), min(H, max(1, round(density * H)))
    sources = torch.stack([torch.randperm(H, generator=draw)[:each].sort().values for _ in range(groups)])
    values = torch.randn(groups * each, GROUP, generator=draw, dtype=torch.float64) / math.sqrt(each)
    if past := groups * GROUP - H:  # of the last group
        values[-each:, GROUP - past :] = 0
    return torch.arange(groups + 1) * each, sources.flatten().int(), values
