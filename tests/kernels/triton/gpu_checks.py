"""What `test_gpu` runs in a process of its own, with TRITON_INTERPRET=1."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from tests.cases import CASES, Case
from torch import Tensor

from elman.kernels import reference
from elman.kernels.triton import backend as gpu

BLOCKS = (
    {},
    {"BLOCK_B": 16, "BLOCK_H": 16, "BLOCK_K": 16},  # several tiles each way
)
MORE = (
    Case(3, 18, 2, 5, lengths=tuple(i % 4 for i in range(18)), reverse=True, residual=True),
    Case(3, 17, 2, 33, residual=True, masked=True),
)
TOLERANCE = {torch.float32: 1e-4, torch.float16: 8e-3}


def passes(backend: Any, case: Case, dtype: torch.dtype, missing: int | None) -> list[Tensor]:
    """h, h_last and the gradients, from the same rounded numbers whatever the dtype."""
    rounded = dtype if backend is gpu else torch.float64
    source = dtype if backend is gpu else TARGET
    five: list[Any] = [t.to(source).to(rounded) for t in case.tensors(requires_grad=False)]
    five += [] if case.bias else [None]
    options = case.options(source)
    mask = None if options["mask"] is None else options["mask"].to(rounded)
    rest = (options["lengths"], case.nonlinearity, case.reverse, case.residual, mask)
    draw = torch.Generator().manual_seed(1)
    grads: list[Any] = [torch.randn(*s, generator=draw) for s in ((case.T, case.B, case.H), (case.B, case.H))]
    grads = [None if i == missing else g.to(source).to(rounded) for i, g in enumerate(grads)]
    if case.lengths is not None and case.B:
        for b, length in enumerate(case.lengths):  # the padding holds anything
            five[0][length:, b] = math.nan
            if grads[0] is not None:
                grads[0][length:, b] = math.nan
    h, h_last = backend.forward(*five, *rest)
    needs = (True, True, True, True, case.bias)
    got = backend.backward(*grads, *five, h, *rest, needs)
    return [h, h_last, *(g for g in got if g is not None)]


TARGET = torch.float32


def compare(case: Case, dtype: torch.dtype, missing: int | None = None) -> None:
    global TARGET
    TARGET = dtype
    want, got = (passes(backend, case, dtype, missing) for backend in (reference, gpu))
    for i, (w, g) in enumerate(zip(want, got, strict=True)):
        assert g.dtype == dtype
        scale = w.abs().max().item() + 1e-2 if w.numel() else 1.0
        error = (g.double() - w).abs().max().item() / scale if w.numel() else 0.0
        assert error <= TOLERANCE[dtype], f"{case} {dtype} output {i} missing {missing}: {error}"


def nan_and_infinity(nonlinearity: str) -> None:
    case = Case(4, 3, 2, 5, nonlinearity)
    five: list[Any] = case.tensors(torch.float32, requires_grad=False)
    five[0][1, 0, 0], five[0][1, 1, 0] = math.nan, math.inf
    rest = (None, nonlinearity, False, False, None)
    with np.errstate(all="ignore"):
        got = gpu.forward(*five, *rest)
    for g, w in zip(got, reference.forward(*five, *rest), strict=True):
        torch.testing.assert_close(g, w, equal_nan=True)


def tanh_is_accurate() -> None:
    """By way of one step whose state enters with weight 0."""
    a = torch.cat([torch.linspace(-12, 12, 4001), torch.logspace(-30, 0, 1000), torch.tensor([math.inf, -math.inf])])
    B = a.numel()
    zero = torch.zeros(1, 1)
    h, _ = gpu.forward(a.view(1, B, 1), zero.expand(B, 1), zero + 1, zero, None, None, "tanh", False, False, None)
    true = a.double().tanh()
    assert ((h.flatten().double() - true).abs() <= 3e-7 * true.abs()).all()


def main() -> None:
    torch.set_num_threads(1)
    widths, steps, count = dict(gpu._WALK_WIDTH), dict(gpu.STEP_BLOCKS), 0
    for walking in (True, False):
        gpu._WALK_WIDTH.update(widths if walking else dict.fromkeys(widths, 0))
        for blocks in BLOCKS[: 1 if walking else 2]:
            gpu.STEP_BLOCKS.update(steps | blocks)
            for case in (*CASES, *MORE):
                compare(case, torch.float32)
                count += 1
            for missing in (0, 1):
                for case in (CASES[6], CASES[9], MORE[0], MORE[1]):
                    compare(case, torch.float32, missing)
            # no bfloat16: Triton's interpreter multiplies its bits as integers in a dot
            for case in (CASES[9], CASES[13], MORE[0]):
                compare(case, torch.float16)
            for nonlinearity in ("tanh", "relu"):
                nan_and_infinity(nonlinearity)
        if walking:
            tanh_is_accurate()
    print(f"checked {count} cases")


if __name__ == "__main__":
    main()
