"""What the small models of the pages have in common: training with a falling learning rate, and their file."""

from __future__ import annotations

import base64
import gzip
import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

import elman
from elman.atomic_io import write_text


def fit(model: nn.Module, loss: Callable[[int], Tensor], steps: int, lr: float, clip: float = 1.0) -> float:
    """Train by Adam, the learning rate falling to nothing; returns the mean loss of the last 50 steps."""
    optimiser = torch.optim.Adam(model.parameters(), lr=lr)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, lr, total_steps=steps, pct_start=0.1)
    late = []
    for step in range(steps):
        value = loss(step)
        optimiser.zero_grad()
        value.backward()
        nn.utils.clip_grad_norm_(model.parameters(), clip)
        optimiser.step()
        schedule.step()
        if step >= steps - 50:
            late.append(value.item())
    return sum(late) / len(late)


def layer(rnn: elman.RNN, prefix: str = "") -> dict[str, Tensor]:
    """A layer's weights as the pages name them, its two biases as one."""
    return {
        f"{prefix}w_ih": rnn.weight_ih_l0,
        f"{prefix}w_hh": rnn.weight_hh_l0,
        f"{prefix}bias": rnn.bias_ih_l0 + rnn.bias_hh_l0,
    }


def embedded(embedding: nn.Embedding, rnn: elman.RNN, prefix: str = "") -> dict[str, Tensor]:
    """A layer that reads tokens: in the place of W_ih a table (V, H), each token's share of the sum."""
    bias = rnn.bias_ih_l0 + rnn.bias_hh_l0
    return {f"{prefix}table": embedding.weight @ rnn.weight_ih_l0.t() + bias, f"{prefix}w_hh": rnn.weight_hh_l0}


def save(folder: Path, name: str, facts: dict[str, Any], tensors: dict[str, Tensor]) -> None:
    """Write a model as a script that a page loads: its facts as JSON, then float32 numbers, packed.

    A script, because a page that was opened from a file may not read other files.
    """
    places, data, at = {}, b"", 0
    for key, tensor in tensors.items():
        numbers = tensor.detach().float().contiguous().flatten()
        places[key] = [at, numbers.numel()]
        at += numbers.numel()
        data += numbers.numpy().tobytes()
    header = json.dumps({"name": name, **facts, "tensors": places}).encode()
    header += b" " * (-len(header) % 4)
    write_asset(folder, name, struct.pack("<I", len(header)) + header + data)
    print(f"{name}: {at} numbers, {facts.get('quality', '')}", flush=True)


def write_asset(folder: Path, name: str, data: bytes) -> None:
    """A file as a script that hands its bytes, gzipped and in base64, to the page."""
    packed = base64.b64encode(gzip.compress(data, 9, mtime=0)).decode()
    write_text(folder / f"{name}.js", f'(globalThis.elmanAssets??={{}})["{name}"]="{packed}";\n')
