"""Several tensors at once in another dtype."""

from __future__ import annotations

from typing import Any, TypeVar

import torch
from torch import Tensor

Tensors = TypeVar("Tensors", bound=tuple[Tensor | None, ...])


def cast_floating(tensors: Tensors, dtype: torch.dtype) -> Tensors:
    """The floating-point tensors in `dtype`, but float64, which autocast leaves alone; the others as they are."""
    found = (_one(tensor, dtype) for tensor in tensors)
    make: Any = getattr(type(tensors), "_make", tuple)  # a named tuple stays one
    made: Tensors = make(found)
    return made


def _one(tensor: Tensor | None, dtype: torch.dtype) -> Tensor | None:
    if tensor is None or not tensor.is_floating_point() or tensor.dtype == torch.float64:
        return tensor
    return tensor.to(dtype)
