"""How the kernels are launched: sizes of their tiles, precision of their products, and the device of their tensors."""

from __future__ import annotations

import os
from typing import Any

import torch
from torch import Tensor

BLOCK_B = 16  # the fewest rows that the matrix units take
STEP_BLOCKS = {"BLOCK_B": 16, "BLOCK_H": 32, "BLOCK_K": 64}
WALK_WIDTH = {torch.float32: 64, torch.bfloat16: 128, torch.float16: 128}  # widest layer whose W_hh stays on chip


def walks(H: int, dtype: torch.dtype) -> bool:
    """Whether a layer is small enough for one program to hold W_hh and take all steps in one launch."""
    return WALK_WIDTH[dtype] >= H


def width(size: int) -> int:
    """The narrowest tile that holds `size` columns: a power of two that the matrix units take."""
    return max(16, 1 << (size - 1).bit_length())


def walk_blocks(H: int, dtype: torch.dtype) -> dict[str, int]:
    """The tile of a program that holds W_hh, and its warps."""
    return {"BLOCK_B": BLOCK_B, "BLOCK_H": width(H), "num_warps": 4 if width(H) <= 64 else 8}


def precision(dtype: torch.dtype) -> str:
    """Of the products: TF32 only where torch may use it too."""
    exact = dtype == torch.float32 and not torch.backends.cuda.matmul.allow_tf32
    return "ieee" if exact else "tf32"


def tiles(size: int, block: int) -> int:
    """How many blocks cover `size`."""
    return -(-size // block)


def launch(kernel: Any, grid: tuple[int, ...], *args: Any, **options: Any) -> None:
    """Run a kernel on the device of its tensors, which need not be the current one."""
    options["enable_fp_fusion"] = True  # said here because Triton warns where nobody says
    device = next(arg.device for arg in args if isinstance(arg, Tensor))
    if device.type == "cuda":
        with torch.cuda.device(device):
            kernel[grid](*args, **options)
    elif os.environ.get("TRITON_INTERPRET") == "1":
        kernel[grid](*args, **options)
    else:
        raise ValueError(
            f"the Triton backend cannot run tensors on {device.type}; TRITON_INTERPRET=1 interprets it there"
        )


def contiguous(tensor: Tensor | None) -> Tensor | None:
    """The tensor as the kernels read it."""
    return None if tensor is None else tensor.contiguous()
