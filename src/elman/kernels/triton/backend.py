"""The GPU backend: the recurrence of `reference.py` in Triton, small layers in one launch, large ones in one a step.

The functions take and return what those of `reference.py` do, and never wait for the device: lengths stay there, and a
call can be captured in a CUDA graph once it has run. T steps, B sequences, I inputs, H hidden units.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any, NamedTuple

import torch
from torch import Tensor

from elman.kernels.options import Gradients, Needs, RecurrenceInputs, RecurrenceOptions
from elman.kernels.triton.general import backend as GENERAL
from elman.kernels.triton.launch import (
    BLOCK_B,
    STEP_BLOCKS,
    WALK_WIDTH,
    contiguous,
    launch,
    precision,
    tiles,
    walk_blocks,
    walks,
)
from elman.kernels.triton.padded import states_before, zero_padding

__all__ = ["GENERAL", "backward", "detail", "forward", "why_unavailable", "why_unsupported"]

DTYPES = (torch.float32, torch.bfloat16, torch.float16)
OLDEST = (8, 0)  # compute capability; bfloat16 and asynchronous copies begin there


def why_unavailable(device: torch.device) -> str:
    """Why the kernels cannot run on a GPU; empty where they can."""
    if find_spec("triton") is None:
        return "Triton is not installed (pip install triton)"
    if not torch.cuda.is_available():
        return "there is no CUDA GPU"
    capability = torch.cuda.get_device_capability(device)
    if capability < OLDEST:
        have, need = (".".join(map(str, pair)) for pair in (capability, OLDEST))
        return f"the GPU is too old: compute capability {have}, and the kernels need {need}"
    return ""


def why_unsupported(options: RecurrenceOptions, dtype: torch.dtype) -> str:
    """Why the kernels do not compute this; empty where they do."""
    return "" if dtype in DTYPES else f"the kernels do not compute in {dtype}"


def detail() -> str:
    """What the backend is made of."""
    widths = ", ".join(f"{str(dtype).removeprefix('torch.')} H={width}" for dtype, width in WALK_WIDTH.items())
    return f"Triton; one launch up to {widths}, one a step above"


def forward(inputs: RecurrenceInputs, options: RecurrenceOptions) -> tuple[Tensor, Tensor]:
    """The input's share in one torch product, then the recurrence. See `elman.kernels.reference.forward`.

    A length outside 0..T counts as the nearest of them.
    """
    from elman.kernels.triton import forward as kernels

    x, h0, w_ih, w_hh, bias, lengths, mask = inputs
    T, B, _ = x.shape
    H = w_hh.shape[0]
    drive = torch.nn.functional.linear(x, w_ih, bias).contiguous()
    h = torch.empty_like(drive)
    h0, w_hh = h0.contiguous(), w_hh.contiguous()
    tensors = (drive, h0, w_hh, contiguous(lengths), contiguous(mask), h)
    flags = _flags(options, w_hh)
    if B and T and walks(H, x.dtype):
        launch(kernels.walk, (tiles(B, BLOCK_B),), *tensors, T, B, H, **walk_blocks(H, x.dtype), **flags)
    elif B and T:
        grid = tiles(B, STEP_BLOCKS["BLOCK_B"]), tiles(H, STEP_BLOCKS["BLOCK_H"])
        for t in reversed(range(T)) if options.reverse else range(T):
            launch(kernels.step, grid, *tensors, t, T, B, H, **STEP_BLOCKS, **flags)
    return h, _last(h, h0, lengths, options.reverse)


def backward(
    grad_h: Tensor | None,  # (T, B, H)
    grad_h_last: Tensor | None,  # (B, H)
    inputs: RecurrenceInputs,
    h: Tensor,  # (T, B, H) as `forward` returned it
    options: RecurrenceOptions,
    needs: Needs,
) -> Gradients:
    """delta by the kernel, then each gradient as one torch product. See `elman.kernels.reference.backward`."""
    x, h0, w_ih, w_hh, _, lengths, mask = inputs
    T, B, H = h.shape
    h, h0, w_hh = h.contiguous(), h0.contiguous(), w_hh.contiguous()
    saved = _Saved(contiguous(grad_h), contiguous(grad_h_last), h, h0, w_hh, contiguous(lengths), contiguous(mask))
    if B and T:
        run = _walk_back if walks(H, h.dtype) else _steps_back
        delta, grad_h0 = run(saved, options)
    else:
        delta = torch.zeros_like(h)
        grad_h0 = torch.zeros_like(h0) if grad_h_last is None else grad_h_last.clone()
    rows = delta.view(T * B, H)
    return Gradients(
        x=delta @ w_ih if needs.x else None,
        h0=grad_h0 if needs.h0 else None,
        w_ih=rows.t() @ zero_padding(x, lengths).reshape(T * B, x.shape[2]) if needs.w_ih else None,
        w_hh=rows.t() @ _entering(h, h0, lengths, options.reverse, mask).view(T * B, H) if needs.w_hh else None,
        bias=rows.sum(0) if needs.bias else None,
    )


class _Saved(NamedTuple):
    """What the adjoint's kernels read, contiguous, in the order of their arguments."""

    grad_h: Tensor | None  # (T, B, H)
    grad_h_last: Tensor | None  # (B, H)
    h: Tensor  # (T, B, H)
    h0: Tensor  # (B, H)
    w_hh: Tensor  # (H, H)
    lengths: Tensor | None  # (B,)
    mask: Tensor | None  # (B, H)


