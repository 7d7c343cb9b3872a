"""The native general recurrence on every instruction set: accuracy, threads, layouts, many networks, what is saved."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from tests.general_cases import GENERAL_CASES, GeneralCase
from tests.numerics import assert_close, assert_equally_accurate
from torch import Tensor

import elman
from elman.kernels.cpu import general
from elman.kernels.general import one_by_one, reference
from elman.kernels.general.options import GeneralInputs, GeneralNeeds

pytestmark = pytest.mark.usefixtures("isa")
LONG = (
    GeneralCase(50, 5, 7, 70, leak=True, noise=True, reset=True, restart=True),
    GeneralCase(50, 5, 7, 70, "softplus", "current", leak=True, noise=True, reset=True, masked=True),
    GeneralCase(50, 5, 7, 70, "sigmoid", residual=True, noise=True, reverse=True),
    GeneralCase(40, 17, 7, 130, "rectified_tanh", "current", leak=True, rank=3, lengths=(40, 3) * 8 + (9,)),
    GeneralCase(3, 40, 5, 530, leak=True, noise=True, reset=True),
    GeneralCase(50, 5, 7, 70, reset=True, lengths=(50, 3, 20, 0, 41)),
    GeneralCase(20, 40, 5, 270, leak=True, reset=True, lengths=(20, 3) * 20, density=0.15),
)


@pytest.fixture
def threads(request: pytest.FixtureRequest) -> Iterator[int]:
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


def all_of(module: Any, case: GeneralCase, dtype: torch.dtype) -> list[Tensor]:
    inputs = case.inputs(dtype)
    h, last, extra = module.forward(inputs, case.options)
    draw = torch.Generator().manual_seed(3)
    grads = [torch.randn(part.shape, generator=draw, dtype=torch.float64).to(dtype) for part in (h, last)]
    more = (None,) if module is reference else ()
    found = module.backward(*grads, *more, inputs, h, extra, case.options, GeneralNeeds())
    return [h, last, *(gradient for gradient in found if gradient is not None)]


@functools.cache
def of_the_reference(case: GeneralCase, dtype: torch.dtype) -> list[Tensor]:
    """The same for every instruction set and number of threads."""
    return all_of(reference, case, dtype)


@pytest.mark.parametrize("threads", [1, 3, 4], indirect=True)
@pytest.mark.parametrize("case", LONG, ids=str)
def test_as_accurate_as_the_reference(case: GeneralCase, threads: int) -> None:
    exact, other = (of_the_reference(case, dtype) for dtype in (torch.float64, torch.float32))
    assert_equally_accurate(all_of(general, case, torch.float32), other, exact, terms=2000)
    assert_close(all_of(general, case, torch.float64), exact, terms=5000)


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("threads", [1, 2, 5], indirect=True)
@pytest.mark.parametrize("case", [case for case in GENERAL_CASES if case.density], ids=str)
def test_connections_dense_or_not(
    case: GeneralCase, threads: int, sparse: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(general, "_is_sparse", lambda *_: sparse)
    assert_close(all_of(general, case, torch.float64), of_the_reference(case, torch.float64), terms=500)


@pytest.mark.parametrize("threads", [1, 2, 5], indirect=True)
def test_noise_is_the_same_for_any_number_of_threads(threads: int) -> None:
    case = GeneralCase(6, 37, 3, 200, noise=True)
    inputs = case.inputs(torch.float32)
    quiet = inputs._replace(w_hh=torch.zeros_like(inputs.w_hh), w_ih=torch.zeros_like(inputs.w_ih), bias=None)
    h, _, _ = general.forward(quiet, GeneralCase(6, 37, 3, 200, "identity").options)
    want, _, _ = reference.forward(quiet, GeneralCase(6, 37, 3, 200, "identity").options)
    assert_close(h, want, terms=20)


def test_many_networks_are_each_alone_and_may_share() -> None:
    case = GeneralCase(5, 3, 4, 20, "sigmoid", "current", leak=True, noise=True, reset=True, restart=True)
    copies = [case.inputs(seed=v) for v in range(4)]
    parts = zip(*copies, strict=True)
    inputs = GeneralInputs(*(None if part[0] is None else torch.stack(part) for part in parts))  # type: ignore[arg-type]
    shared = inputs._replace(x=copies[0].x.expand(4, *copies[0].x.shape), leak=copies[0].leak.expand(4, 20))  # type: ignore[union-attr]
    for given in (inputs, shared):
        got, want = general.forward_many(given, case.options), one_by_one.forward_many(given, case.options)
        assert_close(got, want)
        h, last, extra = want
        gradients = general.backward_many(h, last, given, h, extra, case.options, GeneralNeeds())
        assert_close(
            list(gradients[:8]),
            list(one_by_one.backward_many(h, last, None, given, h, extra, case.options, GeneralNeeds())[:8]),
        )


@pytest.mark.parametrize(
    ("options", "more"),
    [({}, 0), ({"noise": 0.1}, 0), ({"leak": 0.5}, 1), ({"leak": 0.5, "noise": 0.1, "form": "current"}, 1)],
    ids=str,
)
def test_one_more_state_is_saved_at_most(options: dict[str, Any], more: int) -> None:
    rnn, x = elman.RNN(3, 8, **options), torch.randn(20, 4, 3)
    held: dict[int, int] = {}

    def pack(tensor: Tensor) -> Tensor:
        held[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        rnn(x, reset=torch.zeros(20, 4, dtype=torch.bool))
    states = sum(size == 20 * 4 * 8 * 4 for size in held.values())
    assert states == 1 + more
