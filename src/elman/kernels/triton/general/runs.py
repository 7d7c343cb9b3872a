"""The launches of the general recurrence's kernels: all steps at once, or one step after the other.

T steps, B sequences, H hidden units, V networks; every tensor is contiguous and has V before its own dimensions.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from elman.kernels.general.options import GeneralInputs, GeneralOptions
from elman.kernels.triton.general.products import States, first_entering, restart_state
from elman.kernels.triton.launch import (
    BLOCK_B,
    STEP_BLOCKS,
    contiguous,
    launch,
    precision,
    tiles,
    walks,
    width,
)


def run(inputs: GeneralInputs, drive: Tensor, h: Tensor, extra: Tensor | None, options: GeneralOptions) -> Tensor:
    """The last states (V, B, H); h and extra, (V, T, B, H), are written."""
    return (_walk if _is_small(inputs) else _steps)(inputs, drive, h, extra, options)


Sums = tuple[Tensor | None, Tensor | None]
"""(V, B, H) float32, zero at first: what each sequence adds to the gradients of the leak and of the restart state."""


def run_back(
    grad_h: Tensor | None,  # (V, T, B, H)
    grad_h_last: Tensor | None,  # (V, B, H)
    inputs: GeneralInputs,
    states: States,
    sums: Sums,
    options: GeneralOptions,
) -> tuple[Tensor, Tensor]:
    """delta (V, T, B, H) and the gradient of h0 (V, B, H); the sums are written."""
    back = _walk_back if _is_small(inputs) else _steps_back
    return back(contiguous(grad_h), contiguous(grad_h_last), inputs, states, sums, options)


def _is_small(inputs: GeneralInputs) -> bool:
    """Whether one program holds W_hh, or its two factors."""
    return walks(max(inputs.w_hh.shape[1:]), inputs.w_hh.dtype)


def _terms(inputs: GeneralInputs) -> tuple[Tensor | None, ...]:
    """lengths, mask and reset in the order of the kernels' arguments."""
    reset = inputs.reset
    return inputs.lengths, inputs.mask, None if reset is None else reset.view(torch.uint8)


def _constants(inputs: GeneralInputs, options: GeneralOptions) -> dict[str, Any]:
    return {
        "F": options.nonlinearity,
        "RESIDUAL": options.residual,
        "CURRENT": options.current,
        "PRECISION": precision(inputs.w_hh.dtype),
    }


def general_blocks(H: int, r: int) -> dict[str, int]:
    """The tile of a program that holds W_hh, and its warps: with four of them, 64 columns spill."""
    return {"BLOCK_B": BLOCK_B, "BLOCK_H": width(H), "BLOCK_R": width(r), "num_warps": 4 if max(H, r) <= 32 else 8}


def _walk_constants(inputs: GeneralInputs, options: GeneralOptions) -> dict[str, Any]:
    _, H, r = inputs.w_hh.shape
    return general_blocks(H, r) | _constants(inputs, options) | {"REVERSE": options.reverse}


def _walk(inputs: GeneralInputs, drive: Tensor, h: Tensor, extra: Tensor | None, options: GeneralOptions) -> Tensor:
    """`run` in one launch."""
    from elman.kernels.triton.general import forward as kernels

    V, T, B, H = drive.shape
    h_last = torch.empty_like(inputs.h0)
    given = drive, inputs.h0, inputs.w_hh, inputs.w_in, inputs.leak, restart_state(inputs), *_terms(inputs)
    sizes = T, B, H, inputs.w_hh.shape[2]
    launch(kernels.walk, (V * tiles(B, BLOCK_B),), *given, h, extra, h_last, *sizes, **_walk_constants(inputs, options))
    return h_last


def _steps(inputs: GeneralInputs, drive: Tensor, h: Tensor, extra: Tensor | None, options: GeneralOptions) -> Tensor:
    """`run` in a launch a step."""
    from elman.kernels.triton.general import forward as kernels

    V, T, B, H = drive.shape
    state, entering = inputs.h0.clone(), first_entering(inputs, options)
    enters_next = torch.empty_like(state)
    rest = inputs.w_hh, inputs.leak, restart_state(inputs), *_terms(inputs), h, extra, state
    constants = STEP_BLOCKS | _constants(inputs, options) | {"REVERSE": options.reverse}
    grid = V * tiles(B, STEP_BLOCKS["BLOCK_B"]), tiles(H, STEP_BLOCKS["BLOCK_H"])
    for t in reversed(range(T)) if options.reverse else range(T):
        source = entering if inputs.w_in is None else torch.bmm(entering, inputs.w_in)
        sizes = t, T, B, H, source.shape[2]
        launch(kernels.step, grid, drive, source, *rest, enters_next, *sizes, **constants)
        entering, enters_next = enters_next, entering
    return state


def _walk_back(
    grad_h: Tensor | None,
    grad_h_last: Tensor | None,
    inputs: GeneralInputs,
    states: States,
    sums: Sums,
    options: GeneralOptions,
) -> tuple[Tensor, Tensor]:
    """`run_back` in one launch."""
    from elman.kernels.triton.general import backward as kernels

    V, T, B, H = states.y.shape
    delta, grad_h0 = torch.empty_like(states.y), torch.empty_like(inputs.h0)
    given = grad_h, grad_h_last, *states, inputs.w_hh, inputs.w_in, inputs.leak, *_terms(inputs)
    sizes = T, B, H, inputs.w_hh.shape[2]
    constants = _walk_constants(inputs, options)
    launch(kernels.walk_back, (V * tiles(B, BLOCK_B),), *given, delta, grad_h0, *sums, *sizes, **constants)
    return delta, grad_h0


def _steps_back(
    grad_h: Tensor | None,
    grad_h_last: Tensor | None,
    inputs: GeneralInputs,
    states: States,
    sums: Sums,
    options: GeneralOptions,
) -> tuple[Tensor, Tensor]:
    """`run_back` in a launch a step, and one that finishes the first step."""
    from elman.kernels.triton.general import backward as kernels

    V, T, B, H = states.y.shape
    w_hh, w_in = inputs.w_hh, inputs.w_in
    delta = torch.empty_like(states.y)
    c = torch.zeros_like(inputs.h0, dtype=torch.float32)
    if grad_h_last is not None:
        c += grad_h_last
    # what the entering delta, or of low rank its product with w_hh, is multiplied with, and the strides of that
    weight = (w_hh, H, 1) if w_in is None else (w_in, 1, w_in.shape[2])
    constants = STEP_BLOCKS | _constants(inputs, options)
    grid = V * tiles(B, STEP_BLOCKS["BLOCK_B"]), tiles(H, STEP_BLOCKS["BLOCK_H"])
    order = [*range(T), T] if options.reverse else [*reversed(range(T)), -1]
    after = -1 if options.reverse else T
    for t in order:
        entered = delta[:, after if 0 <= after < T else 0]
        if w_in is not None:
            entered = torch.bmm(entered, w_hh)
        K, stride = entered.shape[2], entered.stride(0)
        tensors = *states, entered, weight[0], inputs.leak, *_terms(inputs), delta, c, *sums
        sizes = t, after, T, B, H, K, stride, *weight[1:]
        launch(kernels.step_back, grid, grad_h, *tensors, *sizes, **constants)
        after = t
    return delta, c.to(states.y.dtype)
