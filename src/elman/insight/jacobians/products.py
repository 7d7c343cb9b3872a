"""Singular values of the products ds_t/ds_k = J_t ... J_(k+1): what the recurrence does to a gradient.

Small states: the products themselves, and for the smallest singular value the products of the inverses, since
the smallest value of a long product drowns in the round-off of the largest. Large states: iteration on
products with vectors, one Jacobian at a time. Both keep a logarithm beside the numbers, so that a product
over a thousand steps neither overflows nor underflows on the way.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from elman.insight.jacobians.base import StepJacobians
from elman.insight.jacobians.factored import times
from elman.insight.jacobians.lanczos import Operator, largest_singular_value
from elman.insight.jacobians.threads import one_thread

SMALL = 64  # numbers in the state up to which the products are worked out in full
_NEAR = 16  # steps over which a large gated or residual layer's Jacobians are inverted, one by one
_RESCALE = 4  # steps after which a vector's length is taken out of it
_RESCALE_UNDO = 2  # the same for inverses: 1/f' of a saturated unit is up to 1e7 in float32


@dataclass(frozen=True)
class JacobianProducts:
    """Singular values of ds_t/ds_(t-d), t the last step that a loss reaches.

    Attributes:
        distance: (N,) d, in steps.
        largest, smallest: (N, R) float64, for each distance and each of R sequences; smallest is nan where it
            was not worked out (by iteration, beyond `far` steps; a large gated or residual layer, beyond the
            first sequence or 16 steps).
        residual: (N, R) by iteration, as a share of the largest value: a singular value lies that near to
            `largest`, which is never above the true one. 0 by products in full.
        exact: by products in full, not by iteration.
    """

    distance: Tensor
    largest: Tensor
    smallest: Tensor
    residual: Tensor
    exact: bool


def distances(most: int, dense: int = 4) -> list[int]:
    """Give distances from 1 to `most`, the first few all, then evenly spread in the logarithm."""
    grid = {round(2 ** (k / 2)) for k in range(2 * math.ceil(math.log2(max(most, 2))) + 1)}
    return sorted({d for d in {*range(1, dense + 1), *grid, most} if 1 <= d <= most})


@torch.no_grad()
@one_thread()
def jacobian_products(
    jacobians: StepJacobians, exact: bool | None = None, tolerance: float = 1e-2, patience: int = 256, far: int = 64
) -> JacobianProducts:
    """Work out the singular values of the products that end with the last step of `jacobians`.

    Arguments:
        jacobians: those of D steps, for R sequences.
        exact: by products in full; None: where the state has at most 64 numbers.
        tolerance: by iteration, the share of the value that the residual may have.
        patience: by iteration, the products with one Jacobian after which no further round is begun, but for
            the second over distances up to it. Each distance starts from the answer for the one before.
        far: by iteration, the steps beyond which no smallest value is sought, for its cost.
    """
    if exact is None:
        exact = jacobians.size <= SMALL
    if exact:
        wanted = distances(jacobians.steps)
        largest, smallest = _in_full(jacobians.to(torch.float64), wanted)
        residual = torch.zeros_like(largest)
    else:
        wanted = [4**k for k in range(16) if 4**k < jacobians.steps] + [jacobians.steps]
        rounds = [max(1 + (d <= patience), patience // (2 * d)) for d in wanted]
        largest, residual = _largest(jacobians, wanted, tolerance, rounds)
        smallest = _smallest(jacobians, wanted, tolerance, rounds, far)
    return JacobianProducts(torch.tensor(wanted), largest, smallest, residual, exact)


def _in_full(jacobians: StepJacobians, wanted: list[int]) -> tuple[Tensor, Tensor]:
    size, rows, dead = jacobians.size, jacobians.rows, jacobians.singular()
    one = torch.eye(size, dtype=torch.float64, device=jacobians.sample.device)
    product = one.expand(rows, size, size)
    inverse, log, inverse_log = product, torch.zeros(rows), torch.zeros(rows)
    found = []
    for d in range(1, jacobians.steps + 1):
        step = jacobians.matrix(jacobians.steps - d)
        product, log = _scaled(product @ step, log)
        undo, info = torch.linalg.inv_ex(step)
        flat = (info > 0) | dead[jacobians.steps - d]
        undo = torch.where(flat[:, None, None], one, undo)
        inverse, inverse_log = _scaled(undo @ inverse, inverse_log)
        inverse_log = inverse_log.masked_fill(flat.cpu(), math.inf)
        if d in wanted:
            found.append((_norm(product, log), 1 / _norm(inverse, inverse_log)))
    return torch.stack([a for a, _ in found]), torch.stack([b for _, b in found])


def _norm(matrix: Tensor, log: Tensor) -> Tensor:
    top: Tensor = torch.linalg.matrix_norm(matrix, 2)
    return top.cpu() * log.exp()


def _scaled(x: Tensor, log: Tensor) -> tuple[Tensor, Tensor]:
    """Bring each row's largest number to 1 and keep the logarithm of its scale."""
    scale = x.abs().amax(tuple(range(1, x.dim())))
    scale = torch.where((scale > 0) & scale.isfinite(), scale, 1)
    return x / scale.reshape(-1, *[1] * (x.dim() - 1)), log + scale.double().log().cpu()


