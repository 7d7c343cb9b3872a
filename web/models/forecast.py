"""How does a series go on? One number in, the next one out, on made-up series of waves, trends and noise."""

from __future__ import annotations

import math
from pathlib import Path

import torch
from common import fit, layer, save
from torch import Tensor, nn

import elman

HIDDEN, STEPS, T, B, SEED = 48, 3000, 120, 48, 1


def series(draw: torch.Generator, length: int, count: int) -> Tensor:
    """(length, count) series with mean 0 and deviation 1: two waves, a trend, noise."""

    def uniform(low: float, high: float) -> Tensor:
        return low + (high - low) * torch.rand(count, generator=draw)

    t = torch.arange(length)[:, None]
    period = torch.exp(uniform(math.log(6), math.log(40)))
    wave = torch.sin(2 * math.pi * (t / period + uniform(0, 1)))
    second = uniform(0, 0.6) * torch.sin(4 * math.pi * (t / period + uniform(0, 1)))
    trend = uniform(-0.015, 0.015) * t
    noise = uniform(0, 0.15) * torch.randn(length, count, generator=draw)
    whole = wave + second + trend + noise
    return (whole - whole.mean(0)) / whole.std(0)


def build(folder: Path) -> None:
    """Train to give the next number of a series; judged by new ones, beside the last number again."""
    torch.manual_seed(SEED)
    draw = torch.Generator().manual_seed(SEED)
    rnn, output = elman.RNN(1, HIDDEN, init="orthogonal"), nn.Linear(HIDDEN, 1)

    def errors(whole: Tensor) -> Tensor:
        h, _ = rnn(whole[:-1, :, None])
        return whole[:-1] + output(h)[..., 0] - whole[1:]  # what is predicted is the change

    fit(nn.ModuleList([rnn, output]), lambda step: errors(series(draw, T, B))[8:].square().mean(), STEPS, 4e-3)
    judged = series(draw, T, 1000)
    with torch.no_grad():
        error = float(errors(judged)[40:].square().mean().sqrt())
    naive = float((judged[41:] - judged[40:-1]).square().mean().sqrt())
    quality = f"one step ahead it errs by {error:.2f} of a deviation; the last number again by {naive:.2f}"
    facts = {"H": HIDDEN, "I": 1, "O": 1, "quality": quality}
    save(folder, "forecast", facts, layer(rnn) | {"w_out": output.weight, "b_out": output.bias})
