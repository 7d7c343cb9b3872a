"""Two run folders that are to hold the same numbers."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import load_file


def assert_same_files(one: Path, other: Path) -> None:
    """Weights and checkpoints of two runs are equal to the bit."""
    for name in ("model.safetensors", "last.safetensors"):
        left, right = load_file(one / name), load_file(other / name)
        assert left.keys() == right.keys()
        for key, tensor in left.items():
            assert torch.equal(tensor, right[key]), f"{name}: {key}"
