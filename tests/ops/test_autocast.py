"""Under autocast a CPU computes in float32, and rounds the states once; in bfloat16 where it multiplies that."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import elman
from elman.nn.parametrizations import Mask, constrain
from elman.ops import autocast, recurrence

T, B, I, H = 9, 4, 3, 20
LAYERS: dict[str, Callable[[], elman.RNN]] = {
    "plain": lambda: elman.RNN(I, H),
    "layers, both directions": lambda: elman.RNN(I, H, 2, bidirectional=True),
    "layer norm": lambda: elman.RNN(I, H, layer_norm=True),
    "leak": lambda: elman.RNN(I, H, leak=0.5),
    "mask": lambda: constrain(elman.RNN(I, H), Mask(torch.eye(H, dtype=torch.bool))),
}


@pytest.fixture(autouse=True)
def _multiplies_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(autocast, "_LIBRARY_MULTIPLIES", False)


def states_and_gradients(
    rnn: nn.Module, x: Tensor, cotangent: Tensor, dtype: torch.dtype | None, **more: Any
) -> list[Tensor]:
    with torch.autocast("cpu", dtype, enabled=dtype is not None):
        output, h_n = rnn(x, **more)
    gradients = torch.autograd.grad(output, [x, *rnn.parameters()], cotangent.to(output.dtype))
    return [output.detach(), h_n.detach(), *gradients]


@pytest.mark.parametrize("kind", LAYERS)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_a_layer_computes_in_float32_and_rounds_once(kind: str, dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    rnn = LAYERS[kind]()
    x = torch.randn(T, B, I, requires_grad=True)
    cotangent = torch.randn_like(rnn(x)[0]).to(dtype).float()  # the same in both
    lengths = torch.tensor([9, 0, 4, 1])
    got = states_and_gradients(rnn, x, cotangent, dtype, lengths=lengths)
    want = states_and_gradients(rnn, x, cotangent, None, lengths=lengths)
    assert [tensor.dtype for tensor in got[:2]] == [dtype, dtype]
    for one, other in zip(got, want, strict=True):
        assert torch.equal(one, other.to(one.dtype))


LARGE: dict[str, Callable[[], elman.RNN]] = {
    "plain": lambda: elman.RNN(I, 100),
    "layers, both directions": lambda: elman.RNN(I, 100, 2, bidirectional=True),
    "small": lambda: elman.RNN(I, H),
    "identity connection": lambda: elman.RNN(I, 100, residual=True),
    "layer norm": lambda: elman.RNN(I, 100, layer_norm=True),
    "leak": lambda: elman.RNN(I, 100, leak=0.5),
    "mask": lambda: constrain(elman.RNN(I, 100), Mask(torch.eye(100, dtype=torch.bool))),
}


@pytest.mark.parametrize("kind", LARGE)
def test_a_processor_that_multiplies_bfloat16_gets_it(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    rnn = LARGE[kind]()
    x = torch.randn(T, B, I, requires_grad=True)
    cotangent = torch.randn_like(rnn(x)[0])
    lengths = torch.tensor([9, 0, 4, 1])
    exact = states_and_gradients(rnn, x, cotangent, None, lengths=lengths)
    once = states_and_gradients(rnn, x, cotangent, torch.bfloat16, lengths=lengths)
    monkeypatch.setattr(autocast, "_LIBRARY_MULTIPLIES", True)
    got = states_and_gradients(rnn, x, cotangent, torch.bfloat16, lengths=lengths)
    assert [tensor.dtype for tensor in got] == [tensor.dtype for tensor in once]
    plain = kind in ("plain", "layers, both directions")
    assert plain != all(torch.equal(one, other) for one, other in zip(got, once, strict=True))
    for one, other in zip(got, exact, strict=True):
        assert (one.float() - other).abs().max() <= 2**-5 * other.abs().max()  # of weights, inputs and states rounded
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(rnn(x.bfloat16())[0], rnn(x.bfloat16().float())[0])


def test_the_function_and_many_networks_round_once() -> None:
    torch.manual_seed(0)
    x, h0, w_ih, w_hh = torch.randn(T, B, I), torch.randn(B, H), torch.randn(H, I), torch.randn(H, H) / H
    many = elman.nn.stack([elman.RNN(I, H), elman.RNN(I, H)])
    for call in (
        lambda x: recurrence(x, h0, w_ih, w_hh, None),
        lambda x: recurrence(x, h0, w_ih, w_hh, None, leak=0.5),
        lambda x: many(x),
    ):
        want = call(x)
        with torch.autocast("cpu", torch.bfloat16):
            got = call(x)
            other = call(x.bfloat16())
        assert all(torch.equal(one, right.bfloat16()) for one, right in zip(got, want, strict=True))
        assert all(one.dtype == torch.bfloat16 for one in other)


def test_half_weights_and_packed_input_and_steps() -> None:
    rnn = elman.RNN(I, H)
    x = torch.randn(T, B, I)
    lengths = torch.tensor([9, 7, 4, 1])
    packed: Any = nn.utils.rnn.pack_padded_sequence(x, lengths)
    with torch.autocast("cpu", torch.bfloat16):
        want = nn.utils.rnn.pack_padded_sequence(rnn(x)[0], lengths)
        assert torch.equal(rnn(packed)[0].data, want.data)
    halved = elman.RNN(I, H).bfloat16()
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(halved(x)[0], halved(x.bfloat16())[0])
    torch.testing.assert_close(halved.step(x[0].bfloat16())[0], halved(x[:1].bfloat16())[0][0])


def test_compiles_whole_under_autocast() -> None:
    rnn = elman.RNN(I, H)
    x = torch.randn(T, B, I)
    compiled = torch.compile(rnn, fullgraph=True, backend="aot_eager")
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(compiled(x)[0], rnn(x)[0])


def test_what_autocast_does_not_touch_is_not_done_and_not_hidden() -> None:
    calls = []

    class Counted(nn.Module):
        def forward(self, weight: Tensor) -> Tensor:
            calls.append(weight)
            return weight * 1

    rnn = elman.RNN(I, H)
    nn.utils.parametrize.register_parametrization(rnn, "weight_ih_l0", Counted())
    calls.clear()
    rnn(torch.randn(T, B, I))
    assert len(calls) == 1
    with torch.autocast("cpu", torch.bfloat16), pytest.raises((TypeError, RuntimeError, ValueError), match="float64"):
        elman.RNN(I, H).double()(torch.randn(T, B, I))


def test_a_loss_compiles_whole_under_autocast() -> None:
    loss = elman.nn.LinearCrossEntropy(H, 11)
    hidden, targets = torch.randn(6, H), torch.arange(6)
    compiled = torch.compile(loss, fullgraph=True, backend="aot_eager")
    with torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(compiled(hidden, targets), loss(hidden, targets))


def test_a_loss_is_multiplied_in_float32_where_bfloat16_is_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    hidden, weight, targets = torch.randn(6, H), torch.randn(11, H), torch.arange(6)
    exact = elman.ops.linear_cross_entropy(hidden, weight, targets)
    found = {}
    for fast in (True, False):
        monkeypatch.setattr("elman.ops.output_loss.multiplies", lambda dtype, fast=fast: fast)
        with torch.autocast("cpu", torch.bfloat16):
            found[fast] = elman.ops.linear_cross_entropy(hidden, weight, targets)
    assert torch.equal(found[False], exact)
    assert not torch.equal(found[True], exact)
    monkeypatch.setattr(autocast, "_X86", True)
    for fast in (True, False):
        monkeypatch.setattr(autocast, "_BFLOAT16", fast)
        assert (autocast.multiplies(torch.bfloat16), autocast.multiplies(torch.float16)) == (fast, False)
