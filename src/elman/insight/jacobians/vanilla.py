"""The Jacobians of the vanilla cell by hand: plain, with the identity connection, and normalised."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from elman.insight.jacobians.cell import Cell
from elman.insight.jacobians.factored import FactoredJacobians, times


class VanillaJacobians(FactoredJacobians):
    """J_t = diag(f'(a_t)) W_hh, plus the identity with the identity connection.

    factors: the slope f'(a_t), and with the identity connection a second one of ones.
    """

    @classmethod
    def at(cls, cell: Cell, h: Tensor, h_before: Tensor | None) -> VanillaJacobians:
        """The Jacobians of steps to the states h (T, B, H), with the identity connection from `h_before`."""
        out = h if h_before is None else h - h_before
        slope = _slope(cell, out)
        factors = (slope,) if h_before is None else (slope, torch.ones_like(slope[..., :1]))
        return cls(cell.weights["weight_ih"], cell.weights["weight_hh"], factors, _saturated(cell, out))

    @property
    def residual(self) -> bool:
        """Whether the layer has the identity connection."""
        return len(self.factors) == 2

    def singular(self) -> Tensor:
        """Where a unit's slope is zero, (T, B); with the identity connection the numbers decide."""
        return super().singular() if self.residual else (self.factors[0] == 0).any(-1)

    def diagonal(self) -> tuple[Tensor, Tensor] | None:
        """The slopes and W_hh, without the identity connection."""
        return None if self.residual else (self.factors[0], self.w_hh)

    def jvp(self, t: int, v: Tensor) -> Tensor:
        """J_t v."""
        out = times(v, self.w_hh.T) * self.factors[0][t]
        return out + v if self.residual else out

    def delta(self, t: int | slice, v: Tensor) -> Tensor:
        """v f'(a_t)."""
        return v * self.factors[0][t]

    def vjp(self, t: int, v: Tensor) -> Tensor:
        """v J_t."""
        back = times(self.delta(t, v), self.w_hh)
        return back + v if self.residual else back


class NormalisedJacobians(FactoredJacobians):
    """The Jacobians of a layer that normalises a_t (Ba, Kiros and Hinton 2016, equation 4).

    factors: f' times the gain, the normalised sum, 1 over its deviation, and 1 with the identity connection, else 0.
    """

    @classmethod
    def at(cls, cell: Cell, x: Tensor, h: Tensor, h_before: Tensor) -> NormalisedJacobians:
        """The Jacobians of steps from `h_before` to h, (T, B, H) each, with inputs x (T, B, I)."""
        w_ih, w_hh, gain = (cell.weights[name] for name in ("weight_ih", "weight_hh", "layer_norm_weight"))
        a = cell.drive(x) + F.linear(h_before, w_hh)
        middle = a - a.mean(-1, keepdim=True)
        inverse = (middle.square().mean(-1, keepdim=True) + 1e-5).rsqrt()  # torch's epsilon
        residual = bool(cell.map.options["residual"])
        out = h - h_before if residual else h
        kept = torch.full_like(inverse, float(residual))
        factors = (_slope(cell, out) * gain, middle * inverse, inverse, kept)
        return cls(w_ih, w_hh, factors, _saturated(cell, out))

    def singular(self) -> Tensor:
        """Everywhere without the identity connection: the mean and the length of the sums are lost."""
        return (self.factors[3] == 0)[..., 0]

    def jvp(self, t: int, v: Tensor) -> Tensor:
        """J_t v."""
        slope, _, _, kept = (f[t] for f in self.factors)
        return self._normalised(t, v @ self.w_hh.T) * slope + v * kept

    def delta(self, t: int | slice, v: Tensor) -> Tensor:
        """v f'(a_t) back through the normalisation."""
        return self._normalised(t, v * self.factors[0][t])

    def vjp(self, t: int, v: Tensor) -> Tensor:
        """v J_t."""
        return self.delta(t, v) @ self.w_hh + v * self.factors[3][t]

    def _normalised(self, t: int | slice, v: Tensor) -> Tensor:
        _, unit, inverse, _ = (f[t] for f in self.factors)
        return (v - v.mean(-1, keepdim=True) - unit * (v * unit).mean(-1, keepdim=True)) * inverse


def _slope(cell: Cell, out: Tensor) -> Tensor:
    """f' in terms of f; a nan passes, as in torch."""
    return (~(out <= 0)).to(out.dtype) if cell.map.options["nonlinearity"] == "relu" else 1 - out * out


def _saturated(cell: Cell, out: Tensor) -> dict[str, Tensor]:
    return {gate.name: gate.saturated(out) for gate in cell.map.gates}
