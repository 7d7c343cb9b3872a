"""Outputs changed in place, as torch allows it on the CPU: the same gradients as its layers give."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

import elman
from tests.numerics import assert_close


def zero_a_part(output: Tensor, h_n: Tensor) -> None:
    output[3:, 1] = 0


def zero_a_state(output: Tensor, h_n: Tensor) -> None:
    h_n[:, 0] = 0
    output[0] = 0


CHANGES: dict[str, Callable[[Tensor, Tensor], Any]] = {
    "mul_": lambda output, h_n: output.mul_(2),
    "a part": zero_a_part,
    "a state": zero_a_state,
    "dropout": lambda output, h_n: F.dropout(output, 0.5, inplace=True),
    "relu_": lambda output, h_n: F.relu_(output),
}
OPTIONS: list[dict[str, Any]] = [
    {},
    {"batch_first": True},
    {"num_layers": 2, "bidirectional": True, "bias": False},
    {"nonlinearity": "relu", "num_layers": 2},
]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("change", CHANGES)
def test_the_gradients_are_torchs(change: str, options: dict[str, Any]) -> None:
    x = torch.randn(4 if change == "dropout" else 6, 4, 3)  # dropout draws by memory, which torch lays out by time
    found = []
    torch.manual_seed(1)
    layers = torch.nn.RNN(3, 5, **options), elman.RNN(3, 5, **options)
    layers[1].load_state_dict(layers[0].state_dict())
    for rnn in layers:
        given = x.clone().requires_grad_()
        output, h_n = rnn(given)
        if change == "dropout" and rnn.batch_first:
            output = output.contiguous()
        torch.manual_seed(2)
        CHANGES[change](output, h_n)
        (output.square().sum() + h_n.sum()).backward()
        found.append([output, given.grad, *(parameter.grad for parameter in rnn.parameters())])
    assert_close(found[1], found[0])


def test_ragged_ones_and_one_sequence() -> None:
    rnn, x, lengths = elman.RNN(3, 5, bidirectional=True), torch.randn(6, 3, 3), torch.tensor([6, 0, 2])
    found = []
    for change in (lambda h: h.mul_(2), lambda h: h * 2):
        rnn.zero_grad()
        change(rnn(x, lengths=lengths)[0]).square().sum().backward()
        found.append([parameter.grad.clone() for parameter in rnn.parameters() if parameter.grad is not None])
    assert_close(found[0], found[1])
    output, _ = rnn(x[:, 0])
    output[0] = 0
    output.sum().backward()


@pytest.mark.parametrize("own", [{"recurrent_dropout": 0.5}, {"residual": True}, {"layer_norm": True}], ids=str)
def test_layers_of_our_own(own: dict[str, Any]) -> None:
    rnn, x, found = elman.RNN(3, 5, **own), torch.randn(6, 3, 3), []
    for change in (lambda h: h.mul_(2), lambda h: h * 2):
        rnn.zero_grad()
        torch.manual_seed(0)
        change(rnn(x)[0]).square().sum().backward()
        found.append([parameter.grad.clone() for parameter in rnn.parameters() if parameter.grad is not None])
    assert_close(found[0], found[1])


def test_a_cells_state_is_reset() -> None:
    cell, x = elman.RNNCell(3, 5), torch.randn(4, 3)
    h = cell(x)
    h[0] = 0
    again = cell(x, h)
    h = cell(x)
    kept = torch.ones(4, 1)
    kept[0] = 0
    want = cell(x, h * kept)
    assert_close(again, want)
    for got, expected in zip(
        torch.autograd.grad(again.sum(), list(cell.parameters())),
        torch.autograd.grad(want.sum(), list(cell.parameters())),
        strict=True,
    ):
        assert_close(got, expected)


def test_second_derivatives_of_a_changed_output() -> None:
    rnn, x = elman.RNN(2, 3, dtype=torch.float64), torch.randn(3, 2, 2, dtype=torch.float64, requires_grad=True)

    def changed(x: Tensor) -> Tensor:
        output = rnn(x)[0]
        output.mul_(2)
        return output.sin()

    torch.autograd.gradcheck(changed, x)
    torch.autograd.gradgradcheck(changed, x)


def test_an_input_that_was_changed_still_raises() -> None:
    rnn, x = elman.RNN(3, 5), torch.randn(6, 4, 3, requires_grad=True)
    given = x * 1
    output, _ = rnn(given)
    given.mul_(2)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        output.sum().backward()


def test_the_last_state_of_a_normalised_layer_may_be_changed() -> None:
    torch.manual_seed(0)
    rnn, x = elman.RNN(3, 3, layer_norm=True), torch.randn(5, 5, 3)
    out, last = rnn(x)
    last.zero_()
    (out.sum() + last.sum()).backward()
    grad = rnn.weight_hh_l0.grad
    rnn.weight_hh_l0.grad = None
    rnn(x)[0].sum().backward()
    assert torch.equal(grad, rnn.weight_hh_l0.grad)
    cell = elman.RNNCell(3, 3, layer_norm=True)
    h = cell(x[0])
    h[0] = 0
    cell(x[1], h).sum().backward()
