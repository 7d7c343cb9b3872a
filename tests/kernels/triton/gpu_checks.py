"""What `test_backend` runs in a process of its own, with TRITON_INTERPRET=1."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from tests.cases import CASES, Case
from tests.numerics import assert_close, assert_equally_accurate
from torch import Tensor

from elman.kernels import Needs, RecurrenceInputs, reference
from elman.kernels.options import PLAIN
from elman.kernels.triton import backend as gpu
from elman.kernels.triton import launch

BLOCKS = (
    {},
    {"BLOCK_B": 16, "BLOCK_H": 16, "BLOCK_K": 16},  # several tiles each way
)
MORE = (
    Case(3, 18, 2, 5, lengths=tuple(i % 4 for i in range(18)), reverse=True, residual=True),
    Case(3, 17, 2, 33, residual=True, masked=True),
)


def passes(backend: Any, case: Case, dtype: torch.dtype, source: torch.dtype, missing: int | None) -> list[Tensor]:
    """h, h_last and the gradients in `dtype`, from numbers that were rounded to `source`."""
    inputs = RecurrenceInputs(
        *(t.to(source).to(dtype) if t is not None and t.is_floating_point() else t for t in case.inputs())  # type: ignore[arg-type]
    )
    draw = torch.Generator().manual_seed(1)
    grads: list[Any] = [torch.randn(*s, generator=draw) for s in ((case.T, case.B, case.H), (case.B, case.H))]
    grads = [None if i == missing else g.to(source).to(dtype) for i, g in enumerate(grads)]
    if case.lengths is not None and case.B:
        for b, length in enumerate(case.lengths):  # the padding holds anything
            inputs.x[length:, b] = math.nan
            if grads[0] is not None:
                grads[0][length:, b] = math.nan
    h, h_last = backend.forward(inputs, case.recurrence_options)
    got = backend.backward(*grads, inputs, h, case.recurrence_options, Needs(bias=case.bias))
    return [h, h_last, *(g for g in got if g is not None)]


def compare(case: Case, dtype: torch.dtype, missing: int | None = None) -> None:
    exact = passes(reference, case, torch.float64, dtype, missing)
    want, got = (passes(backend, case, dtype, dtype, missing) for backend in (reference, gpu))
    terms = max(case.I + case.H, case.T * case.B)
    assert_equally_accurate(got, want, exact, terms)


def nan_and_infinity(nonlinearity: str) -> None:
    case = Case(4, 3, 2, 5, nonlinearity)
    inputs, options = case.inputs(torch.float32), case.recurrence_options
    inputs.x[1, 0, 0], inputs.x[1, 1, 0] = math.nan, math.inf
    with np.errstate(all="ignore"):
        got = gpu.forward(inputs, options)
    assert_close(got, reference.forward(inputs, options))


def tanh_is_accurate() -> None:
    """By way of one step whose state enters with weight 0."""
    a = torch.cat([torch.linspace(-12, 12, 4001), torch.logspace(-30, 0, 1000), torch.tensor([math.inf, -math.inf])])
    B = a.numel()
    zero = torch.zeros(1, 1)
    h, _ = gpu.forward(RecurrenceInputs(a.view(1, B, 1), zero.expand(B, 1), zero + 1, zero), PLAIN)
    true = a.double().tanh()
    assert ((h.flatten().double() - true).abs() <= 3e-7 * true.abs()).all()


def main() -> None:
    torch.set_num_threads(1)
    widths, steps, count = dict(launch.WALK_WIDTH), dict(launch.STEP_BLOCKS), 0
    for walking in (True, False):
        launch.WALK_WIDTH.update(widths if walking else dict.fromkeys(widths, 0))
        for blocks in BLOCKS[: 1 if walking else 2]:
            launch.STEP_BLOCKS.update(steps | blocks)
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
