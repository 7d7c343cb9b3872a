"""The Jacobians of any registered cell: `torch.func` through its step, where none are derived by hand."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

import torch
from torch import Tensor
from torch.func import vjp, vmap

from elman.insight.jacobians.base import Contributions, StepJacobians, cut_out
from elman.insight.jacobians.cell import Cell


class AutogradJacobians(StepJacobians):
    """The Jacobian of every step by automatic differentiation of the step.

    Arguments:
        cell: the layer.
        x: (T, B, I) its input.
        before: (T, B, S) the state before each step.
    """

    def __init__(self, cell: Cell, x: Tensor, before: Tensor) -> None:
        self.cell = cell
        self.x = x
        self.before = before

    @cached_property
    def drive(self) -> Tensor:
        """The input's share of every step, (T, B, N)."""
        return self.cell.drive(self.x)

    @property
    def steps(self) -> int:
        """T."""
        return len(self.before)

    @property
    def rows(self) -> int:
        """B."""
        return self.before.shape[1]

    @property
    def size(self) -> int:
        """S."""
        return self.before.shape[-1]

    @property
    def sample(self) -> Tensor:
        """The states before each step."""
        return self.before

    @cached_property
    def saturated(self) -> dict[str, Tensor]:
        """For each gate (T, B, H), where it is saturated; empty for a cell that does not give its gates' values."""
        return self.cell.saturated(self.before, self.drive)

    def window(self, rows: list[int], ends: list[int], steps: int) -> AutogradJacobians:
        """Cut out, for each sequence in `rows`, the `steps` steps that end with its own step in `ends`."""
        x, before = (cut_out(part, rows, ends, steps) for part in (self.x, self.before))
        return AutogradJacobians(self.cell, x, before)

    def to(self, dtype: torch.dtype) -> AutogradJacobians:
        """The same in another dtype."""
        return AutogradJacobians(self.cell.to(dtype, self.x.device), self.x.to(dtype), self.before.to(dtype))

    def jvp(self, t: int, v: Tensor) -> Tensor:
        """J_t v, for v (B, S): the transpose of the map u -> u J_t."""
        (forward,) = vjp(lambda u: vjp(self._step(t), self.before[t])[1](u)[0], torch.zeros_like(v))[1](v)
        change: Tensor = forward
        return change

    def matrix(self, t: int) -> Tensor:
        """J_t in full, (B, S, S), row by row."""
        basis = torch.eye(self.size, dtype=self.sample.dtype, device=self.sample.device)
        rows: Tensor = vmap(lambda row: self.vjp(t, row))(basis[:, None].expand(-1, self.rows, -1))
        return rows.transpose(0, 1)

    def vjp(self, t: int, v: Tensor) -> Tensor:
        """v J_t."""
        (back,) = vjp(self._step(t), self.before[t])[1](v)
        gradient: Tensor = back
        return gradient

    def input_gradient(self, total: Tensor) -> Tensor:
        """dC/dx_t, (T, B, I)."""
        (back,) = vjp(lambda x: self.cell.step(self.before, self.cell.drive(x)), self.x)[1](total)
        gradient: Tensor = back
        return gradient

    def weight_gradients(self, cell: Cell, x: Tensor, h_before: Tensor, total: Tensor) -> dict[str, Contributions]:
        """What each step contributes to the gradient of every weight, one step at a time."""

        def of_step(t: int) -> dict[str, Tensor]:
            def step(weights: dict[str, Tensor]) -> Tensor:
                return cell.step(self.before[t], cell.drive(self.x[t], weights), weights)

            (found,) = vjp(step, dict(cell.weights))[1](total[t])
            gradients: dict[str, Tensor] = found
            return gradients

        sums = {name: torch.zeros_like(weight) for name, weight in cell.weights.items()}
        norms = {name: total.new_zeros(self.steps) for name in cell.weights}
        for t in range(self.steps):
            for name, part in of_step(t).items():
                sums[name] += part
                norms[name][t] = part.norm()
        return {
            name: Contributions(sums[name], norms[name], lambda t, name=name: of_step(t)[name])  # type: ignore[misc]
            for name in cell.weights
        }

    def _step(self, t: int) -> Callable[[Tensor], Tensor]:
        return lambda state: self.cell.step(state, self.drive[t])
