"""The general recurrence: what `test_general` runs in a process of its own, with TRITON_INTERPRET=1."""

from __future__ import annotations

import math
import time
from dataclasses import replace
from typing import Any

import torch
from tests.general_cases import GENERAL_CASES, SEED, GeneralCase
from tests.numerics import assert_equally_accurate
from torch import Tensor

from elman.kernels.general import one_by_one
from elman.kernels.general.options import GeneralInputs, GeneralNeeds
from elman.kernels.triton import launch
from elman.kernels.triton.general import backend as gpu

TALL = GeneralCase(
    *(3, 18, 2, 5, "softplus", "current"),
    **dict.fromkeys(("leak", "noise", "reset", "restart", "masked", "reverse"), True),
    lengths=tuple(i % 4 for i in range(18)),
)
WIDE = GeneralCase(3, 17, 2, 35, leak=True, noise=True, reset=True, restart=True, masked=True)
MORE = (
    TALL,
    WIDE,
    replace(TALL, form="rate", leak=False, residual=True, rank=2),
    GeneralCase(4, 3, 2, 5),  # no more than the plain recurrence, which many networks have too
    GeneralCase(4, 3, 2, 5, residual=True, lengths=(4, 0, 2), reverse=True),
)


def networks(case: GeneralCase, V: int, dtype: torch.dtype, source: torch.dtype) -> GeneralInputs:
    """V networks of a case, their numbers rounded to `source`; they share x where V is 3."""
    made = [case.inputs(seed=v) for v in range(V)]
    stacked: Any = (None if parts[0] is None else torch.stack(parts) for parts in zip(*made, strict=True))
    cast = (t.to(source).to(dtype) if t is not None and t.is_floating_point() else t for t in stacked)
    inputs = GeneralInputs(*cast)  # type: ignore[arg-type]
    if inputs.seed is not None:
        inputs = inputs._replace(seed=torch.tensor([(SEED[0] + v, SEED[1] + v) for v in range(V)]))
    return inputs if V != 3 else inputs._replace(x=inputs.x[:1].expand_as(inputs.x))


def passes(
    forward: Any, backward: Any, case: GeneralCase, V: int, dtype: torch.dtype, source: torch.dtype, missing: int | None
) -> list[Tensor]:
    """The states and the gradients in `dtype`, from numbers that were rounded to `source`."""
    inputs, options = networks(case, V, dtype, source), case.options
    draw = torch.Generator().manual_seed(1)
    shapes = (V, case.T, case.B, case.H), (V, case.B, case.H)
    grads: list[Any] = [torch.randn(*shape, generator=draw).to(source).to(dtype) for shape in shapes]
    if missing is not None:
        grads[missing] = None
    if case.lengths is not None:
        inputs = inputs._replace(x=inputs.x.clone())
        for b, length in enumerate(case.lengths):  # the padding holds anything
            inputs.x[:, length:, b] = math.nan
            if grads[0] is not None:
                grads[0][:, length:, b] = math.nan
    h, h_last, extra = forward(inputs, options)
    bias = case.bias
    needs = GeneralNeeds(bias=bias)
    gradients = backward(*grads, inputs, h, extra, options, needs)
    return [t for t in (h, h_last, extra, *gradients) if t is not None]


def reference_backward(grad_h: Any, grad_h_last: Any, *rest: Any) -> Any:
    """The reference's adjoint with the arguments of a backend."""
    return one_by_one.backward_many(grad_h, grad_h_last, None, *rest)


def compare(case: GeneralCase, dtype: torch.dtype = torch.float32, V: int = 1, missing: int | None = None) -> None:
    """Neither this backend nor the reference in the same precision is farther from float64's than the other."""
    reference = one_by_one.forward_many, reference_backward
    exact = passes(*reference, case, V, torch.float64, dtype, missing)
    want = passes(*reference, case, V, dtype, dtype, missing)
    got = passes(gpu.forward_many, gpu.backward_many, case, V, dtype, dtype, missing)
    assert len(got) == len(want), case
    terms = max(case.I + case.H, case.T * case.B)
    try:
        assert_equally_accurate(got, want, exact, terms)
    except AssertionError as error:
        raise AssertionError(f"{case}, {V} networks, {dtype}: {error}") from error


def main() -> None:
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)  # what is new and not yet written is NaN
    widths = dict(launch.WALK_WIDTH)
    for walking in (True, False):
        launch.WALK_WIDTH.update(widths if walking else dict.fromkeys(widths, 0))
        for case in (*GENERAL_CASES, *MORE):
            start = time.process_time()
            try:
                compare(case)
                print(f"ok {walking} {case} {time.process_time() - start:.2f}")
            except Exception as e:
                print(f"FAIL {walking} {case}: {type(e).__name__} {str(e)[:300]}")


if __name__ == "__main__":
    main()
