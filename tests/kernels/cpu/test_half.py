"""bfloat16 and float16 tensors: the kernels' float32 results, rounded once."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
import torch
from tests.cases import CASES, Case
from tests.general_cases import GeneralCase
from torch import Tensor

from elman.kernels.cpu import backend, general
from elman.kernels.cpu.half import HALVES, widened
from elman.kernels.cpu.library import available
from elman.kernels.general.options import GeneralNeeds
from elman.kernels.options import Needs, RecurrenceInputs, options_for

pytestmark = pytest.mark.skipif(not available(), reason="the native library is not built")
GENERAL = [
    GeneralCase(5, 3, 2, 7, leak=True, noise=True, reset=True, restart=True, lengths=(5, 0, 2)),
    GeneralCase(4, 2, 3, 6, "sigmoid", "current", leak=True, masked=True, batch_first=True),
    GeneralCase(4, 2, 3, 6, "relu", residual=True, reverse=True, bias=False),
    GeneralCase(4, 2, 3, 8, rank=2, leak=True),
    GeneralCase(4, 9, 3, 40, density=0.05),
]


def assert_rounded(got: Iterable[Tensor | None], want: Iterable[Tensor | None], dtype: torch.dtype) -> None:
    for one, other in zip(got, want, strict=True):
        if one is None or other is None:
            assert one is other
        else:
            assert one.dtype == dtype
            assert torch.equal(one, other.to(dtype))


@pytest.mark.parametrize("dtype", HALVES)
@pytest.mark.parametrize("case", CASES[:12], ids=str)
def test_the_recurrence_is_rounded_once(case: Case, dtype: torch.dtype) -> None:
    more = case.options(dtype)
    x, h0, w_ih, w_hh, *bias = case.tensors(dtype, requires_grad=False)
    given = RecurrenceInputs(x, h0, w_ih, w_hh, bias[0] if bias else None, more["lengths"], more["mask"])
    options = options_for(case.nonlinearity, case.reverse, case.residual)
    h, h_last = backend.forward(given, options)
    assert_rounded((h, h_last), backend.forward(widened(given, dtype), options), dtype)
    assert h.stride() == backend.forward(widened(given, dtype), options)[0].stride()
    for cotangents in ((torch.randn_like(h), torch.randn_like(h_last)), (None, torch.randn_like(h_last))):
        needs = Needs(True, True, True, True, bool(bias))
        got = backend.backward(*cotangents, given, h, options, needs)
        wide_h, *wide = widened((h, *cotangents), dtype)
        assert wide_h is not None
        want = backend.backward(wide[0], wide[1], widened(given, dtype), wide_h, options, needs)
        assert_rounded(got, want, dtype)


@pytest.mark.parametrize("dtype", HALVES)
@pytest.mark.parametrize("case", GENERAL, ids=str)
def test_the_general_recurrence_is_rounded_once(case: GeneralCase, dtype: torch.dtype) -> None:
    given = case.inputs(dtype)
    wide = widened(given, dtype)
    states = general.forward(given, case.options)
    assert_rounded(states, general.forward(wide, case.options), dtype)
    h, h_last, extra = states
    needs = GeneralNeeds(*(getattr(given, name) is not None for name in GeneralNeeds._fields))
    cotangents = torch.randn_like(h), torch.randn_like(h_last)
    got = general.backward(*cotangents, given, h, extra, case.options, needs)
    of_h, of_last, wide_h, wide_extra = widened((*cotangents, h, extra), dtype)
    assert wide_h is not None
    want = general.backward(of_h, of_last, wide, wide_h, wide_extra, case.options, needs)
    assert_rounded(got, want, dtype)


def test_one_dtype_for_all() -> None:
    x, h0, w_ih, w_hh, bias = CASES[2].tensors(torch.bfloat16, requires_grad=False)
    with pytest.raises(TypeError, match=r"expected torch\.bfloat16 as x has, got torch\.float32"):
        backend.forward(
            RecurrenceInputs(x, h0.float(), w_ih, w_hh, bias, None, None), options_for("tanh", False, False)
        )
