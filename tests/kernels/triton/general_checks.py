"""The general recurrence: what `test_backend` runs in a process of its own, with TRITON_INTERPRET=1."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
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
    **dict.fromkeys(("leak", "noise", "reset", "restart", "masked", "reverse"), True),  # type: ignore[arg-type]
    lengths=tuple(i % 4 for i in range(18)),
)
WIDE = GeneralCase(3, 17, 2, 35, leak=True, noise=True, reset=True, restart=True, masked=True)
LOW = replace(TALL, form="rate", leak=False, residual=True, rank=2)
PLAIN = GeneralCase(4, 3, 2, 5, residual=True, lengths=(4, 0, 2), reverse=True)
"""No more than the plain recurrence, which comes here where there are many networks."""
TOO_LARGE = tuple(case for case in GENERAL_CASES if launch.WALK_WIDTH[torch.float32] < case.H)
BLOCKS = {"BLOCK_B": 16, "BLOCK_H": 16, "BLOCK_K": 16}  # several tiles each way


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
    given = [None if t is None else t.clone() for t in (*inputs, *grads)]
    h, h_last, extra = forward(inputs, options)
    gradients = backward(*grads, inputs, h, extra, options, GeneralNeeds(bias=case.bias))
    for before, after in zip(given, (*inputs, *grads), strict=True):
        assert before is None or torch.equal(before.nan_to_num(), after.nan_to_num())  # nothing is written over
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


def lengths_are_clamped(case: GeneralCase) -> None:
    """Those outside 0..T, which nobody can look for on the device, count as the nearest."""
    inputs = networks(case, 1, torch.float32, torch.float32)
    found = []
    for lengths in ((case.T + 2, -1, 1), (case.T, 0, 1)):
        given = inputs._replace(lengths=torch.tensor([lengths]))
        h, h_last, extra = gpu.forward_many(given, case.options)
        gradients = gpu.backward_many(h, None, given, h, extra, case.options, GeneralNeeds())
        found.append([t for t in (h, h_last, extra, *gradients) if t is not None])
    for clamped, right in zip(*found, strict=True):
        assert torch.equal(clamped, right)


def a_sequence_without_steps_has_no_say(case: GeneralCase) -> None:
    """The first one has none; its state is NaN, which no weight's gradient may show."""
    inputs = networks(case, 1, torch.float32, torch.float32)._replace(lengths=torch.tensor([[0, case.T, 1]]))
    found = []
    for start in (math.nan, 0.0):
        inputs.h0[:, 0] = start
        h, _, extra = gpu.forward_many(inputs, case.options)
        needs = GeneralNeeds(h0=False, w_in=False)
        found.append([t for t in gpu.backward_many(h, None, inputs, h, extra, case.options, needs) if t is not None])
    for with_nan, without in zip(*found, strict=True):
        assert torch.equal(with_nan, without)


def only_what_is_asked_for() -> None:
    """No extra where there will be no adjoint, no gradient that nobody needs; each network alone gives the same."""
    case = replace(WIDE, B=3, H=5)
    inputs = networks(case, 2, torch.float32, torch.float32)
    h, h_last, extra = gpu.forward_many(inputs, case.options)
    without = gpu.forward_many(inputs, case.options, save=False)
    assert extra is not None
    assert without[2] is None
    assert torch.equal(without[0], h)
    none = GeneralNeeds(*[False] * len(GeneralNeeds._fields))
    for name in GeneralNeeds._fields:
        found = gpu.backward_many(h, h_last, inputs, h, extra, case.options, none._replace(**{name: True}))
        there = [field for field, gradient in zip(found._fields, found, strict=True) if gradient is not None]
        assert there == ([] if name == "w_in" else [name])
    second = GeneralInputs(*(None if t is None else t[1:] for t in inputs))  # type: ignore[arg-type]
    assert torch.equal(gpu.forward_many(second, case.options)[1], h_last[1:])


@contextmanager
def launches(walking: bool, blocks: dict[str, int]) -> Iterator[None]:
    """All steps in one launch, or one launch a step with these tiles."""
    widths, steps = dict(launch.WALK_WIDTH), dict(launch.STEP_BLOCKS)
    launch.WALK_WIDTH.update(widths if walking else dict.fromkeys(widths, 0))
    launch.STEP_BLOCKS.update(blocks)
    yield
    launch.WALK_WIDTH.update(widths)
    launch.STEP_BLOCKS.update(steps)


def main() -> None:
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)  # what is new and not yet written is NaN
    for walking in (True, False):
        with launches(walking, {}):
            for case in (*GENERAL_CASES, LOW, PLAIN):
                if case not in TOO_LARGE or not walking:
                    compare(case)
            compare(TALL, V=3, missing=0)
            compare(WIDE, V=2, missing=1)
            # no bfloat16: Triton's interpreter multiplies its bits as integers in a dot
            for case in (TALL, LOW, replace(WIDE, H=20)):
                compare(case, torch.float16)
            three = GeneralCase(3, 3, 2, 4, "sigmoid", "current", leak=True, reset=True, reverse=True)
            lengths_are_clamped(three)
            a_sequence_without_steps_has_no_say(three)
            only_what_is_asked_for()
    with launches(False, BLOCKS):
        for case in (TOO_LARGE[0], TOO_LARGE[-1]):
            compare(case)
    print(f"checked {len(GENERAL_CASES) + 4} cases")


if __name__ == "__main__":
    main()
