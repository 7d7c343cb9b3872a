"""bfloat16 and float16 tensors: the results of float32 rounded once, or near them where bfloat16 is multiplied."""

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


def assert_products_rounded(got: Iterable[Tensor | None], want: Iterable[Tensor | None], isa: str) -> None:
    """Equal where float32 is multiplied; within a few roundings of factors where bfloat16 is."""
    if isa != "avx512bf16":
        return assert_rounded(got, want, torch.bfloat16)
    for one, other in zip(got, want, strict=True):
        if one is not None and other is not None:
            assert one.dtype == torch.bfloat16
            assert (one.float() - other).abs().max() <= 2**-6 * other.abs().max()
    return None


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


def test_large_products_of_bfloat16(isa: str) -> None:
    torch.manual_seed(0)
    T, B, I, H = 6, 9, 5, 131  # what is larger than the first-level cache is multiplied in bfloat16
    given = RecurrenceInputs(
        *(tensor.bfloat16() for tensor in (torch.randn(T, B, I), torch.randn(B, H), torch.randn(H, I) / 2)),
        torch.randn(H, H).div(H**0.5).bfloat16(),
        torch.randn(H).bfloat16(),
        torch.tensor([6, 0, 1, 2, 3, 4, 5, 6, 6]),
    )
    options = options_for("tanh", False, False)
    h, h_last = backend.forward(given, options)
    wide = widened(given, torch.bfloat16)
    assert_products_rounded((h, h_last), backend.forward(wide, options), isa)
    cotangents = torch.randn_like(h), torch.randn_like(h_last)
    needs = Needs(True, True, True, True, True)
    got = backend.backward(*cotangents, given, h, options, needs)
    of_h, of_last, wide_h = widened((*cotangents, h), torch.bfloat16)
    assert wide_h is not None
    assert_products_rounded(got, backend.backward(of_h, of_last, wide, wide_h, options, needs), isa)


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
