"""Intrinsic plasticity: each unit's gain and bias adapted until its activity has a normal distribution.

T steps, I inputs, H hidden units.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from elman.errors import UserError
from elman.nn.reservoir.layer import Reservoir


def intrinsic_plasticity(
    reservoir: Reservoir,
    x: Any,
    *,
    mean: float = 0.0,
    std: float = 0.2,
    lr: float = 1e-3,
    epochs: int = 5,
    piece: int = 10,
) -> Reservoir:
    """Adapt f(g a + b) of each unit in place (Schrauwen et al. 2008, equations 9 and 10).

    The gradient of the Kullback-Leibler divergence from a normal distribution is taken as the mean over a piece of
    `piece` steps, the states of which are computed at once, where the paper takes every step by itself. The gain g
    multiplies a unit's row of W_ih and W_hh; the radius of the spectrum changes with it.

    Arguments:
        reservoir: with `nonlinearity` "tanh" and without feedback.
        x: (T, I) inputs.
        mean, std: of the distribution that the units shall have.
        lr: the learning rate for a step of x.
        epochs: times through x.
        piece: steps between two changes.

    Raises:
        UserError: another nonlinearity, feedback, or a value out of range.
    """
    if reservoir.nonlinearity != "tanh" or reservoir.feedback_size:
        raise UserError("intrinsic plasticity is for a reservoir with `nonlinearity='tanh'` and without feedback")
    if not (std > 0 and lr > 0 and epochs >= 1 and piece >= 1):
        raise UserError(f"`std` {std}, `lr` {lr}, `epochs` {epochs} and `piece` {piece} must be above 0")
    inputs = torch.from_numpy(np.asarray(x, dtype=np.float64).reshape(len(x), -1)).to(reservoir.bias.dtype)
    H, variance = reservoir.hidden_size, std**2
    leak, groups = (
        reservoir.leak[:H],
        torch.repeat_interleave(torch.arange(len(reservoir.starts) - 1), reservoir.starts.diff()),
    )
    state = torch.zeros(1, H, dtype=inputs.dtype)
    for _ in range(epochs):
        for start in range(0, len(inputs), piece):
            h, last = reservoir(inputs[start : start + piece], state)
            before = torch.cat([state, h[:-1]])
            f = ((h - (1 - leak) * before) / leak).clamp(-1 + 1e-12, 1 - 1e-12)  # what tanh gave
            net = torch.atanh(f) - reservoir.bias[:H]  # g a
            pull = -mean / variance + f / variance * (2 * variance + 1 - f**2 + mean * f)
            of_bias = -pull
            # dg = lr (1 / g + a db / lr): as a share of g, which is all that is kept of it
            share = 1 + lr * len(h) * (1 + (of_bias * net).mean(0))
            share = share.clamp(0.5, 2.0)
            wide = torch.ones(reservoir.bias.shape, dtype=inputs.dtype)
            wide[:H] = share
            reservoir.w_ih *= wide
            reservoir.values *= wide.view(-1, 8)[groups]
            reservoir.bias[:H] += lr * len(h) * of_bias.mean(0)
            state = last
    return reservoir
