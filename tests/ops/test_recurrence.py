"""The op against torch.nn.RNN, finite differences, and itself in other layouts; on every backend."""

from __future__ import annotations

import copy
import math
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from elman.ops import recurrence
from tests.cases import CASES, SMALL, Case
from tests.numerics import assert_close

pytestmark = pytest.mark.usefixtures("backend")


def torch_rnn(case: Case, tensors: list[Tensor]) -> tuple[Tensor, Tensor]:
    """What torch.nn.RNN makes of the case, as (h, h_last)."""
    x, h0, w_ih, w_hh, *bias = tensors
    rnn = torch.nn.RNN(case.I, case.H, nonlinearity=case.nonlinearity, bias=case.bias, bidirectional=case.reverse)
    names = ["weight_ih_l0", "weight_hh_l0", *(["bias_ih_l0", "bias_hh_l0"] if case.bias else [])]
    values = [w_ih, w_hh, *(bias and [bias[0], torch.zeros_like(bias[0])])]
    weights = dict(zip(names, values, strict=True))
    if case.reverse:
        weights |= {f"{name}_reverse": value for name, value in weights.items()}
    fed: Any = x
    if case.lengths is not None:
        fed = pack_padded_sequence(x, torch.tensor(case.lengths), enforce_sorted=False)
    hx = torch.stack([h0, h0]) if case.reverse else h0.unsqueeze(0)
    output, h_n = torch.func.functional_call(rnn.to(x.dtype), weights, (fed, hx))
    if case.lengths is not None:
        output = pad_packed_sequence(output, total_length=case.T)[0]
    return output[..., -case.H :], h_n[-1]


def with_gradients(function: Any, tensors: list[Tensor]) -> list[Tensor]:
    outputs = function(*tensors)
    draw = torch.Generator().manual_seed(7)
    grads = [torch.randn(o.shape, generator=draw, dtype=torch.float64).to(o.dtype) for o in outputs]
    return [*outputs, *torch.autograd.grad(outputs, tensors, grads)]


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=["f64", "f32"])
@pytest.mark.parametrize("case", [case for case in CASES if case.torch_can], ids=str)
def test_equals_torch(case: Case, dtype: torch.dtype) -> None:
    tensors = case.tensors(dtype)
    got = with_gradients(case.recurrence(dtype), tensors)
    want = with_gradients(lambda *tensors: torch_rnn(case, list(tensors)), tensors)
    assert_close(got, want)


@settings(max_examples=30, deadline=None)
@given(
    sizes=st.tuples(st.integers(1, 9), st.integers(0, 9), st.integers(1, 20), st.integers(1, 40)),
    nonlinearity=st.sampled_from(["tanh", "relu"]),
    reverse=st.booleans(),
    batch_first=st.booleans(),
    data=st.data(),
)
def test_equals_torch_at_any_shape(
    sizes: tuple[int, int, int, int], nonlinearity: str, reverse: bool, batch_first: bool, data: st.DataObject
) -> None:
    lengths = None
    if sizes[1] and data.draw(st.booleans(), "ragged"):
        lengths = tuple(data.draw(st.lists(st.integers(1, sizes[0]), min_size=sizes[1], max_size=sizes[1]), "lengths"))
    case = Case(*sizes, nonlinearity, lengths=lengths, reverse=reverse, batch_first=batch_first)
    tensors = case.tensors()
    want = with_gradients(lambda *tensors: torch_rnn(case, list(tensors)), tensors)
    assert_close(with_gradients(case.recurrence(), tensors), want)


@pytest.mark.parametrize("case", SMALL, ids=str)
def test_first_and_second_derivatives(case: Case) -> None:
    tensors = tuple(case.tensors())
    assert torch.autograd.gradcheck(case.recurrence(), tensors, fast_mode=True)
    assert torch.autograd.gradgradcheck(case.recurrence(), tensors, fast_mode=True)


@pytest.mark.parametrize("case", [SMALL[5], SMALL[8]], ids=str)
def test_every_entry_of_the_derivatives(case: Case) -> None:
    assert torch.autograd.gradcheck(case.recurrence(), tuple(case.tensors()))
    assert torch.autograd.gradgradcheck(case.recurrence(), tuple(case.tensors()))


def test_third_derivative() -> None:
    case = Case(2, 1, 1, 2)
    _, *rest = case.tensors(requires_grad=False)

    def second(x: Tensor) -> Tensor:
        (grad,) = torch.autograd.grad(case.recurrence()(x, *rest)[0].sum(), x, create_graph=True)
        return torch.autograd.grad(grad.sum(), x, create_graph=True)[0]

    assert torch.autograd.gradcheck(second, case.tensors()[0])


