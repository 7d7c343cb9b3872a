"""Launching the kernels of the noise: on the drive of V networks, and for the gradient of its size.

T steps, B sequences, H hidden units, V networks; every tensor is contiguous.
"""

from __future__ import annotations

import torch
from torch import Tensor

from elman.kernels.general.noise import COUNTERS_A_BLOCK, UNITS_A_BLOCK
from elman.kernels.triton.launch import launch, tiles

BLOCKS = {"BLOCK_R": 16, "BLOCK_C": 32}
TILES = 16  # of rows that a program sums


def seeds_on(
    device: torch.device,
    seed: Tensor,  # (V, 2) int64 on the CPU
) -> Tensor:
    """The seeds there, as numbers of launches: a copy from the CPU's memory may wait for what the device does, and is
    refused while a CUDA graph is captured."""
    there = torch.empty(seed.shape, dtype=torch.int64, device=device)
    for column, numbers in zip(there.unbind(1), seed.t().tolist(), strict=True):
        if len(set(numbers)) == 1:  # all networks' stream is the same
            column.fill_(numbers[0])
            continue
        for v, number in enumerate(numbers):
            column[v].fill_(number)
    return there


def add_noise(
    drive: Tensor,  # (V, T, B, H) written
    noise: Tensor,  # (V, H)
    seed: Tensor,  # (V, 2)
) -> None:
    """drive += s * n."""
    from elman.kernels.triton.general import noise as kernels

    V, T, B, H = drive.shape
    N, seeds = T * B, seeds_on(drive.device, seed)
    grid = V * tiles(N, BLOCKS["BLOCK_R"]), tiles(_counters(H), BLOCKS["BLOCK_C"])
    launch(kernels.add_noise, grid, drive, noise, seeds, N, B, H, **BLOCKS)


def noise_gradient(
    delta: Tensor,  # (V, T, B, H)
    seed: Tensor,  # (V, 2)
) -> Tensor:
    """sum_t,b delta * n, (V, H)."""
    from elman.kernels.triton.general import noise as kernels

    V, T, B, H = delta.shape
    N, seeds = T * B, seeds_on(delta.device, seed)
    each = min(TILES, tiles(N, BLOCKS["BLOCK_R"]))
    P = tiles(N, each * BLOCKS["BLOCK_R"])
    partial = torch.empty((V, P, H), dtype=torch.float32, device=delta.device)
    grid = V * P, tiles(_counters(H), BLOCKS["BLOCK_C"])
    launch(kernels.noise_gradient, grid, delta, seeds, partial, N, B, H, P, each, **BLOCKS)
    return partial.sum(1).to(delta.dtype)


def _counters(H: int) -> int:
    return tiles(H, UNITS_A_BLOCK) * COUNTERS_A_BLOCK
