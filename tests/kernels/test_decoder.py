"""Single steps of a stack of layers: the native one against the plain one, and that against torch.nn.RNN."""

from __future__ import annotations

import math

import pytest
import torch

from elman.kernels import RecurrenceOptions, make_stack
from elman.kernels.cpu import backend as cpu
from elman.kernels.cpu.decoder import NativeStack
from elman.kernels.decoder import LayerWeights, SamplingParams, Stack, StackWeights, choose, uniform
from tests.numerics import assert_close

native = pytest.mark.skipif(not cpu.available(), reason="the native library is not built here")


def layers_of(rnn: torch.nn.RNN) -> list[LayerWeights]:
    return [LayerWeights(w_ih, w_hh, b_ih + b_hh) for w_ih, w_hh, b_ih, b_hh in rnn.all_weights]


def writer(
    kind: type[Stack], L: int, I: int, H: int, V: int, *, residual: bool = False, bfloat16: bool = False
) -> Stack:
    torch.manual_seed(4)
    rnn = torch.nn.RNN(I, H, L)
    out = torch.nn.Linear(H, V)
    with torch.no_grad():
        out.weight.mul_(3 * math.sqrt(H) / 4)  # enough to make some tokens likelier than others
    output = (out.weight, out.bias)
    weights = StackWeights(layers_of(rnn), torch.randn(V, I), output)
    return kind(weights, RecurrenceOptions(residual=residual), bfloat16=bfloat16)


@pytest.mark.parametrize("nonlinearity", ["tanh", "relu"])
def test_steps_are_torchs(nonlinearity: str) -> None:
    rnn = torch.nn.RNN(5, 9, 3, nonlinearity)
    x, state = torch.randn(4, 2, 5), torch.randn(3, 2, 9)
    want, want_state = rnn(x, state)
    stack = make_stack(StackWeights(layers_of(rnn)), RecurrenceOptions(nonlinearity))
    for x_t, want_t in zip(x, want, strict=True):
        state = stack.step(x_t, state)
        assert_close(state[-1], want_t)
    assert_close(state, want_state)


@native
@pytest.mark.parametrize(("L", "S", "I", "H"), [(1, 1, 3, 7), (3, 5, 20, 33), (2, 17, 1, 64), (1, 2, 40, 300)])
@pytest.mark.parametrize("residual", [False, True])
def test_a_native_step_is_the_plain_one(L: int, S: int, I: int, H: int, residual: bool, isa: str) -> None:
    rnn = torch.nn.RNN(I, H, L)
    plain, fast = (
        kind(StackWeights(layers_of(rnn)), RecurrenceOptions(residual=residual)) for kind in (Stack, NativeStack)
    )
    x, state = torch.randn(S, I), torch.randn(L, S, H)
    for _ in range(3):
        want, got = plain.step(x, state), fast.step(x, state)
        assert_close(got, want, terms=2 * (I + H))
        state = got


@native
def test_bfloat16_weights_are_rounded_and_nothing_else(isa: str) -> None:
    torch.manual_seed(1)
    layers = layers_of(torch.nn.RNN(48, 80, 2))
    x, state = torch.randn(3, 48), torch.randn(2, 3, 80)
    want = Stack(StackWeights(layers), bfloat16=True).step(x, state)
    assert_close(NativeStack(StackWeights(layers), bfloat16=True).step(x, state), want, terms=2 * 128)
    exact = Stack(StackWeights(layers)).step(x, state)
    assert 1e-4 < (want - exact).abs().max() < 2e-2


DRAWINGS = (
    SamplingParams(temperature=0),
    SamplingParams(seed=7),
    SamplingParams(temperature=0.7, top_k=5, seed=8),
    SamplingParams(temperature=1.3, top_p=0.8, seed=9),
    SamplingParams(top_k=9, top_p=0.5, seed=2**63 + 5),
)


@native
@pytest.mark.parametrize("drawing", DRAWINGS, ids=str)
@pytest.mark.parametrize("bfloat16", [False, True], ids=["f32", "bf16"])
def test_writes_what_the_plain_one_writes(drawing: SamplingParams, bfloat16: bool, isa: str) -> None:
    plain, fast = (writer(kind, 2, 12, 40, 31, bfloat16=bfloat16) for kind in (Stack, NativeStack))
    first, state = torch.tensor([3, 0, 30]), torch.zeros(2, 3, 40)
    want, want_state = plain.generate(first, state, 40, drawing)
    got, got_state = fast.generate(first, state, 40, drawing)
    assert torch.equal(got, want)
    assert_close(got_state, want_state, terms=40 * 52)
    again, _ = fast.generate(first, state, 40, drawing)
    assert torch.equal(got, again)


@native
def test_goes_on_where_it_stopped_whatever_the_thread_count() -> None:
    fast = writer(NativeStack, 2, 16, 512, 65)
    first, state = torch.tensor([1]), torch.zeros(2, 1, 512)
    whole, _ = fast.generate(first, state, 60, SamplingParams(seed=3))
    before = torch.get_num_threads()
    torch.set_num_threads(before + 1)
    head, middle = fast.generate(first, state, 25, SamplingParams(seed=3))
    tail, _ = fast.generate(head[-1], middle, 35, SamplingParams(seed=3), start=25)
    torch.set_num_threads(before)
    assert torch.equal(torch.cat([head, tail]), whole)


def test_draws_follow_the_probabilities() -> None:
    logits = torch.tensor([[2.0, 1.0, 0.0, -1.0]]).repeat(20_000, 1)
    drawn = choose(logits, SamplingParams(seed=5), 0).bincount(minlength=4) / 20_000
    assert (drawn - logits[0].softmax(0)).abs().max() < 4 * 0.5 / 20_000**0.5  # four standard deviations
    assert set(choose(logits, SamplingParams(top_k=2), 0).tolist()) == {0, 1}
    assert set(choose(logits, SamplingParams(top_p=0.6), 0).tolist()) == {0}
    assert set(choose(logits, SamplingParams(top_p=0.7), 0).tolist()) == {0, 1}
    assert set(choose(logits, SamplingParams(temperature=0), 0).tolist()) == {0}


def test_chance_is_even() -> None:
    numbers = torch.tensor([uniform(1, n) for n in range(20_000)])
    assert abs(numbers.mean() - 0.5) < 0.01
    assert abs(numbers.var() - 1 / 12) < 0.002
    assert uniform(1, 0) != uniform(2, 0)


def test_a_stack_without_an_output_layer_does_not_write() -> None:
    stack = make_stack(StackWeights(layers_of(torch.nn.RNN(3, 4))))
    with pytest.raises(RuntimeError, match="without an embedding or an output layer"):
        stack.generate(torch.tensor([0]), torch.zeros(1, 1, 4), 5, SamplingParams())


@native
def test_what_does_not_fit_raises() -> None:
    fast = writer(NativeStack, 1, 4, 8, 10)
    with pytest.raises(ValueError, match="outside the vocabulary"):
        fast.generate(torch.tensor([10]), torch.zeros(1, 1, 8), 5, SamplingParams())
    with pytest.raises(ValueError, match=r"state is torch"):
        fast.generate(torch.tensor([1]), torch.zeros(1, 2, 8), 5, SamplingParams())
