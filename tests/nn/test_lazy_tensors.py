"""Tensors whose numbers torch has not written, traces, and steps that do not fit: the right value or one sentence."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import elman
from tests.numerics import assert_close

WIDE = {torch.float32: torch.complex64, torch.float64: torch.complex128}


def negated(*shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
    """Numbers that lie in memory with the other sign."""
    made = torch.randn(*shape, dtype=WIDE[dtype]).conj().imag
    assert made.is_neg()
    return made


def pair(dtype: torch.dtype, **options: Any) -> tuple[torch.nn.RNN, elman.RNN]:
    torch.manual_seed(1)
    theirs, ours = torch.nn.RNN(3, 5, dtype=dtype, **options), elman.RNN(3, 5, dtype=dtype, **options)
    ours.load_state_dict(theirs.state_dict())
    return theirs, ours


@pytest.mark.parametrize("dtype", WIDE, ids=str)
@pytest.mark.parametrize("options", [{}, {"bidirectional": True}, {"num_layers": 2, "batch_first": True}], ids=str)
def test_negated_inputs_and_states(dtype: torch.dtype, options: dict[str, Any]) -> None:
    theirs, ours = pair(dtype, **options)
    x = negated(7, 4, 3, dtype=dtype)
    batch = 7 if "batch_first" in options else 4
    for hx in (None, negated(2 if options else 1, batch, 5, dtype=dtype)):
        assert_close(ours(x, hx), theirs(x, hx))
        with torch.no_grad():
            assert_close(ours(x, hx), theirs(x, hx))


@pytest.mark.parametrize("dtype", WIDE, ids=str)
@pytest.mark.parametrize("bidirectional", [False, True])
def test_negated_gradients(dtype: torch.dtype, bidirectional: bool) -> None:
    x = torch.randn(7, 4, 3, dtype=dtype)
    weight = torch.randn(7, 4, 10 if bidirectional else 5, dtype=WIDE[dtype])
    found = []
    for rnn in pair(dtype, bidirectional=bidirectional):
        given = x.clone().requires_grad_()
        h = rnn(given)[0]
        torch.complex(torch.zeros_like(h), h).conj().mul(weight).real.sum().backward()  # type: ignore[no-untyped-call]
        found.append([given.grad, *(parameter.grad for parameter in rnn.parameters())])
    assert_close(found[1], found[0])


def test_negated_weights() -> None:
    theirs, ours = pair(torch.float32)
    weights = {name: negated(*value.shape) for name, value in ours.state_dict().items()}
    x = torch.randn(7, 4, 3)
    want, got = (torch.func.functional_call(rnn, weights, (x,)) for rnn in (theirs, ours))
    assert_close(got, want)


def test_negated_inputs_of_a_cell_and_of_a_step() -> None:
    theirs, ours = torch.nn.RNNCell(3, 5), elman.RNNCell(3, 5)
    ours.load_state_dict(theirs.state_dict())
    x, h = negated(4, 3), negated(4, 5)
    assert_close(ours(x, h), theirs(x, h))
    layer_theirs, layer = pair(torch.float32)
    assert_close(layer.step(x, h.unsqueeze(0))[0], layer_theirs(x.unsqueeze(0), h.unsqueeze(0))[0][0])


def test_zeros_without_memory() -> None:
    theirs, ours = pair(torch.float32)
    zeros = torch._efficientzerotensor((7, 4, 3))
    assert zeros.data_ptr() == 0
    assert_close(ours(zeros), theirs(torch.zeros(7, 4, 3)))
    assert_close(ours.step(zeros[0])[0], theirs(torch.zeros(1, 4, 3))[0][0])


@pytest.mark.parametrize(
    "make",
    [
        lambda: torch.randn(4, 1),
        lambda: torch.randn(3),
        lambda: torch.randn(2, 4, 3),
        lambda: torch.randn(4, 3).double(),
        lambda: torch.ones(4, 3, dtype=torch.int64),
        lambda: torch.randn(4, 3, dtype=torch.bfloat16),
        lambda: torch.randn(4, 3, device="meta"),
    ],
)
def test_a_step_of_another_size_type_or_device(make: Callable[[], Tensor]) -> None:
    with pytest.raises(ValueError, match=r"expected torch\.float32"):
        elman.RNN(3, 5).step(make(), torch.zeros(1, 4, 5))


def test_a_state_on_another_device() -> None:
    with pytest.raises(ValueError, match=r"expected torch\.float32"):
        elman.RNN(3, 5).step(torch.randn(4, 3), torch.zeros(1, 4, 5, device="meta"))


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::torch.jit.TracerWarning")
@pytest.mark.parametrize("gradients", [False, True])
def test_a_trace_computes_what_the_layer_does(gradients: bool, tmp_path: Path) -> None:
    layer, x = elman.RNN(3, 5, bidirectional=True), torch.randn(7, 4, 3)
    with torch.set_grad_enabled(gradients):
        traced = torch.jit.trace(layer, x)
        torch.jit.save(traced, tmp_path / "layer.pt")
        for one in (traced, torch.jit.load(tmp_path / "layer.pt")):
            assert_close(one(2 * x), layer(2 * x))


@pytest.mark.filterwarnings("ignore")
def test_the_old_exporter_is_refused(tmp_path: Path) -> None:
    layer = torch.nn.Sequential(elman.RNN(3, 5))
    with pytest.raises(RuntimeError, match="dynamo=True"):
        torch.onnx.export(layer, (torch.randn(7, 4, 3),), tmp_path / "layer.onnx", dynamo=False)


@pytest.mark.parametrize("options", [{"num_layers": 2}, {"bidirectional": True}])
def test_views_of_a_zero_tensor(options: dict[str, Any]) -> None:
    """A view of one has an address that is not null: its offset."""
    rnn, x = elman.RNN(3, 3, **options), torch.randn(8, 4, 3)
    zeros = torch._efficientzerotensor((2, 4, 3))  # type: ignore[attr-defined]
    out, last = rnn(x, zeros)
    wanted, wanted_last = rnn(x, torch.zeros(2, 4, 3))
    assert torch.allclose(out, wanted)
    assert torch.allclose(last, wanted_last)
    last.backward(zeros)
    assert all(not weight.grad.any() for weight in rnn.parameters() if weight.grad is not None)
    if "num_layers" in options:
        assert torch.allclose(rnn.step(x[0], zeros)[1], rnn.step(x[0], torch.zeros(2, 4, 3))[1])
