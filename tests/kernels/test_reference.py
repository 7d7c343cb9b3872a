"""The reference backend against the definition: one sequence and one step at a time, differentiated by autograd."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from elman.kernels import Needs, RecurrenceInputs, reference
from elman.kernels.options import PLAIN
from tests.cases import CASES, Case
from tests.numerics import assert_close


def by_definition(case: Case, tensors: list[Tensor]) -> tuple[Tensor, Tensor]:
    x, h0, w_ih, w_hh, *bias = tensors
    options = case.options()
    f = torch.tanh if case.nonlinearity == "tanh" else torch.relu
    columns, last = [], []
    for b in range(case.B):
        length = case.T if case.lengths is None else case.lengths[b]
        state, outputs = h0[b], [torch.zeros(case.H, dtype=x.dtype)] * case.T
        for t in reversed(range(length)) if case.reverse else range(length):
            entering = state if options["mask"] is None else options["mask"][b] * state
            y = f(w_ih @ x[t, b] + w_hh @ entering + (bias[0] if bias else 0))
            state = state + y if case.residual else y
            outputs[t] = state
        columns.append(torch.stack(outputs))
        last.append(state)
    if not columns:
        return x.new_empty(case.T, 0, case.H), x.new_empty(0, case.H)
    return torch.stack(columns, 1), torch.stack(last)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_forward_and_adjoint_follow_the_definition(case: Case) -> None:
    tensors = case.tensors()
    h, h_last = by_definition(case, tensors)
    grad_h, grad_last = torch.randn_like(h), torch.randn_like(h_last)
    wanted = ()
    if case.B:
        h = h + 0 * h_last  # so that h has a gradient where every sequence is empty
        wanted = torch.autograd.grad([h, h_last], tensors, [grad_h, grad_last], materialize_grads=True)
    inputs, options = case.inputs(), case.recurrence_options
    got = reference.forward(inputs, options)
    assert_close(got, (h.detach(), h_last.detach()))
    gradients = reference.backward(grad_h, grad_last, inputs, got[0], options, Needs())
    for grad, want in zip(gradients, wanted, strict=False):
        assert_close(grad, want)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_adjoint_returns_what_is_needed_and_takes_absent_gradients_as_zero(case: Case) -> None:
    inputs, options = case.inputs(), case.recurrence_options
    h, h_last = reference.forward(inputs, options)
    zeros = reference.backward(torch.zeros_like(h), torch.ones_like(h_last), inputs, h, options, Needs())
    for i in range(5):
        needs = Needs(*(j == i for j in range(5)))
        grads = reference.backward(None, torch.ones_like(h_last), inputs, h, options, needs)
        assert [grad is not None for grad in grads] == list(needs)
        assert_close(grads[i], zeros[i])


def test_two_steps_worked_out_by_hand() -> None:
    one = torch.ones(1, 1)
    x = torch.tensor([[[0.5]], [[-1.0]]])
    inputs = RecurrenceInputs(x, 0.25 * one, 2 * one, 3 * one, one[0])
    h, h_last = reference.forward(inputs, PLAIN)
    first = math.tanh(2 * 0.5 + 3 * 0.25 + 1)
    second = math.tanh(2 * -1.0 + 3 * first + 1)
    assert h.flatten().tolist() == pytest.approx([first, second])
    assert h_last.item() == pytest.approx(second)
    grad_h0 = reference.backward(None, one, inputs, h, PLAIN, Needs()).h0
    assert grad_h0 is not None
    assert grad_h0.item() == pytest.approx((1 - second**2) * 3 * (1 - first**2) * 3, rel=1e-4)


@pytest.mark.parametrize("reverse", [False, True])
def test_padding_is_never_read(reverse: bool) -> None:
    case = Case(4, 3, 2, 5, lengths=(2, 4, 0), reverse=reverse)
    inputs, options = case.inputs(), case.recurrence_options
    h, h_last = reference.forward(inputs, options)
    grad_h = torch.randn_like(h)
    clean = reference.backward(grad_h, None, inputs, h, options, Needs())
    for b, length in enumerate((2, 4, 0)):
        inputs.x[length:, b] = math.nan
        grad_h[length:, b] = math.nan
    assert_close(reference.forward(inputs, options), (h, h_last))
    assert_close(reference.backward(grad_h, None, inputs, h, options, Needs()), clean)