@pytest.mark.parametrize("chosen", [(0,), (1,), (2,), (3,), (4,), (0, 4), (1, 3)])
def test_gradients_of_some_arguments_only(chosen: tuple[int, ...]) -> None:
    case = CASES[5]
    whole = torch.autograd.grad(case.recurrence()(*(tensors := case.tensors()))[0].sum(), tensors)
    some = [tensor.requires_grad_(i in chosen) for i, tensor in enumerate(case.tensors(requires_grad=False))]
    grads = torch.autograd.grad(case.recurrence()(*some)[0].sum(), [some[i] for i in chosen])
    assert_close(grads, tuple(whole[i] for i in chosen))


@pytest.mark.parametrize("used", [0, 1], ids=["h", "h_last"])
def test_one_output_unused(used: int) -> None:
    case = CASES[5]
    tensors = case.tensors()
    grads = torch.autograd.grad(case.recurrence()(*tensors)[used].sum(), tensors)
    h, h_last = case.recurrence()(*tensors)
    zero = 0 * (h_last if used == 0 else h).sum()
    want = torch.autograd.grad((h, h_last)[used].sum() + zero, tensors)
    assert_close(grads, want)


def test_any_strides() -> None:
    case = CASES[2]
    tensors = case.tensors(requires_grad=False)
    twisted = [t.permute(*reversed(range(t.dim()))).contiguous().permute(*reversed(range(t.dim()))) for t in tensors]
    grad_h = torch.randn(case.H, case.T, case.B, dtype=torch.float64).permute(1, 2, 0)
    results = []
    for each, grad in ((tensors, grad_h.contiguous()), (twisted, grad_h)):
        inputs = [t.detach().requires_grad_() for t in each]
        h, h_last = case.recurrence()(*inputs)
        results.append([h, h_last, *torch.autograd.grad(h, inputs, grad)])
    assert_close(results[0], results[1])
    inputs = case.tensors()
    h, _ = case.recurrence()(*inputs)
    summed = torch.autograd.grad(h.sum(), inputs)  # whose gradient has strides of zero
    assert_close(summed, torch.autograd.grad(case.recurrence()(*inputs)[0], inputs, torch.ones(h.shape, dtype=h.dtype)))


@pytest.mark.parametrize("nonlinearity", ["tanh", "relu"])
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("place", range(5))
def test_nan_and_inf_pass_as_in_torch(value: float, place: int, nonlinearity: str) -> None:
    case = Case(4, 2, 3, 9, nonlinearity)
    tensors = case.tensors(torch.float32)
    with torch.no_grad():
        tensors[place].view(-1)[1] = value
    got = with_gradients(case.recurrence(), tensors)
    want = with_gradients(lambda *tensors: torch_rnn(case, list(tensors)), tensors)
    assert_close(got[:2], want[:2])
    for g, w in zip(got[2:], want[2:], strict=True):
        # a sum over steps may meet inf - inf in another order: finite or not is the same, and what is finite agrees
        assert torch.equal(g.isfinite(), w.isfinite())
        assert_close(g[g.isfinite()], w[w.isfinite()])


def test_masked_and_residual_states_are_those_of_the_equation() -> None:
    case = CASES[8]
    x, h0, w_ih, w_hh, bias = case.tensors(requires_grad=False)
    h, h_last = case.recurrence()(x, h0, w_ih, w_hh, bias)
    state = h0
    for t in range(case.T):
        state = state + torch.relu(x[t] @ w_ih.T + (case.options()["mask"] * state) @ w_hh.T + bias)
        assert_close(h[t], state)
    assert_close(h_last, state)


def test_no_steps() -> None:
    tensors = Case(0, 2, 3, 4).tensors()
    h, h_last = recurrence(*tensors)
    assert h.shape == (0, 2, 4)
    assert torch.equal(h_last, tensors[1])
    h_last.sum().backward()
    assert torch.equal(tensors[1].grad, torch.ones(2, 4, dtype=torch.float64))  # type: ignore[arg-type]
    assert torch.equal(tensors[3].grad, torch.zeros(4, 4, dtype=torch.float64))  # type: ignore[arg-type]


def test_outputs_can_be_copied_and_changed() -> None:
    tensors = CASES[2].tensors(requires_grad=False)
    h, h_last = recurrence(*tensors)
    kept = copy.deepcopy(h)
    h_last.zero_()
    assert torch.equal(h, kept)
    assert torch.equal(recurrence(*tensors)[0], kept)


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_without_gradients(mode: Any) -> None:
    tensors = CASES[2].tensors()
    want = recurrence(*tensors)
    with mode():
        got = recurrence(*tensors)
    assert not got[0].requires_grad
    assert_close(got, want)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_low_precision_on_the_selected_backend(dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ELMAN_BACKEND")
    tensors = CASES[2].tensors(dtype)
    h, _ = recurrence(*tensors)
    want, _ = recurrence(*(t.double() for t in tensors))
    assert h.dtype == dtype
    assert_close(h.double(), want, terms=7, dtype=torch.bfloat16)
    h.sum().backward()
    assert tensors[2].grad is not None
    assert tensors[2].grad.dtype == dtype
