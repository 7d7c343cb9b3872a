"""The functions f, and their derivatives written in y = f(a) alone, so that a need not be saved.

    tanh, 1 - y^2; relu, [y > 0]; sigmoid, y (1 - y); softplus log(1 + e^a), 1 - e^-y; hard tanh min(max(a, -1), 1),
    [|y| < 1]; rectified tanh max(0, tanh a), [y > 0] (1 - y^2); leaky relu, 1 or 0.01; identity, 1

Where f is flat the derivative is torch's: 0 at both kinks of hard tanh and at that of relu, 0.01 at that of leaky relu.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from elman.kernels.general.options import LEAKY_SLOPE

FUNCTIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "tanh": torch.tanh,
    "relu": torch.relu,
    "sigmoid": torch.sigmoid,
    "softplus": lambda a: F.softplus(a, threshold=40),  # past torch's 20 what it leaves out is felt by a float64
    "hardtanh": F.hardtanh,
    "rectified_tanh": lambda a: torch.relu(torch.tanh(a)),
    "leaky_relu": lambda a: F.leaky_relu(a, LEAKY_SLOPE),
    "identity": lambda a: a,
}
"""f by name, differentiable."""


def through(nonlinearity: str, g: Tensor, y: Tensor) -> Tensor:
    """g f'(a), given y = f(a). What is shut off is zero whatever g is; the gradient at NaN passes, as in torch."""
    match nonlinearity:
        case "tanh":
            return g * (1 - y * y)
        case "relu":
            return g.masked_fill(y <= 0, 0)
        case "sigmoid":
            return g * (y * (1 - y))
        case "softplus":
            return g * -torch.expm1(-y)
        case "hardtanh":
            return g.masked_fill(y.abs() >= 1, 0)
        case "rectified_tanh":
            return (g * (1 - y * y)).masked_fill(y <= 0, 0)
        case "leaky_relu":
            return torch.where(y > 0, g, g * LEAKY_SLOPE)
        case _:
            return g
