"""Dale's law: all that a unit sends has one sign (Song, Yang and Wang 2016)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from elman.errors import UserError


def signs(hidden_size: int, excitatory: float = 0.8) -> Tensor:
    """The signs of H units, (H,): the first `excitatory` of them, rounded, are 1, the others -1.

    Raises:
        UserError: `excitatory` is outside 0 to 1.
    """
    if not 0 <= excitatory <= 1:
        raise UserError(f"`excitatory` is {excitatory}; it is a share of the units, from 0 to 1")
    found = torch.ones(hidden_size)
    found[round(excitatory * hidden_size) :] = -1
    return found


class Dale(nn.Module):
    """W[i, j] = sign[j] * max(0, V[i, j]), or sign[j] * |V[i, j]|.

    The rectified form lets a connection rest at zero, where it gets no gradient any more; the absolute value lets it
    turn there. Set from a weight of any signs, the connections keep their sizes.

    Arguments:
        sign: 1 or -1 for each of the H units, or a share of excitatory units as `signs` takes it.
        absolute: the absolute value in the place of the rectifier.

    Raises:
        UserError: a sign is neither, or there is not one for each column of the weight.
    """

    keeps_zeros = True

    def __init__(self, sign: Tensor | float, absolute: bool = False) -> None:
        super().__init__()
        self.absolute = absolute
        if isinstance(sign, Tensor):
            if sign.dim() != 1 or not ((sign == 1) | (sign == -1)).all():
                raise UserError("`sign` is not a vector of 1 and -1; give one number for each unit")
        elif not 0 <= sign <= 1:
            raise UserError(f"`sign` is {sign}; give a vector of 1 and -1, or the share of excitatory units, 0 to 1")
        self.share = None if isinstance(sign, Tensor) else sign
        self.register_buffer("sign", sign.detach().clone() if isinstance(sign, Tensor) else None)
        self.sign: Tensor | None

    def _signs(self, weight: Tensor) -> Tensor:
        if self.sign is None:
            assert self.share is not None
            self.sign = signs(weight.shape[1], self.share)
        if self.sign.shape[0] != weight.shape[1]:
            raise UserError(f"`sign` has {self.sign.shape[0]} numbers, the weight {weight.shape[1]} units that send")
        if self.sign.dtype != weight.dtype or self.sign.device != weight.device:
            self.sign = self.sign.to(weight)
        return self.sign

    def forward(self, weight: Tensor) -> Tensor:
        """V (., H) to W (., H)."""
        return self._signs(weight) * (weight.abs() if self.absolute else weight.relu())

    def right_inverse(self, weight: Tensor) -> Tensor:
        """W to a V: its sizes."""
        self._signs(weight)
        return weight.abs()
