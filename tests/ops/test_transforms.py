"""The op under torch.func: grad, vmap, jacrev and their compositions, over any of its arguments."""

from __future__ import annotations

import functools
import itertools

import pytest
import torch
from torch import Tensor
from torch.autograd import forward_ad

import elman
from elman.ops import forward_mode, recurrence
from tests.cases import SMALL, Case
from tests.numerics import SMALL as TERMS
from tests.numerics import assert_close

pytestmark = pytest.mark.usefixtures("backend")
RAGGED = Case(3, 2, 2, 3, lengths=(3, 1), masked=True)
COMBINATIONS = [chosen for chosen in itertools.product((False, True), repeat=5) if any(chosen)]


def loss(case: Case):  # type: ignore[no-untyped-def]  # of the same five tensors
    def of(*tensors: Tensor) -> Tensor:
        h, h_last = case.recurrence()(*tensors)
        return (h**2).sum() + h_last.sin().sum()

    return of


@pytest.mark.parametrize("case", SMALL, ids=str)
def test_grad(case: Case) -> None:
    tensors = case.tensors()
    everything = tuple(range(len(tensors)))
    got = torch.func.grad(loss(case), argnums=everything)(*case.tensors(requires_grad=False))
    assert_close(got, torch.autograd.grad(loss(case)(*tensors), tensors))


@pytest.mark.parametrize("chosen", COMBINATIONS, ids=lambda chosen: "".join(str(int(c)) for c in chosen))
@pytest.mark.parametrize("case", [RAGGED, Case(3, 2, 2, 3, "relu", reverse=True, residual=True)], ids=str)
def test_vmap_of_grad(case: Case, chosen: tuple[bool, ...]) -> None:
    """Over any combination of arguments; the gradients of all of them, each sample's own."""
    samples = [case.tensors(seed=seed, requires_grad=False) for seed in range(3)]
    stacked = [
        torch.stack(list(each), 1) if batched else each[0]
        for each, batched in zip(zip(*samples, strict=True), chosen, strict=True)
    ]
    in_dims = tuple(1 if batched else None for batched in chosen)
    grad = torch.func.grad(loss(case), argnums=tuple(range(5)))
    got = torch.vmap(grad, in_dims=in_dims)(*stacked)
    outputs = torch.vmap(case.recurrence(), in_dims=in_dims, out_dims=(0, 1))(*stacked)
    for v in range(3):
        own = [samples[v][i] if batched else samples[0][i] for i, batched in enumerate(chosen)]
        assert_close(tuple(g[v] for g in got), grad(*own))
        assert_close((outputs[0][v], outputs[1][:, v]), case.recurrence()(*own))


def test_vmap_over_lengths_and_mask() -> None:
    case = Case(4, 2, 2, 3)
    tensors = case.tensors(requires_grad=False)
    lengths, masks = torch.tensor([[4, 1], [2, 3], [0, 4]]), torch.rand(3, 2, 3, dtype=torch.float64)

    def gradient(x: Tensor, lengths: Tensor, mask: Tensor) -> Tensor:
        return torch.func.grad(lambda x: recurrence(x, *tensors[1:], lengths=lengths, mask=mask)[0].sum())(x)

    got = torch.vmap(gradient, in_dims=(None, 0, 0))(tensors[0], lengths, masks)
    for v in range(3):
        assert_close(got[v], gradient(tensors[0], lengths[v], masks[v]))


def test_vmap_of_padding_that_is_nan() -> None:
    tensors = RAGGED.tensors(requires_grad=False)
    xs = torch.stack([tensors[0], 2 * tensors[0]])
    xs[:, 1:, 1] = torch.nan
    for argnum in range(1, 5):
        grads = torch.vmap(torch.func.grad(loss(RAGGED), argnums=argnum), in_dims=(0, *(None,) * 4))(xs, *tensors[1:])
        assert grads.isfinite().all()


@pytest.mark.parametrize("case", [Case(2, 2, 2, 2), RAGGED], ids=str)
def test_jacrev(case: Case) -> None:
    tensors = case.tensors(requires_grad=False)
    got = torch.func.jacrev(lambda *tensors: case.recurrence()(*tensors)[0], argnums=tuple(range(5)))(*tensors)
    want = torch.autograd.functional.jacobian(lambda *tensors: case.recurrence()(*tensors)[0], tuple(tensors))
    assert_close(got, want)


def test_hessian_by_reverse_over_reverse() -> None:
    case = Case(2, 2, 1, 2)
    tensors = case.tensors(requires_grad=False)
    for i in range(5):

        def of(tensor: Tensor, i: int = i) -> Tensor:
            return loss(case)(*tensors[:i], tensor, *tensors[i + 1 :])

        got = torch.func.jacrev(torch.func.jacrev(of))(tensors[i])
        assert_close(got, torch.autograd.functional.hessian(of, tensors[i]))


TANGENTS = "ignore:forward-mode derivatives:RuntimeWarning"


@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning", TANGENTS)  # torch's own, as it loads its jvp rules
@pytest.mark.parametrize("case", SMALL, ids=str)
@pytest.mark.parametrize("general", [{}, {"leak": 0.4}], ids=str)
def test_forward_mode_is_the_transpose_of_reverse_mode(case: Case, general: dict[str, float]) -> None:
    """v . (J u) = (J^T v) . u, in float64, for a tangent in every argument at once and in each alone."""
    if general and case.residual:
        pytest.skip("the identity connection goes without a leak")
    run = functools.partial(case.recurrence(), **general)

    def of(*given: Tensor) -> Tensor:
        h, last = run(*given)
        return torch.cat([h.flatten(), last.flatten()])

    given = tuple(case.tensors(requires_grad=False))
    for alone in (None, *range(len(given))):
        u = tuple(torch.randn_like(one) if alone in (None, i) else torch.zeros_like(one) for i, one in enumerate(given))
        value, tangent = torch.func.jvp(of, given, u)
        v = torch.randn_like(value)
        back = torch.func.vjp(of, *given)[1](v)
        assert_close(value, of(*given))
        # a product with each number, of which every one is a sum itself
        product = sum((one * other).sum() for one, other in zip(back, u, strict=True))
        assert_close(v @ tangent, product, terms=TERMS * len(v))
        with forward_ad.dual_level():
            dual = of(*(forward_ad.make_dual(one, other) for one, other in zip(given, u, strict=True)))
            assert_close(forward_ad.unpack_dual(dual).tangent, tangent)


@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning", TANGENTS)
def test_forward_over_reverse_is_the_hessian() -> None:
    layer, x = elman.RNN(2, 3, dtype=torch.float64), torch.randn(4, 2, 2, dtype=torch.float64)

    def loss(x: Tensor) -> Tensor:
        return layer(x)[0].pow(3).sum()

    assert_close(torch.func.hessian(loss)(x), torch.autograd.functional.hessian(loss, x))


def test_forward_mode_says_once_that_it_is_slower() -> None:
    forward_mode._say_once.cache_clear()
    layer, x = elman.RNN(2, 3), torch.randn(4, 2, 2)
    with pytest.warns(RuntimeWarning, match="which is slower"):
        torch.func.jvp(lambda x: layer(x)[0], (x,), (x,))