def _walk_back(saved: _Saved, options: RecurrenceOptions) -> tuple[Tensor, Tensor]:
    """delta (T, B, H) and the gradient of h0, in one launch."""
    from elman.kernels.triton import backward as kernels

    h, h0 = saved.h, saved.h0
    T, B, H = h.shape
    delta, grad_h0 = torch.empty_like(h), torch.empty_like(h0)
    constants = walk_blocks(H, h.dtype) | _flags(options, saved.w_hh)
    launch(kernels.walk_back, (tiles(B, BLOCK_B),), *saved, delta, grad_h0, T, B, H, **constants)
    return delta, grad_h0


def _steps_back(saved: _Saved, options: RecurrenceOptions) -> tuple[Tensor, Tensor]:
    """delta (T, B, H) and the gradient of h0, in a launch a step."""
    from elman.kernels.triton import backward as kernels

    _, grad_h_last, h, h0, w_hh, lengths, mask = saved
    T, B, H = h.shape
    reverse, residual, flags = options.reverse, options.residual, _flags(options, w_hh)
    delta = torch.empty_like(h)
    g, g_next = (torch.zeros_like(h0, dtype=torch.float32) for _ in range(2)) if residual else (None, None)
    grid = tiles(B, STEP_BLOCKS["BLOCK_B"]), tiles(H, STEP_BLOCKS["BLOCK_H"])
    for t in range(T) if reverse else reversed(range(T)):
        launch(kernels.step_back, grid, *saved, delta, g, g_next, t, T, B, H, **STEP_BLOCKS, **flags)
        g, g_next = g_next, g
    first = delta[-1 if reverse else 0]
    if reverse and lengths is not None:
        first = delta[(lengths.clamp(1, T) - 1), torch.arange(B, device=h.device)]
    grad_h0 = (first @ w_hh).float()
    if mask is not None:
        grad_h0 = grad_h0 * mask
    if g is not None:
        grad_h0 = grad_h0 + g
    if lengths is not None:
        start = torch.zeros_like(h0) if grad_h_last is None else grad_h_last
        grad_h0 = torch.where((lengths > 0).unsqueeze(1), grad_h0, start.float())
    return delta, grad_h0.to(h.dtype)


def _flags(options: RecurrenceOptions, w_hh: Tensor) -> dict[str, Any]:
    return {
        "RELU": options.nonlinearity == "relu",
        "REVERSE": options.reverse,
        "RESIDUAL": options.residual,
        "PRECISION": precision(w_hh.dtype),
    }


def _entering(h: Tensor, h0: Tensor, lengths: Tensor | None, reverse: bool, mask: Tensor | None) -> Tensor:
    """What enters W_hh at each step, (T, B, H): mask * h_(t-1)."""
    before = states_before(h, h0, lengths, reverse)
    return zero_padding(before if mask is None else before * mask, lengths)


def _last(h: Tensor, h0: Tensor, lengths: Tensor | None, reverse: bool) -> Tensor:
    """The state after each sequence's last step, (B, H); h0 where it has none."""
    T, B, _ = h.shape
    if not T:
        return h0.clone()
    if lengths is None:
        return h[0 if reverse else -1].clone()
    at = torch.zeros_like(lengths) if reverse else lengths.clamp(1, T) - 1
    return torch.where((lengths > 0).unsqueeze(1), h[at, torch.arange(B, device=h.device)], h0)
