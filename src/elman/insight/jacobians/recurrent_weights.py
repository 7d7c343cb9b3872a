"""The recurrent weights of a layer against the bounds of the theorem on vanishing and exploding gradients.

Pascanu, Mikolov and Bengio, "On the difficulty of training recurrent neural networks" (2013), section 2.1: with gamma
the steepest slope of the nonlinearity, a largest singular value of W_hh below 1/gamma is enough for gradients to
vanish, and one above it is needed for them to explode.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from elman.insight.jacobians.cell import Cell
from elman.insight.jacobians.lanczos import largest_singular_value
from elman.insight.jacobians.products import SMALL
from elman.insight.jacobians.threads import one_thread


@dataclass(frozen=True)
class RecurrentWeight:
    """The part of W_hh that feeds one gate, (H, H).

    Attributes:
        gate: "h" for a vanilla layer, else the gate's name.
        largest: its largest singular value.
        radius: its spectral radius, the largest absolute value of an eigenvalue.
        gamma: the steepest slope of the gate's nonlinearity: 1 for tanh and relu, 1/4 for the logistic
            sigmoid.
        certain: whether the theorem speaks of this layer: the plain vanilla form only.
    """

    gate: str
    largest: float
    radius: float
    gamma: float
    certain: bool

    @property
    def bound(self) -> float:
        """1/gamma. A largest singular value below it makes vanishing certain, above it exploding possible."""
        return 1 / self.gamma

    @property
    def vanishing_is_certain(self) -> bool:
        """Whether the theorem says that gradients vanish."""
        return self.certain and self.largest < self.bound


@one_thread()
def recurrent_weights(cell: Cell, radius: bool = True) -> tuple[RecurrentWeight, ...]:
    """Measure W_hh, gate by gate; nothing for a cell whose W_hh is not laid out so.

    Arguments:
        radius: without it the spectral radius, which takes longest, is nan, and the largest singular value of a
            large W_hh comes by iteration, at most a thousandth below the true one and as a rule a millionth.
    """
    gates, w_hh = cell.map.gates, cell.weights.get("weight_hh")
    if w_hh is None or w_hh.shape != (len(gates) * cell.hidden_size, cell.hidden_size) or not gates:
        return ()
    w_hh = w_hh if w_hh.dtype == torch.float64 else w_hh.float()
    return tuple(
        RecurrentWeight(
            gate=gate.name,
            largest=_largest(part, exact=radius or len(part) <= SMALL),
            radius=float(torch.linalg.eigvals(part).abs().max()) if radius else math.nan,
            gamma=gate.slope,
            certain=cell.map.plain,
        )
        for gate, part in zip(gates, w_hh.cpu().chunk(len(gates)), strict=True)
    )


def _largest(matrix: Tensor, exact: bool) -> float:
    if exact:
        return float(torch.linalg.matrix_norm(matrix, 2))
    start = torch.randn(1, len(matrix), generator=torch.Generator().manual_seed(0)).to(matrix)
    unscaled = torch.zeros(1, dtype=torch.float64)
    jvp, vjp = (lambda v: (v @ matrix.T, unscaled)), (lambda v: (v @ matrix, unscaled))
    return float(largest_singular_value(jvp, vjp, start, 1e-3, len(matrix))[0])
