"""Which connections there are, and which are trained.

A constraint whose own class says `keeps_zeros = True` leaves a weight of zero where it is; a subclass says so again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from elman.errors import UserError


class Mask(nn.Module):
    """W = mask * V, in `elman.RNN` at the cost of its connections where they are few.

    The gradient of W itself, which `parametrize.cached` shows, is then computed at the connections and zero elsewhere;
    that of V is the same either way.

    Arguments:
        mask: (H, H), bool or 0 and 1: row i says from whom unit i receives. Any shape that the weight has.

    Raises:
        UserError: the mask holds something else, leaves a unit without input, or has not the weight's shape.
    """

    keeps_zeros = True

    def __init__(self, mask: Tensor) -> None:
        super().__init__()
        if mask.dim() != 2 or not ((mask == 0) | (mask == 1)).all():
            raise UserError("`mask` is not a matrix of 0 and 1, or of bool; row i says from whom unit i receives")
        deaf = (mask == 0).all(1).nonzero().flatten().tolist()
        if deaf:
            raise UserError(f"`mask` leaves unit {deaf[0]} without input (its row is all 0); give it a connection")
        self.register_buffer("mask", mask.detach().clone().to(torch.get_default_dtype()))
        self.mask: Tensor

    def forward(self, weight: Tensor) -> Tensor:
        """V to W, of one shape."""
        if self.mask.shape != weight.shape:
            raise UserError(f"`mask` has shape {tuple(self.mask.shape)}, the weight {tuple(weight.shape)}")
        return weight * self.mask.to(weight.dtype)

    def right_inverse(self, weight: Tensor) -> Tensor:
        """W itself."""
        return weight


class NoSelfConnection(nn.Module):
    """W = V with zeros on the diagonal."""

    keeps_zeros = True

    def forward(self, weight: Tensor) -> Tensor:
        """V (H, H) to W (H, H)."""
        return weight - torch.diag(weight.diagonal())

    def right_inverse(self, weight: Tensor) -> Tensor:
        """W itself."""
        return weight


class Fixed(nn.Module):
    """Some entries have a value that is not trained, beside others that are.

    Arguments:
        where: (H, H) bool, the entries that are fixed.
        values: (H, H), of which those count.

    Raises:
        UserError: the shapes differ from each other or from the weight's.
    """

    def __init__(self, where: Tensor, values: Tensor) -> None:
        super().__init__()
        if where.shape != values.shape or where.dtype != torch.bool:
            raise UserError(
                f"`where` has shape {tuple(where.shape)} and dtype {where.dtype}, `values` {tuple(values.shape)}; "
                "give bool and numbers of one shape"
            )
        self.register_buffer("where", where.clone())
        self.register_buffer("values", values.detach().clone())
        self.where: Tensor
        self.values: Tensor

    def forward(self, weight: Tensor) -> Tensor:
        """V to W, of one shape."""
        if self.where.shape != weight.shape:
            raise UserError(f"`where` has shape {tuple(self.where.shape)}, the weight {tuple(weight.shape)}")
        return torch.where(self.where, self.values.to(weight.dtype), weight)

    def right_inverse(self, weight: Tensor) -> Tensor:
        """W itself."""
        return weight


def connections_of(module: nn.Module, name: str) -> Tensor | None:
    """Where a weight may differ from zero, (H, H) bool, as its masks say; None where they do not have the last word."""
    if not parametrize.is_parametrized(module, name):
        return None
    connected: Tensor | None = None
    constraints = cast(Any, module).parametrizations[name]
    for constraint in constraints:
        if type(constraint) is Mask and not constraint.mask.requires_grad:
            own = constraint.mask != 0
            connected = own if connected is None else connected & own
        elif not vars(type(constraint)).get("keeps_zeros", False):
            connected = None
        if is_hooked(constraint):
            connected = None
    return None if is_hooked(constraints) else connected


def is_hooked(module: nn.Module) -> bool:
    """Whether a call of the module is not its `forward` alone."""
    return bool(module._forward_hooks or module._forward_pre_hooks)


def block_mask(areas: Sequence[int], connected: Tensor | Sequence[Sequence[float]], seed: int = 0) -> Tensor:
    """A mask of areas of units, (H, H), for `Mask`.

    Arguments:
        areas: how many units each area has, A of them; H is their sum.
        connected: (A, A), the share of connections from area j (column) to area i (row), 0 to 1. What is between is
            drawn, the same for the same seed; every unit keeps at least one connection where its area has any.

    Raises:
        UserError: `connected` is not (A, A), or holds something outside 0 to 1.
    """
    share = torch.as_tensor(connected, dtype=torch.get_default_dtype())
    A = len(areas)
    if share.shape != (A, A) or not ((share >= 0) & (share <= 1)).all():
        raise UserError(f"`connected` is not a matrix ({A}, {A}) of shares from 0 to 1")
    area = torch.repeat_interleave(torch.arange(A), torch.tensor(list(areas)))
    wanted = share[area][:, area]  # (H, H)
    drawn = torch.rand(wanted.shape, generator=torch.Generator().manual_seed(seed))
    mask = (drawn < wanted).to(share.dtype)
    for unit in (mask.sum(1) == 0).nonzero().flatten().tolist():
        choice = torch.where(wanted[unit] > 0, drawn[unit], torch.inf)
        if choice.isfinite().any():
            mask[unit, choice.argmin()] = 1
    return mask
