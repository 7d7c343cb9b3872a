"""Jacobians and their products against autograd, long products against arithmetic of many digits."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import mpmath
import pytest
import torch
from tests.insight.plain import step_of
from torch import Tensor, nn

import elman
from elman.insight.jacobians.base import StepJacobians
from elman.insight.jacobians.lanczos import largest_singular_value
from elman.insight.jacobians.products import distances, jacobian_products
from elman.insight.jacobians.vanilla import VanillaJacobians
from elman.insight.recording import recording
from elman.insight.trace import traces

T, B, INPUTS, H = 12, 3, 2, 4
MODULES = {
    "tanh": nn.RNN,
    "lstm": nn.LSTM,
    "gru": nn.GRU,
    "residual": partial(elman.RNN, residual=True),
    "normalised residual": partial(elman.RNN, layer_norm=True, residual=True),
}


def _make(
    kind: Any, steps: int = T, std: float = 0.7, **options: Any
) -> tuple[nn.RNNBase, Tensor, Tensor, StepJacobians]:
    """Give a layer, its input, its states (T+1, B, S), and their derivative."""
    torch.manual_seed(3)
    module: nn.RNNBase = kind(INPUTS, H, **options).double()
    for weight in module.parameters():
        nn.init.normal_(weight, std=std)
    x = torch.randn(steps, B, INPUTS, dtype=torch.float64)
    with recording(module) as calls, torch.no_grad():
        module(x)
    trace = traces(calls[0])[0][0]
    states = [trace.state]
    for t in range(steps):
        states.append(_step(module, x[t], states[-1]))
    return module, x, torch.stack(states), trace.jacobians


def _step(module: nn.RNNBase, x: Tensor, state: Tensor) -> Tensor:
    step = step_of(module, 0, 0)
    return torch.cat(step(x, state.chunk(2, -1)), -1) if module.mode == "LSTM" else step(x, state)


def _jacobian(module: nn.RNNBase, x: Tensor, states: Tensor, k: int, t: int, b: int) -> Tensor:
    """Give ds_t/ds_k of sequence b by autograd."""

    def run(s: Tensor) -> Tensor:
        for i in range(k, t):
            s = _step(module, x[i, b : b + 1], s[None])[0]
        return s

    found = torch.autograd.functional.jacobian(run, states[k, b])
    assert isinstance(found, Tensor)
    return found


@pytest.mark.parametrize(
    "kind",
    [*MODULES.values(), partial(nn.RNN, nonlinearity="relu"), partial(elman.RNN, layer_norm=True)],
    ids=[*MODULES, "relu", "normalised"],
)
def test_each_steps_jacobian_is_autograds_and_jvp_and_vjp_multiply_by_it(kind: Any) -> None:
    module, x, states, jacobians = _make(kind)
    v = torch.randn(B, states.shape[-1], dtype=torch.float64)
    for t in (0, 5, T - 1):
        matrix = jacobians.matrix(t)
        for b in range(B):
            expected = _jacobian(module, x, states, t, t + 1, b)
            torch.testing.assert_close(matrix[b], expected, rtol=1e-9, atol=1e-12)
            torch.testing.assert_close(jacobians.jvp(t, v)[b], expected @ v[b], rtol=1e-9, atol=1e-12)
            torch.testing.assert_close(jacobians.vjp(t, v)[b], v[b] @ expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("kind", MODULES.values(), ids=MODULES)
@pytest.mark.parametrize("exact", [True, False], ids=["in full", "by iteration"])
def test_singular_values_of_products_are_those_of_autograds_jacobian(kind: Any, exact: bool) -> None:
    module, x, states, jacobians = _make(kind)
    found = jacobian_products(jacobians, exact=exact, tolerance=1e-12, patience=10**6)
    assert found.exact == exact
    assert found.distance.tolist() == ([1, 2, 3, 4, 6, 8, 11, 12] if exact else [1, 4, 12])
    for n, d in enumerate(found.distance.tolist()):
        for b in range(B):
            expected = torch.linalg.svdvals(_jacobian(module, x, states, T - d, T, b))
            assert float(found.largest[n, b]) == pytest.approx(float(expected[0]), rel=1e-6)
            if expected[-1] > 1e-9 * expected[0]:  # else the reference itself is round-off
                worked_out = not math.isnan(found.smallest[n, b])
                assert worked_out or (not exact and kind is not nn.RNN and b > 0)
                if worked_out:
                    assert float(found.smallest[n, b]) == pytest.approx(float(expected[-1]), rel=1e-6)


@pytest.mark.parametrize("exact", [True, False], ids=["in full", "by iteration"])
@pytest.mark.parametrize("std", [0.1, 3.0], ids=["vanishing", "saturated"])
def test_a_long_product_is_right_at_both_ends_where_float64_would_drown(exact: bool, std: float) -> None:
    *_, jacobians = _make(nn.RNN, steps=70, std=std)
    found = jacobian_products(jacobians, exact=exact, tolerance=1e-12, patience=10**6, far=70)
    with mpmath.workdps(500):
        for n, d in enumerate(found.distance.tolist()):
            product = mpmath.eye(H)
            for t in range(70 - d, 70):
                product = mpmath.matrix(jacobians.matrix(t)[0].tolist()) * product
            values = mpmath.svd_r(product, compute_uv=False)
            for value, expected in ((found.largest, max(values)), (found.smallest, min(values))):
                # 1 - h^2 of a saturated unit, and with it J itself, is given; only the product is tested
                if expected > 1e-300:
                    assert float(value[n, 0]) == pytest.approx(float(expected), rel=1e-6)


@pytest.mark.parametrize("exact", [True, False], ids=["in full", "by iteration"])
def test_normalisation_loses_two_directions_so_the_smallest_singular_value_is_zero(exact: bool) -> None:
    *_, jacobians = _make(partial(elman.RNN, layer_norm=True))
    found = jacobian_products(jacobians, exact=exact)
    assert bool((found.smallest[:, 0] == 0).all())
    assert bool((found.largest > 0).all())


def test_a_dead_relu_makes_the_smallest_singular_value_zero() -> None:
    *_, jacobians = _make(lambda *a: nn.RNN(*a, nonlinearity="relu"))
    dead = jacobians.singular()
    for exact in (True, False):
        found = jacobian_products(jacobians, exact=exact, tolerance=1e-12, patience=10**6)
        for n, d in enumerate(found.distance.tolist()):
            for b in range(B):
                assert (float(found.smallest[n, b]) == 0) == bool(dead[T - d :, b].any())


def test_thousand_steps_neither_overflow_nor_underflow_on_the_way() -> None:
    for scale, expected in ((0.5, 2.0**-1000), (2.0, 2.0**1000)):
        module = nn.RNN(1, 2, bias=False, nonlinearity="relu")
        with torch.no_grad():
            module.weight_hh_l0.copy_(scale * torch.eye(2))
            module.weight_ih_l0.fill_(1.0)
        jacobians = _linear(module, 1000)
        for exact in (True, False):
            found = jacobian_products(jacobians, exact=exact, far=1000)
            assert float(found.largest[-1, 0]) == pytest.approx(expected, rel=1e-4)
            assert float(found.smallest[-1, 0]) == pytest.approx(expected, rel=1e-4)


def _linear(module: nn.RNN, steps: int) -> StepJacobians:
    """Give the derivative of a layer all of whose units are in the linear part."""
    return VanillaJacobians(
        module.weight_ih_l0.detach(), module.weight_hh_l0.detach(), (torch.ones(steps, 1, module.hidden_size),)
    )


def test_an_iteration_that_is_cut_short_says_how_far_off_it_may_be() -> None:
    *_, jacobians = _make(nn.RNN, steps=40, std=0.3)
    exact = jacobian_products(jacobians, exact=True)
    cut = jacobian_products(jacobians, exact=False, tolerance=0.0, patience=16)
    for n, d in ((0, 1), (1, 4), (2, 16)):
        found, true = cut.largest[n], exact.largest[exact.distance.tolist().index(d)]
        assert bool((found <= true * (1 + 1e-12)).all())
        assert bool((true - found <= cut.residual[n] * found + 1e-12 * true).all())


def test_golub_and_kahan_find_the_largest_value_and_its_vector() -> None:
    torch.manual_seed(0)
    a = torch.randn(3, 8, 8, dtype=torch.float64)

    def jvp(v: Tensor) -> tuple[Tensor, Tensor]:
        return (a @ v[..., None])[..., 0], torch.zeros(3, dtype=torch.float64)

    def vjp(v: Tensor) -> tuple[Tensor, Tensor]:
        return (v[:, None] @ a)[:, 0], torch.zeros(3, dtype=torch.float64)

    value, vector, residual = largest_singular_value(jvp, vjp, torch.ones(3, 8, dtype=torch.float64), 1e-12, 8)
    assert bool((residual < 1e-12).all())
    _, values, right = torch.linalg.svd(a)
    torch.testing.assert_close(value, values[:, 0])
    torch.testing.assert_close((vector * right[:, 0]).sum(-1).abs(), torch.ones(3, dtype=torch.float64))


@pytest.mark.parametrize("most", [1, 2, 3, 7, 100])
def test_distances_begin_at_one_and_end_at_the_farthest(most: int) -> None:
    found = distances(most)
    assert found[0] == 1
    assert found[-1] == most
    assert found == sorted(set(found))
