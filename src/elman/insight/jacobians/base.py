"""What is asked of the Jacobians of a layer's steps, J_t = ds_t/ds_(t-1), however they are kept.

T steps, B sequences, I inputs, H hidden units, G gates, S numbers in the state.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from elman.insight.jacobians.cell import Cell


@dataclass(frozen=True)
class Contributions:
    """What each step contributes to the gradient of a weight.

    Attributes:
        gradient: dC/dW, of the weight's shape: the sum over the steps.
        by_step: (T,) the norm of each step's contribution.
        of_step: what step t (from 0) contributes, of the weight's shape.
    """

    gradient: Tensor
    by_step: Tensor
    of_step: Callable[[int], Tensor]


class StepJacobians(ABC):
    """The Jacobian of every step that a layer took, so that a product with J_t or its transpose is cheap."""

    @property
    @abstractmethod
    def steps(self) -> int:
        """T."""

    @property
    @abstractmethod
    def rows(self) -> int:
        """B, for how many sequences."""

    @property
    @abstractmethod
    def size(self) -> int:
        """S, how many numbers the state has."""

    @property
    @abstractmethod
    def sample(self) -> Tensor:
        """A tensor of the dtype and device that vectors should have."""

    @property
    @abstractmethod
    def saturated(self) -> dict[str, Tensor]:
        """For each gate (T, B, H), where it is saturated; empty in a window."""

    @abstractmethod
    def window(self, rows: list[int], ends: list[int], steps: int) -> Self:
        """Cut out, for each sequence in `rows`, the `steps` steps that end with its own step in `ends`."""

    @abstractmethod
    def to(self, dtype: torch.dtype) -> Self:
        """The same in another dtype."""

    @abstractmethod
    def jvp(self, t: int, v: Tensor) -> Tensor:
        """Carry a change of s_(t-1) forward to s_t: J_t v, for v (B, S)."""

    @abstractmethod
    def vjp(self, t: int, v: Tensor) -> Tensor:
        """Carry a gradient with respect to s_t back to s_(t-1): v J_t, for v (B, S)."""

    @abstractmethod
    def input_gradient(self, total: Tensor) -> Tensor:
        """Turn dC/ds_t, (T, B, S), into dC/dx_t, (T, B, I)."""

    @abstractmethod
    def weight_gradients(self, cell: Cell, x: Tensor, h_before: Tensor, total: Tensor) -> dict[str, Contributions]:
        """What each step contributes to the gradient of the weights, by their names, for one sequence.

        Arguments:
            cell: the layer.
            x: (T, I) its input.
            h_before: (T, H) the hidden state before each step.
            total: (T, 1, S) dC/ds_t.
        """

    def memory_gradient(self, total: Tensor) -> Tensor | None:
        """Turn dC/ds_t, (T, B, S), into the LSTM's dC/dc_t with what passes through h_t; None for other cells."""
        return None

    @abstractmethod
    def matrix(self, t: int) -> Tensor:
        """J_t in full, (B, S, S)."""

    def singular(self) -> Tensor:
        """Where J_t is singular by its form, (T, B); False where only its numbers can say."""
        return torch.zeros(self.steps, self.rows, dtype=torch.bool, device=self.sample.device)

    def diagonal(self) -> tuple[Tensor, Tensor] | None:
        """The slopes f'(a_t), (T, B, H), and W_hh, where J_t = diag(f'(a_t)) W_hh; else None."""
        return None


def cut_out(x: Tensor, rows: list[int], ends: list[int], steps: int) -> Tensor:
    """Of x (T, B, ...) the `steps` steps that end with each sequence's own step in `ends`: (steps, rows, ...)."""
    return torch.stack([x[end + 1 - steps : end + 1, row] for row, end in zip(rows, ends, strict=True)], 1)
