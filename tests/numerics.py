"""How far apart two results may be, derived from their precision and the length of their sums.

Two sums of n terms in another order differ by up to about n eps times the sum of the terms' sizes. The numbers of these
tests are of order 1, so a sum's size is counted as 1, or the largest result where that is more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

SMALL = 100
"""The terms behind a number of the small cases: T steps of I + H products each, and T B rows of a weight's gradient."""


def slack(want: Tensor, terms: int, dtype: torch.dtype | None = None) -> float:
    """n eps times the size of `want`; `dtype` is what was computed in, if not that of `want`."""
    finite = want.detach()[want.isfinite()].double().abs()
    size = max(1.0, finite.max().item() if finite.numel() else 0.0)
    return terms * torch.finfo(dtype or want.dtype).eps * size


def assert_close(got: Any, want: Any, terms: int = SMALL, dtype: torch.dtype | None = None) -> None:
    """Two results, or structures of them, of the same sums in one precision: values, shapes, dtypes; NaN equals NaN."""
    if isinstance(want, Mapping):
        got, want = list(got.values()), list(want.values())
    if isinstance(want, Tensor) and want.is_floating_point():
        atol = slack(want, terms, dtype)
        torch.testing.assert_close(got, want, rtol=0, atol=atol, equal_nan=True)
    elif isinstance(want, Sequence):
        assert len(got) == len(want)
        for part, other in zip(got, want, strict=True):
            assert_close(part, other, terms, dtype)
    else:
        torch.testing.assert_close(got, want, rtol=0, atol=0)


def assert_equally_accurate(
    got: Sequence[Tensor], other: Sequence[Tensor], exact: Sequence[Tensor], terms: int
) -> None:
    """Neither of two results is farther from float64's than four times the other is, but for n eps.

    Arguments:
        got: what is looked at, in one precision.
        other: the same by another road, in the same precision.
        exact: the same in float64.
        terms: n, the longest sum behind a number.
    """
    for i, (mine, theirs, true) in enumerate(zip(got, other, exact, strict=True)):
        assert mine.dtype == theirs.dtype
        assert mine.shape == theirs.shape == true.shape
        if not true.numel():
            continue
        errors = [(part.double() - true).abs().max().item() for part in (mine, theirs)]
        allowed = slack(true, terms, mine.dtype)
        assert errors[0] <= 4 * errors[1] + allowed, f"result {i}: off by {errors[0]}, the other by {errors[1]}"
        assert errors[1] <= 4 * errors[0] + allowed, f"result {i}: the other is off by {errors[1]}, this by {errors[0]}"
