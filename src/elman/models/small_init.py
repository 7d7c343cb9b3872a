"""A quiet beginning: a vanilla network that forgets nothing at first, because tanh hardly bends what is small."""

from __future__ import annotations

import torch
from torch import nn

INPUT_SHARE = 0.3  # of the input weights, as they were drawn
OUTPUT_GAIN = 50.0  # by which the output layer learns faster than the rest, under an optimiser like Adam


class QuietOutput(nn.Linear):
    """A linear layer whose numbers are `OUTPUT_GAIN` times smaller than what they stand for.

    An optimiser whose steps have one size for all numbers, as Adam's, so moves it that much faster: it has to read
    a quiet state before the rest of the network has become loud.
    """

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(..., D) to (..., classes)."""
        return super().forward(x) * OUTPUT_GAIN


class Louder(nn.Module):
    """What a layer needs before it that reads a quiet state and is not the last: numbers of the usual size."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(..., D) to (..., D)."""
        return x * OUTPUT_GAIN


def quiet_inputs(recurrent: nn.Module) -> None:
    """Take most of the input weights, and all biases, from a recurrent layer."""
    with torch.no_grad():
        for name, parameter in recurrent.named_parameters():
            if "bias" in name:
                parameter.zero_()
            elif "weight_ih" in name:
                parameter.mul_(INPUT_SHARE)


def quiet_output(output: nn.Linear) -> QuietOutput:
    """A layer that says the same and learns faster."""
    quiet = QuietOutput(output.in_features, output.out_features)
    with torch.no_grad():
        quiet.weight.copy_(output.weight / OUTPUT_GAIN)
        quiet.bias.copy_(output.bias / OUTPUT_GAIN)
    return quiet
