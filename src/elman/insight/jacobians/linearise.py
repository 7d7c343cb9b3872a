"""Linearise a layer along the states that it visited: by hand where they are derived, else by autograd."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from elman.insight.jacobians.base import StepJacobians
from elman.insight.jacobians.by_autograd import AutogradJacobians
from elman.insight.jacobians.cell import Cell
from elman.insight.jacobians.gated import GruJacobians, LstmJacobians
from elman.insight.jacobians.vanilla import NormalisedJacobians, VanillaJacobians


def step_jacobians(cell: Cell, x: Tensor, h: Tensor, state: Tensor) -> StepJacobians:
    """The Jacobian of every step at the states that it visited.

    Arguments:
        x: (T, B, I) the input.
        h: (T, B, H) the hidden state after each step.
        state: (B, S) the state before the first.
    """
    return BY_HAND.get(cell.kind.name, _by_autograd)(cell, x, h, state)


def _before(cell: Cell, h: Tensor, state: Tensor) -> Tensor:
    """The hidden state before each step, (T, B, H)."""
    return torch.cat((state[None, :, : cell.hidden_size], h[:-1]))


def _vanilla(cell: Cell, x: Tensor, h: Tensor, state: Tensor) -> StepJacobians:
    if cell.map.plain:
        return VanillaJacobians.at(cell, h, None)
    if "layer_norm_weight" in cell.weights:
        return NormalisedJacobians.at(cell, x, h, _before(cell, h, state))
    return VanillaJacobians.at(cell, h, _before(cell, h, state))


def _lstm(cell: Cell, x: Tensor, h: Tensor, state: Tensor) -> StepJacobians:
    return LstmJacobians.at(cell, x, _before(cell, h, state), state[:, cell.hidden_size :])


def _gru(cell: Cell, x: Tensor, h: Tensor, state: Tensor) -> StepJacobians:
    return GruJacobians.at(cell, x, _before(cell, h, state))


def _by_autograd(cell: Cell, x: Tensor, h: Tensor, state: Tensor) -> StepJacobians:
    return AutogradJacobians(cell, x, torch.cat((state[None], cell.states(x, h, state)[:-1])))


BY_HAND: dict[str, Callable[[Cell, Tensor, Tensor, Tensor], StepJacobians]] = {
    "rnn": _vanilla,
    "lstm": _lstm,
    "gru": _gru,
}
"""The kinds of cells whose Jacobians are derived by hand, which is faster."""
