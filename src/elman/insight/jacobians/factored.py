"""Jacobians kept as factors beside W_hh: each product with one costs one product with W_hh."""

from __future__ import annotations

from abc import abstractmethod
from typing import Self

import torch
from torch import Tensor

from elman.insight.jacobians.base import Contributions, StepJacobians, cut_out
from elman.insight.jacobians.cell import Cell


class FactoredJacobians(StepJacobians):
    """The Jacobian of every step in factors.

    Arguments:
        w_ih: (G*H, I).
        w_hh: (G*H, H).
        factors: each (T, B, H), or (T, B, 1) but for the first; what they are is the subclass's affair.
        saturated: for each gate (T, B, H), where it is saturated.
    """

    def __init__(
        self, w_ih: Tensor, w_hh: Tensor, factors: tuple[Tensor, ...], saturated: dict[str, Tensor] | None = None
    ) -> None:
        self.w_ih = w_ih
        self.w_hh = w_hh
        self.factors = factors
        self._saturated = saturated or {}

    @property
    def steps(self) -> int:
        """T."""
        return self.factors[0].shape[0]

    @property
    def rows(self) -> int:
        """B."""
        return self.factors[0].shape[1]

    @property
    def size(self) -> int:
        """S."""
        return self.factors[0].shape[-1]

    @property
    def sample(self) -> Tensor:
        """W_hh."""
        return self.w_hh

    @property
    def saturated(self) -> dict[str, Tensor]:
        """For each gate (T, B, H), where it is saturated."""
        return self._saturated

    def window(self, rows: list[int], ends: list[int], steps: int) -> Self:
        """Cut out, for each sequence in `rows`, the `steps` steps that end with its own step in `ends`."""
        return type(self)(self.w_ih, self.w_hh, tuple(cut_out(f, rows, ends, steps) for f in self.factors))

    def to(self, dtype: torch.dtype) -> Self:
        """The same in another dtype."""
        return type(self)(self.w_ih.to(dtype), self.w_hh.to(dtype), tuple(f.to(dtype) for f in self.factors))

    @abstractmethod
    def jvp(self, t: int, v: Tensor) -> Tensor:
        """Carry a change of s_(t-1) forward to s_t: J_t v, for v (..., B, S)."""

    def matrix(self, t: int) -> Tensor:
        """J_t in full, (B, S, S)."""
        basis = torch.eye(self.size, dtype=self.sample.dtype, device=self.sample.device)
        return self.jvp(t, basis[:, None].expand(self.size, self.rows, self.size)).permute(1, 2, 0)

    @abstractmethod
    def delta(self, t: int | slice, v: Tensor) -> Tensor:
        """Turn a gradient with respect to s_t, (..., B, S), into that with respect to the drive, (..., B, G*H).

        With a slice of steps in the place of t, for all of them: v (T, B, S).
        """

    def hidden_delta(self, delta: Tensor) -> Tensor:
        """Turn delta (T, B, G*H) into the gradient with respect to W_hh h_(t-1) + b_hh."""
        return delta

    def input_gradient(self, total: Tensor) -> Tensor:
        """dC/dx_t = delta_t W_ih, (T, B, I)."""
        return self.delta(slice(None), total) @ self.w_ih

    def weight_gradients(self, cell: Cell, x: Tensor, h_before: Tensor, total: Tensor) -> dict[str, Contributions]:
        """Outer products of delta_t with x_t and h_(t-1); of a normalised layer, W_ih and W_hh only."""
        delta = self.delta(slice(None), total)
        into_input, into_hidden = delta[:, 0], self.hidden_delta(delta)[:, 0]
        found = {"weight_ih": _outer(into_input, x), "weight_hh": _outer(into_hidden, h_before)}
        if "bias_ih" in cell.weights and "layer_norm_weight" not in cell.weights:
            found |= {"bias_ih": _summed(into_input), "bias_hh": _summed(into_hidden)}
        return found


def _outer(delta: Tensor, met: Tensor) -> Contributions:
    norms = delta.norm(dim=-1) * met.norm(dim=-1)
    return Contributions(delta.T @ met, norms, lambda t: torch.outer(delta[t], met[t]))


def _summed(delta: Tensor) -> Contributions:
    return Contributions(delta.sum(0), delta.norm(dim=-1), lambda t: delta[t])


def times(v: Tensor, matrix: Tensor) -> Tensor:
    """Give v @ matrix; for v (2, S) one row at a time, which takes half as long."""
    return torch.stack([v[0] @ matrix, v[1] @ matrix]) if v.dim() == 2 and len(v) == 2 else v @ matrix
