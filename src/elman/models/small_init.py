"""A quiet beginning: a vanilla network that forgets nothing at first, because tanh hardly bends what is small."""

from __future__ import annotations

import torch
from torch import nn

INPUT_SHARE = 0.3  # of the input weights, as they were drawn
OUTPUT_GAIN = 50.0  # by which the output layer learns faster than the rest, under an optimiser like Adam


class FastOutput(nn.Linear):
    """A linear layer whose numbers are `OUTPUT_GAIN` times smaller than what they stand for.

    An optimiser whose steps have one size for all numbers, as Adam's, so moves it that much faster: it has to read
    a quiet state before the rest of the network has become loud.
    """

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(..., D) to (..., classes)."""
        return super().forward(x) * OUTPUT_GAIN


class ScaledOutput(nn.Module):
    """What a layer needs before it that reads a quiet state and is not the last: numbers of the usual size."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(..., D) to (..., D)."""
        return x * OUTPUT_GAIN


def small_inputs(recurrent: nn.Module) -> None:
    """Take most of the input weights, and all biases, from a recurrent layer."""
    with torch.no_grad():
        for name, parameter in recurrent.named_parameters():
            if "bias" in name:
                parameter.zero_()
            elif "weight_ih" in name:
                parameter.mul_(INPUT_SHARE)


def fast_output(output: nn.Linear) -> FastOutput:
    """A layer that says the same and learns faster."""
    small_init = FastOutput(output.in_features, output.out_features)
    with torch.no_grad():
        small_init.weight.copy_(output.weight / OUTPUT_GAIN)
        small_init.bias.copy_(output.bias / OUTPUT_GAIN)
    return small_init
