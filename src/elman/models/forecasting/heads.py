"""What a forecaster says of a value to come: the value alone, three quantiles of it, or a normal distribution.

(..., Q) numbers stand for one value.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

Intervals = Literal["quantile", "gaussian", "none"]
FIRST_STD_NUMBER = -1.0  # a standard deviation of softplus(-1) = 0.31
LEAST_STD = 1e-3  # of a scaled target: without it one lucky step would send the likelihood to infinity


class Head(ABC):
    """Numbers to loss, point and interval."""

    size: int
    """Q."""

    def start(self, bias: Tensor) -> None:
        """Set the output layer's bias (n * Q,) to what an untrained network had best say."""
        del bias

    @abstractmethod
    def loss(self, numbers: Tensor, target: Tensor) -> Tensor:
        """The loss (...) of numbers (..., Q) for targets (...)."""

    @abstractmethod
    def point(self, numbers: Tensor) -> Tensor:
        """The forecast (...) itself."""

    @abstractmethod
    def interval(self, numbers: Tensor) -> tuple[Tensor, Tensor] | None:
        """Lower and upper end (...), or None where there is no interval."""


class Value(Head):
    """The value alone, by its absolute or its squared error."""

    size = 1

    def __init__(self, error: Literal["absolute", "squared"]) -> None:
        self._error = F.l1_loss if error == "absolute" else F.mse_loss

    def loss(self, numbers: Tensor, target: Tensor) -> Tensor:
        """The absolute or squared error (...)."""
        return self._error(numbers[..., 0], target, reduction="none")

    def point(self, numbers: Tensor) -> Tensor:
        """The value (...)."""
        return numbers[..., 0]

    def interval(self, numbers: Tensor) -> None:
        """None: a value alone has no interval."""
        return


class Quantiles(Head):
    """The median and the two quantiles that enclose the middle `level`, by the quantile loss.

    rho_q(y - f) = max(q (y - f), (q - 1) (y - f)) (Koenker and Bassett 1978).
    """

    size = 3

    def __init__(self, level: float) -> None:
        self.quantiles = torch.tensor([0.5, (1 - level) / 2, (1 + level) / 2])

    def loss(self, numbers: Tensor, target: Tensor) -> Tensor:
        """The quantile loss (...), summed over the three quantiles."""
        quantiles = self.quantiles.to(numbers.device)
        error = target.unsqueeze(-1) - numbers
        return torch.maximum(quantiles * error, (quantiles - 1) * error).sum(-1)

    def point(self, numbers: Tensor) -> Tensor:
        """The median (...)."""
        return numbers[..., 0]

    def interval(self, numbers: Tensor) -> tuple[Tensor, Tensor]:
        """The lower and the upper quantile (...)."""
        return numbers.amin(-1), numbers.amax(-1)  # quantiles that cross are put in order


class Gaussian(Head):
    """Mean and standard deviation, by the negative log-likelihood (Nix and Weigend 1994)."""

    size = 2

    def __init__(self, level: float) -> None:
        self.width = float(torch.special.ndtri(torch.tensor((1 + level) / 2, dtype=torch.float64)))

    def loss(self, numbers: Tensor, target: Tensor) -> Tensor:
        """The negative log-likelihood (...)."""
        return F.gaussian_nll_loss(numbers[..., 0], target, self.std(numbers).square(), full=True, reduction="none")

    def start(self, bias: Tensor) -> None:
        """Begin with a standard deviation below that of the scaled targets, 1: a forecast knows more than nothing."""
        with torch.no_grad():
            bias.view(-1, self.size)[:, 1] = FIRST_STD_NUMBER

    def point(self, numbers: Tensor) -> Tensor:
        """The mean (...)."""
        return numbers[..., 0]

    def std(self, numbers: Tensor) -> Tensor:
        """(...) the standard deviation."""
        return F.softplus(numbers[..., 1]) + LEAST_STD

    def interval(self, numbers: Tensor) -> tuple[Tensor, Tensor]:
        """The middle `level` of the normal distribution (...)."""
        half = self.width * self.std(numbers)
        return numbers[..., 0] - half, numbers[..., 0] + half


def make_head(intervals: Intervals, level: float, error: Literal["absolute", "squared"]) -> Head:
    """The head for these settings.

    Arguments:
        level: the share that intervals shall cover.
        error: of the value alone.
    """
    if intervals == "none":
        return Value(error)
    return Quantiles(level) if intervals == "quantile" else Gaussian(level)
