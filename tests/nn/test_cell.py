"""elman.RNNCell in the place of torch.nn.RNNCell, and as one step of elman.RNN."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

import elman
from tests.numerics import assert_close


def pair(*args: Any, **kwargs: Any) -> tuple[torch.nn.RNNCell, elman.RNNCell]:
    torch.manual_seed(0)
    theirs = torch.nn.RNNCell(*args, **kwargs)
    torch.manual_seed(0)
    return theirs, elman.RNNCell(*args, **kwargs)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("nonlinearity", ["tanh", "relu"])
def test_same_parameters_outputs_and_gradients(nonlinearity: str, bias: bool) -> None:
    theirs, ours = pair(3, 4, bias, nonlinearity, dtype=torch.float64)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    assert repr(ours) == repr(theirs)
    assert isinstance(ours, torch.nn.RNNCell)
    x, h = torch.randn(2, 3, dtype=torch.float64), torch.randn(2, 4, dtype=torch.float64)
    for args in ((x,), (x, h), (x[0],), (x[0], h[0]), (x[:0], h[:0])):
        results = []
        for cell in (theirs, ours):
            leaves = [arg.clone().requires_grad_() for arg in args]
            new = cell(*leaves)
            results.append([new, *torch.autograd.grad(new.sin().sum(), [*leaves, *cell.parameters()])])
        assert_close(results[1], results[0])


@pytest.mark.parametrize("options", [{}, {"nonlinearity": "relu", "residual": True}, {"layer_norm": True}], ids=str)
def test_steps_are_those_of_the_layer(options: dict[str, Any]) -> None:
    rnn, cell = elman.RNN(3, 4, **options), elman.RNNCell(3, 4, **options)
    cell.load_state_dict({name.replace("_l0", ""): value for name, value in rnn.state_dict().items()})
    x = torch.randn(5, 2, 3)
    output, h_n = rnn(x)
    h: Tensor | None = None
    for t in range(5):
        h = cell(x[t], h)
        assert_close(h, output[t])
    assert_close(h, h_n[0])


@pytest.mark.parametrize(
    ("x", "h"),
    [
        (torch.zeros(2, 2, 3), None),
        (torch.zeros(()), None),
        (torch.zeros(2, 5), None),
        (torch.zeros(5), None),
        (torch.zeros(2, 3), torch.zeros(3, 4)),
        (torch.zeros(2, 3), torch.zeros(2, 5)),
        (torch.zeros(2, 3), torch.zeros(1, 2, 4)),
        (torch.zeros(3), torch.zeros(5)),
    ],
    ids=lambda tensor: "none" if tensor is None else "x".join(map(str, tensor.shape)),
)
def test_wrong_input_raises_what_torch_raises(x: Tensor, h: Tensor | None) -> None:
    theirs, ours = pair(3, 4)
    with pytest.raises(Exception) as want:  # noqa: PT011  # whatever torch raises is the measure
        theirs(x, h)
    with pytest.raises(want.type) as got:
        ours(x, h)
    assert str(got.value) == str(want.value)


def test_unknown_nonlinearity_raises_what_torch_raises() -> None:
    _, ours = pair(3, 4, nonlinearity="sigmoid")
    with pytest.raises(RuntimeError, match="Unknown nonlinearity: sigmoid"):
        ours(torch.zeros(2, 3))


def test_options_show_and_start_as_asked() -> None:
    cell = elman.RNNCell(3, 4, nonlinearity="relu", layer_norm=True, residual=True, init="identity")
    assert repr(cell) == "RNNCell(3, 4, nonlinearity=relu, layer_norm=True, residual=True, init='identity')"
    assert torch.equal(cell.weight_hh, torch.eye(4))
    with torch.no_grad():
        for parameter in cell.parameters():
            parameter.fill_(7)
    cell.reset_parameters()
    assert torch.equal(cell.weight_hh, torch.eye(4))
    assert torch.equal(cell.layer_norm_weight, torch.ones(4))


def test_compiles_whole() -> None:
    torch.compiler.reset()
    _, cell = pair(3, 4)
    x, h = torch.randn(2, 3), torch.randn(2, 4)
    compiled = torch.compile(cell, fullgraph=True, backend="aot_eager")
    assert_close(compiled(x, h), cell(x, h))