def _largest(jacobians: StepJacobians, wanted: list[int], tolerance: float, rounds: list[int]) -> tuple[Tensor, Tensor]:
    # The map begins at the last step. There the leading direction hardly changes as the product grows longer,
    # so each distance starts from where the one before it ended.
    start = _draw(jacobians, jacobians.rows)
    found = []
    for d, most in zip(wanted, rounds, strict=True):
        forth = range(jacobians.steps - d, jacobians.steps)
        vjp = _along(jacobians.vjp, forth[::-1])
        value, start, residual = largest_singular_value(vjp, _along(jacobians.jvp, forth), start, tolerance, most)
        found.append((value, residual))
    return torch.stack([value for value, _ in found]), torch.stack([residual for _, residual in found])


def _smallest(jacobians: StepJacobians, wanted: list[int], tolerance: float, rounds: list[int], far: int) -> Tensor:
    rows = jacobians.rows
    undo = _Undo(jacobians, far)
    start = _draw(jacobians, undo.rows)
    found = torch.full((len(wanted), rows), math.nan, dtype=torch.float64)
    for n, (d, most) in enumerate(zip(wanted, rounds, strict=True)):
        if d > undo.reach:
            break
        forth = range(jacobians.steps - d, jacobians.steps)
        back = _along(undo.jvp, forth[::-1], _RESCALE_UNDO)
        again = _along(undo.vjp, forth, _RESCALE_UNDO)
        value, start, _ = largest_singular_value(back, again, start, tolerance, most)
        found[n, : undo.rows] = torch.where(undo.singular(forth), 0.0, 1 / value)
    return found


def _draw(jacobians: StepJacobians, rows: int) -> Tensor:
    return torch.randn(rows, jacobians.size, generator=torch.Generator().manual_seed(0)).to(jacobians.sample)


def _along(step: Callable[[int, Tensor], Tensor], steps: range, rescale: int = _RESCALE) -> Operator:
    def apply(v: Tensor) -> tuple[Tensor, Tensor]:
        scales = []
        for count, t in enumerate(steps, 1):
            v = step(t, v)
            if count % rescale == 0 or count == len(steps):
                scales.append(v.norm(dim=-1, keepdim=True).clamp_min(torch.finfo(v.dtype).tiny))
                v = v / scales[-1]
        return v, torch.cat(scales, -1).double().log().sum(-1).cpu()

    return apply


class _Undo:
    """Products with each J_t's inverse: by one inverse of W_hh where J_t = diag(f') W_hh, else by its own."""

    def __init__(self, jacobians: StepJacobians, far: int) -> None:
        shared = jacobians.diagonal()
        self.rows = jacobians.rows if shared is not None else 1
        self.reach = min(jacobians.steps, far if shared is not None else _NEAR)
        self.first = jacobians.steps - self.reach
        dead = jacobians.singular()[self.first :, : self.rows]
        self.slope: Tensor | None = None
        if shared is not None:
            slope, w_hh = shared
            inverse, info = torch.linalg.inv_ex(w_hh.double())
            self.inverses = [inverse.to(jacobians.sample)] * self.reach
            self.dead: Tensor = dead | (info > 0)
            # Where a slope is zero the answer is zero, whatever stands here.
            self.slope = torch.where(slope == 0, 1, slope)
        else:
            one = jacobians.window([0], [jacobians.steps - 1], self.reach)
            every = [torch.linalg.inv_ex(one.matrix(t)[0].double()) for t in range(self.reach)]
            bad = torch.stack([info > 0 for _, info in every])[:, None]
            self.inverses = [torch.where(info > 0, 0, inverse).to(jacobians.sample) for inverse, info in every]
            self.dead = dead | bad

    def singular(self, steps: range) -> Tensor:
        """Say which sequences have a step without an inverse."""
        return self.dead[steps.start - self.first : steps.stop - self.first].any(0).cpu()

    def jvp(self, t: int, v: Tensor) -> Tensor:
        return times(v if self.slope is None else v / self.slope[t], self.inverses[t - self.first].T)

    def vjp(self, t: int, v: Tensor) -> Tensor:
        out = times(v, self.inverses[t - self.first])
        return out if self.slope is None else out / self.slope[t]
