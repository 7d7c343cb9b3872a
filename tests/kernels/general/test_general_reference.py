"""The general recurrence's reference against the definition, one sequence and one step at a time."""

from __future__ import annotations

import pytest
import torch

from elman.kernels import RecurrenceInputs, RecurrenceOptions
from elman.kernels import reference as plain
from elman.kernels.general import reference
from elman.kernels.general.options import GeneralInputs, GeneralNeeds, GeneralOptions
from tests.cases import CASES, Case
from tests.general_cases import GENERAL_CASES, GeneralCase, definition, differentiable
from tests.numerics import assert_close


@pytest.mark.parametrize("case", GENERAL_CASES, ids=str)
def test_forward_and_adjoint_follow_the_definition(case: GeneralCase) -> None:
    inputs, names = differentiable(case.inputs())
    h, last = definition(inputs, case.options)
    grad_h, grad_last = torch.randn_like(h), torch.randn_like(last)
    plain_inputs = case.inputs()
    got_h, got_last, extra = reference.forward(plain_inputs, case.options)
    assert_close((got_h, got_last), (h.detach(), last.detach()))
    gradients = reference.backward(grad_h, grad_last, None, plain_inputs, got_h, extra, case.options, GeneralNeeds())
    if not case.B:
        return
    h = h + 0 * last
    leaves = [getattr(inputs, name) for name in names]
    wanted = torch.autograd.grad([h, last], leaves, [grad_h, grad_last], materialize_grads=True)
    for name, want in zip(names, wanted, strict=True):
        assert_close(getattr(gradients, name), want)


@pytest.mark.parametrize("case", [case for case in CASES if case.H <= 5], ids=str)
def test_without_terms_it_is_the_plain_recurrence(case: Case) -> None:
    given = case.inputs()
    assert isinstance(given, RecurrenceInputs)
    plain_options: RecurrenceOptions = case.recurrence_options
    inputs = GeneralInputs(*given[:5], lengths=given.lengths, mask=given.mask)
    options = GeneralOptions(case.nonlinearity, case.reverse, case.residual)
    h, last, _ = reference.forward(inputs, options)
    assert_close((h, last), plain.forward(given, plain_options))


def test_a_reset_cuts_a_sequence_in_two() -> None:
    case = GeneralCase(6, 1, 2, 4, form="current", leak=True)
    inputs = case.inputs()
    reset = torch.zeros(6, 1, dtype=torch.bool)
    reset[4] = True
    h, last, _ = reference.forward(inputs._replace(reset=reset), case.options)
    rest = inputs._replace(x=inputs.x[4:], h0=torch.zeros_like(inputs.h0))
    first, _, _ = reference.forward(inputs._replace(x=inputs.x[:4]), case.options)
    second, want_last, _ = reference.forward(rest, case.options)
    assert_close((h, last), (torch.cat([first, second]), want_last))


def test_the_options_name_what_there_is() -> None:
    with pytest.raises(ValueError, match=r"nonlinearity is 'gelu'; choose 'tanh', .* or 'identity'"):
        GeneralOptions("gelu")
    with pytest.raises(ValueError, match="form is 'voltage'; choose 'rate' or 'current'"):
        GeneralOptions(form="voltage")
