"""The general recurrence as an operation: its derivatives of any order, and what does not fit."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

import elman
from elman.kernels.general.options import GeneralInputs
from elman.ops import recurrence
from elman.ops.general.functional import run_general
from tests.general_cases import GENERAL_CASES, GENERAL_SMALL, SEED, GeneralCase, definition, differentiable
from tests.numerics import assert_close

pytestmark = pytest.mark.usefixtures("backend")
TWICE = tuple(case for case in GENERAL_SMALL if case.nonlinearity in ("sigmoid", "softplus", "tanh"))


def results(run: Any, inputs: GeneralInputs, names: list[str]) -> list[Tensor]:
    h, last = run(inputs)[:2]
    h = h + 0 * last  # so that h has a gradient where every sequence is empty
    draw = torch.Generator().manual_seed(7)
    grads = [torch.randn(o.shape, generator=draw, dtype=torch.float64).to(o.dtype) for o in (h, last)]
    leaves = [getattr(inputs, name) for name in names]
    return [h, last, *torch.autograd.grad([h, last], leaves, grads, materialize_grads=True)]


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=["f64", "f32"])
@pytest.mark.parametrize("case", [case for case in GENERAL_CASES if case.B], ids=str)
def test_equals_the_definition(case: GeneralCase, dtype: torch.dtype) -> None:
    inputs, names = differentiable(case.inputs(dtype))
    got = results(lambda inputs: run_general(inputs, case.options), inputs, names)
    inputs, names = differentiable(case.inputs())
    want = results(lambda inputs: definition(inputs, case.options), inputs, names)
    assert_close(got, [tensor.to(dtype) for tensor in want], terms=200, dtype=dtype)


def function_of(case: GeneralCase) -> tuple[Any, list[Tensor]]:
    inputs, names = differentiable(case.inputs())

    def function(*leaves: Tensor) -> tuple[Tensor, Tensor]:
        given = inputs._replace(**dict(zip(names, leaves, strict=True)))
        return run_general(given, case.options)[:2]

    return function, [getattr(inputs, name) for name in names]


@pytest.mark.parametrize("case", [case for case in TWICE if case.B and case.H > 1][:8], ids=str)
def test_second_derivatives(case: GeneralCase) -> None:
    function, leaves = function_of(case)
    assert torch.autograd.gradcheck(function, leaves, fast_mode=True)
    assert torch.autograd.gradgradcheck(function, leaves, fast_mode=True, atol=1e-4)


def test_what_is_saved_is_differentiable_too() -> None:
    case = GeneralCase(3, 2, 2, 3, "sigmoid", "current", leak=True, reset=True)
    inputs, names = differentiable(case.inputs())
    leaves = [getattr(inputs, name) for name in names]

    def currents(*leaves: Tensor) -> Tensor:
        return run_general(inputs._replace(**dict(zip(names, leaves, strict=True))), case.options)[2]

    assert torch.autograd.gradcheck(currents, leaves, fast_mode=True)


def test_the_plain_case_is_the_plain_recurrence() -> None:
    case = GeneralCase(4, 3, 2, 5)
    x, h0, w_ih, w_hh, bias, *_ = case.inputs()
    assert torch.equal(recurrence(x, h0, w_ih, w_hh, bias)[0], recurrence(x, h0, w_ih, w_hh, bias, leak=None)[0])
    assert_close(recurrence(x, h0, w_ih, w_hh, bias, leak=1)[0], recurrence(x, h0, w_ih, w_hh, bias)[0])


def test_noise_of_size_zero_is_none_and_the_same_seed_the_same_noise() -> None:
    x, h0, w_ih, w_hh, bias, *_ = GeneralCase(4, 3, 2, 40).inputs(torch.float32)
    run = [recurrence(x, h0, w_ih, w_hh, bias, noise=s, seed=n)[0] for s, n in ((0, 1), (0.5, 1), (0.5, 1), (0.5, 2))]
    assert_close(run[0], recurrence(x, h0, w_ih, w_hh, bias)[0])
    assert torch.equal(run[1], run[2])
    assert not torch.allclose(run[1], run[3])


BAD: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"leak": 1.5}, ValueError, "leak is 1.5; it must be greater than 0 and at most 1"),
    ({"leak": 0.0}, ValueError, "leak is 0.0"),
    ({"leak": torch.ones(3)}, ValueError, r"leak has shape \(3,\), but .* ask for \(5,\)"),
    ({"leak": 0.5, "residual": True}, ValueError, "leak and residual"),
    ({"noise": -1, "seed": 0}, ValueError, "noise is -1; it must be finite and not negative"),
    ({"noise": 1.0}, ValueError, "noise and seed go together"),
    ({"noise": 1.0, "seed": torch.tensor([1])}, ValueError, r"seed has shape \(1,\)"),
    ({"restart": torch.ones(5)}, ValueError, "give reset too"),
    ({"reset": torch.zeros(4, 3)}, TypeError, "reset is torch.float32, not torch.bool"),
    ({"reset": torch.zeros(3, 4, dtype=torch.bool)}, ValueError, r"reset has shape \(3, 4\), but x has 4 steps of 3"),
    ({"form": "other"}, ValueError, "form is 'other'; choose 'rate' or 'current'"),
    ({"nonlinearity": "gelu"}, ValueError, "nonlinearity is 'gelu'; choose"),
]


@pytest.mark.parametrize(("given", "kind", "message"), BAD, ids=lambda value: str(value)[:30])
def test_what_does_not_fit_is_said(given: dict[str, Any], kind: type[Exception], message: str) -> None:
    x, h0, w_ih, w_hh, bias, *_ = GeneralCase(4, 3, 2, 5).inputs(torch.float32)
    with pytest.raises(kind, match=message):
        recurrence(x, h0, w_ih, w_hh, bias, **given)


def test_a_length_out_of_range_is_said() -> None:
    x, h0, w_ih, w_hh, bias, *_ = GeneralCase(4, 2, 2, 5).inputs()
    with pytest.raises(ValueError, match="lengths holds 5, x has 4 steps"):
        recurrence(x, h0, w_ih, w_hh, bias, leak=0.5, lengths=torch.tensor([5, 1]))


def test_vmap_over_inputs_and_over_weights_equals_a_loop() -> None:
    case = GeneralCase(4, 3, 2, 5, form="current", leak=True, noise=True, reset=True, restart=True)
    copies = [case.inputs(seed=seed) for seed in range(3)]
    stacked = [torch.stack([getattr(copy, name) for copy in copies]) for name in ("x", "w_hh", "leak")]
    base = copies[0]

    def loss(x: Tensor, w_hh: Tensor, leak: Tensor) -> Tensor:
        h, last, _ = run_general(base._replace(x=x, w_hh=w_hh, leak=leak), case.options)
        return (h**2).sum() + last.sum()

    each = torch.func.vmap(torch.func.grad(loss, argnums=(0, 1, 2)))(*stacked)
    alone = [torch.func.grad(loss, argnums=(0, 1, 2))(*(part[v] for part in stacked)) for v in range(3)]
    assert_close(each, [torch.stack(parts) for parts in zip(*alone, strict=True)])
    leaves = [part.clone().requires_grad_() for part in stacked]
    torch.func.vmap(loss)(*leaves).sum().backward()
    assert_close([leaf.grad for leaf in leaves], [part.detach() for part in each])


def test_the_seed_of_the_tests_has_both_halves() -> None:
    assert SEED[0] >> 32
    assert SEED[1]


@pytest.mark.parametrize("form", ["rate", "current"])
def test_an_empty_batch_has_gradients_of_zero(form: str) -> None:
    layer, x = elman.RNN(2, 3, leak=0.4, noise=0.1, form=form), torch.randn(3, 0, 2, requires_grad=True)
    output, last = layer(x)
    (output.sum() + last.sum()).backward()
    assert x.grad is not None
    assert x.grad.shape == (3, 0, 2)
    assert all(weight.grad is not None and not weight.grad.any() for weight in layer.parameters())
