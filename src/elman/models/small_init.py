"""Small initial states: a vanilla network that forgets nothing at first, because tanh is nearly linear near zero."""

from __future__ import annotations

import torch
from torch import nn

INPUT_SHARE = 0.3  # of the input weights, as they were drawn
OUTPUT_GAIN = 50.0  # by which the output layer learns faster than the rest, under an optimiser like Adam


class FastOutput(nn.Linear):
    """A linear layer whose numbers are `OUTPUT_GAIN` times smaller than what they stand for.

    An optimiser whose steps have one size for all weights, as Adam's, so moves it that much faster: it has to read
    small states before training has made them large.
    """

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(..., D) to (..., classes)."""
        return super().forward(x) * OUTPUT_GAIN


class ScaledOutput(nn.Module):
    """Scales small states to the usual size, for a layer that reads them and is not the last."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(..., D) to (..., D)."""
        return x * OUTPUT_GAIN


def small_inputs(recurrent: nn.Module) -> None:
    """Scale the input weights of a recurrent layer by `INPUT_SHARE`, and set its biases to zero."""
    with torch.no_grad():
        for name, parameter in recurrent.named_parameters():
            if "bias" in name:
                parameter.zero_()
            elif "weight_ih" in name:
                parameter.mul_(INPUT_SHARE)


def fast_output(output: nn.Linear) -> FastOutput:
    """A layer that computes the same as `output` and learns faster."""
    fast = FastOutput(output.in_features, output.out_features)
    with torch.no_grad():
        fast.weight.copy_(output.weight / OUTPUT_GAIN)
        fast.bias.copy_(output.bias / OUTPUT_GAIN)
    return fast
