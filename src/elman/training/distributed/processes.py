"""What several processes tell one another: counts, signals, short texts, gradients. W processes."""

from __future__ import annotations

import warnings

import torch
from accelerate import Accelerator
from accelerate.utils import broadcast, gather
from torch import nn

_LONGEST = 4096
"""Bytes of a text from one process to the others."""


def share_model(model: nn.Module, accelerator: Accelerator) -> nn.Module:
    """The model as every process calls it: gradients are averaged over the processes, buffers stay each one's own."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "`broadcast_buffers` is deprecated", FutureWarning)
        # it is on its device already, and to find out whether it may be moved takes a second of imports
        shared: nn.Module = accelerator.prepare_model(model, device_placement=False)
    return shared


def totals(count: int, signal: int, accelerator: Accelerator) -> tuple[int, int]:
    """The count over all processes, and the number of a signal that one of them was sent, 0 for none."""
    if accelerator.num_processes == 1:
        return count, signal
    each = gather(torch.tensor([[count, signal]], device=accelerator.device))  # (W, 2)
    return int(each[:, 0].sum()), int(each[:, 1].max())


def from_first(value: float, accelerator: Accelerator) -> float:
    """The value that the first process has."""
    if accelerator.num_processes == 1:
        return value
    return float(broadcast(torch.tensor(value, dtype=torch.float64, device=accelerator.device)))


def each_text(text: str, accelerator: Accelerator) -> list[str]:
    """The texts of all processes, by their numbers; what is longer than 4 KiB is cut."""
    if accelerator.num_processes == 1:
        return [text]
    raw = text.encode("utf-8", "replace")[:_LONGEST]
    row = torch.zeros(1, _LONGEST, dtype=torch.uint8)
    row[0, : len(raw)] = torch.frombuffer(bytearray(raw), dtype=torch.uint8) if raw else row[0, :0]
    rows = gather(row.to(accelerator.device)).cpu()
    return [bytes(one.tolist()).rstrip(b"\0").decode("utf-8", "ignore") for one in rows]
