"""Many networks by the reference, one after the other: every tensor has a dimension V before its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from elman.kernels.general import reference
from elman.kernels.general.options import GeneralGradients, GeneralInputs, GeneralNeeds, GeneralOptions, saves_extra


def forward_many(
    inputs: GeneralInputs, options: GeneralOptions, save: bool = True
) -> tuple[Tensor, Tensor, Tensor | None]:
    """h (V, T, B, H), the last states (V, B, H), and `extra` (V, T, B, H) where the adjoint needs it."""
    V, T, B, _ = inputs.x.shape
    if V == 0:
        nothing = inputs.x.new_empty(0, T, B, inputs.w_ih.shape[1])
        return nothing, torch.empty_like(inputs.h0), nothing if saves_extra(inputs, options) else None
    found = [reference.forward(GeneralInputs(*_select(inputs, v)), options) for v in range(V)]
    h, last, extra = (_stack(parts) for parts in zip(*found, strict=True))
    assert h is not None
    assert last is not None
    return h, last, extra


def backward_many(
    grad_h: Tensor | None,  # (V, T, B, H)
    grad_h_last: Tensor | None,  # (V, B, H)
    grad_extra: Tensor | None,  # (V, T, B, H)
    inputs: GeneralInputs,
    h: Tensor,
    extra: Tensor | None,
    options: GeneralOptions,
    needs: GeneralNeeds,
) -> GeneralGradients:
    """The gradients of the inputs, each with V before its own dimensions; differentiable, as the reference is."""
    if inputs.x.shape[0] == 0:
        pairs: Any = zip(inputs, needs, strict=False)
        return GeneralGradients(*(torch.zeros_like(tensor) if need else None for tensor, need in pairs))
    found = []
    for v in range(inputs.x.shape[0]):
        of_h, of_last, of_extra, own_h, own_extra = _select((grad_h, grad_h_last, grad_extra, h, extra), v)
        own = GeneralInputs(*_select(inputs, v))
        found.append(reference.backward(of_h, of_last, of_extra, own, own_h, own_extra, options, needs))
    return GeneralGradients(*(_stack(parts) for parts in zip(*found, strict=True)))


def _select(tensors: Sequence[Tensor | None], v: int) -> tuple[Any, ...]:
    return tuple(None if tensor is None else tensor[v] for tensor in tensors)


def _stack(parts: Sequence[Tensor | None]) -> Tensor | None:
    there = [part for part in parts if part is not None]
    return torch.stack(there) if there else None
