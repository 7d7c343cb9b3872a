"""bfloat16 and float16 on the CPU: widened to float32, in which the kernels compute, and rounded once, at the end.

Where the processor multiplies bfloat16 (the instruction set "avx512bf16"), the large products of the plain recurrence
take its factors so: x and the weights are bfloat16 as they come, the states and what comes back through time are
rounded on their way into a product, and the sums stay float32.
"""

from __future__ import annotations

import torch

from elman.kernels.casting import Tensors, cast_floating

HALVES = (torch.bfloat16, torch.float16)


def widened(tensors: Tensors, dtype: torch.dtype) -> Tensors:
    """The same in float32, integers and flags as they are.

    Raises:
        TypeError: a floating-point tensor is not of `dtype`.
    """
    for tensor in tensors:
        if tensor is not None and tensor.is_floating_point() and tensor.dtype is not dtype:
            raise TypeError(f"expected {dtype} as x has, got {tensor.dtype}")
    return cast_floating(tensors, torch.float32)
