"""A series read at several time scales at once: patches of it go into recurrent layers, finer and coarser ones.

T steps, B sequences, I channels, H hidden units. What a vanilla network cannot carry over hundreds of steps it need
not carry where a step of the network is a patch of the series.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from elman.models.config import Readout, RecurrentConfig
from elman.models.readout import pool, width
from elman.models.recurrent import Recurrent

PATCH = 8
"""A patch is so many strides long, so that neighbours overlap by seven eighths."""
FINEST = 8
"""Numbers of a channel in a stride, at most: steps of longer ones are averaged first."""
WIDEST = 4_096
"""Numbers in a patch at the finest scale, at most, however many channels there are."""


def most_in_stride(channels: int) -> int:
    """Numbers of each of `channels` that a stride may hold, at most."""
    return max(1, min(FINEST, WIDEST // (2 * channels * PATCH)))


def averaged(stride: int, channels: int) -> int:
    """How many steps are averaged to one: the fewest that divide the stride into few enough."""
    most = most_in_stride(channels)
    return next(count for count in range(1, stride + 1) if stride % count == 0 and stride // count <= most)


def patches(x: Tensor, lengths: Tensor, stride: int) -> tuple[Tensor, Tensor]:
    """Overlapping pieces of a series, one every `stride` steps.

    Arguments:
        x: (T, B, I), zero past the end of each sequence.
        lengths: (B,).

    Returns:
        (N, B, `PATCH` * stride * I) with N = T / stride, rounded up; and how many of them each sequence has.
    """
    count, size = math.ceil(len(x) / stride), PATCH * stride
    before = (size - stride) // 2
    padded = F.pad(x.permute(1, 2, 0), (before, count * stride + size - len(x)))
    pieces = padded.unfold(2, size, stride)[:, :, :count]  # (B, I, N, size)
    return pieces.permute(2, 0, 1, 3).flatten(2), (lengths + stride - 1).div(stride, rounding_mode="floor")


class MultiScaleClassifier(nn.Module):
    """Many to one, from patches of the series and of its differences: a recurrent part for each of several strides.

    Arguments:
        difference: (I,) the usual size of a difference from step to step, by which differences are divided.
        shape: of each recurrent part; its `input_size` is I.
        classes: how many answers there are.
        strides: steps from patch to patch, of each recurrent part: each a multiple of the first.
        readout: what is read of the states of each part: see `readout.pool`.
        dropout: on what is read.
        head: units of a relu layer between what is read and the output layer; 0 for none.
        fixed: leave the recurrent parts as they begin.
    """

    difference: Tensor

    def __init__(
        self,
        difference: Sequence[float],
        shape: RecurrentConfig,
        classes: int,
        strides: Sequence[int],
        *,
        readout: Readout = "mean-max",
        dropout: float = 0.0,
        head: int = 0,
        fixed: bool = False,
    ) -> None:
        super().__init__()
        self.strides = tuple(strides)
        self.readout = readout
        self.register_buffer("difference", torch.tensor(difference, dtype=torch.float32))
        self.averaged = averaged(min(self.strides), shape.input_size)
        sizes = [2 * shape.input_size * PATCH * (stride // self.averaged) for stride in self.strides]
        self.recurrent = nn.ModuleList(Recurrent(replace(shape, input_size=size)) for size in sizes)
        for recurrent, size in zip(self.recurrent, sizes, strict=True):
            _scale_inputs(recurrent, size)
        states = sum(recurrent.output_size for recurrent in self.recurrent)  # type: ignore[misc]
        read = width(readout, int(states))
        attention = [nn.Linear(int(recurrent.output_size), 1) for recurrent in self.recurrent]  # type: ignore[arg-type]
        self.attention = nn.ModuleList(attention if readout == "attention" else [])
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Sequential(nn.Linear(read, head), nn.ReLU(), nn.Dropout(dropout)) if head else nn.Identity()
        self.output = nn.Linear(head or read, classes)
        if fixed:
            self.recurrent.requires_grad_(False)

    def views(self, x: Tensor, lengths: Tensor) -> list[tuple[Tensor, Tensor]]:
        """What the recurrent parts read of x (T, B, I) and how many steps that are of each sequence, part by part."""
        inside = (torch.arange(len(x), device=x.device).unsqueeze(1) < lengths).unsqueeze(2)
        x = x * inside
        steps = torch.cat([torch.zeros_like(x[:1]), (x[1:] - x[:-1]) * inside[1:]]) / self.difference
        both = torch.cat([x, steps], dim=2)
        if self.averaged > 1:
            both = F.pad(both, (0, 0, 0, 0, 0, -len(x) % self.averaged))
            both = both.reshape(-1, self.averaged, *both.shape[1:]).mean(dim=1)
            lengths = (lengths + self.averaged - 1).div(self.averaged, rounding_mode="floor")
        return [patches(both, lengths, stride // self.averaged) for stride in self.strides]

    def forward(self, x: Tensor, lengths: Tensor, *, views: list[tuple[Tensor, Tensor]] | None = None) -> Tensor:
        """Scores of the classes, (B, classes), from x (T, B, I) and the steps of each, (B,).

        Arguments:
            views: of x, where they are made already.
        """
        views = self.views(x, lengths) if views is None else views
        read: list[Tensor] = []
        # The finest comes last: it is the layer that `insight` shows where none is named.
        for number, (pieces, counts) in reversed(list(enumerate(views))):
            states, last = self.recurrent[number](pieces, (), counts)
            attention = self.attention[number] if len(self.attention) else None
            read.append(pool(states, last[0], counts, self.readout, attention))
        scores: Tensor = self.output(self.head(self.dropout(torch.cat(read, dim=1))))
        return scores


def _scale_inputs(recurrent: nn.Module, size: int) -> None:
    """Draw the first layer's input weights so that inputs of size 1, however many, drive each unit by about 1."""
    with torch.no_grad():
        for name, parameter in recurrent.named_parameters():
            if "weight_ih_l0" in name:
                parameter.normal_(0.0, 1 / math.sqrt(size))
