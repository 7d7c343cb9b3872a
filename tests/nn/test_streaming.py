"""One step at a time gives what the whole sequence gives."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.autograd import forward_ad
from torch.nn.utils import prune

import elman
from elman.kernels.decoder import SamplingParams
from elman.nn import pack_for_steps
from tests.numerics import assert_close


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(
    "options",
    [{}, {"residual": True}, {"layer_norm": True}, {"learned_h0": True}, {"nonlinearity": "relu", "bias": False}],
)
def test_steps_are_the_sequence(options: dict[str, object], dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    rnn = elman.RNN(3, 5, 2, dtype=dtype, **options).eval()  # type: ignore[arg-type]
    if options.get("learned_h0"):
        torch.nn.init.normal_(rnn.initial_state)
    x = torch.randn(6, 4, 3, dtype=dtype)
    whole, last = rnn(x)
    state, outputs = None, []
    for x_t in x:
        output, state = rnn.step(x_t, state)
        assert not output.requires_grad
        outputs.append(output)
    assert_close(torch.stack(outputs), whole)
    assert_close(state, last)


def stepped(rnn: elman.RNN, x: Tensor) -> None:
    """A step is the layer's own, whatever has become of the weights."""
    state = torch.randn(rnn.num_layers, len(x), rnn.hidden_size, dtype=x.dtype)
    output, new = rnn.step(x, state)
    with torch.no_grad():
        want, last = rnn(x.unsqueeze(0), state)
    assert_close((output, new), (want[0], last))


def by_optimizer(rnn: elman.RNN, **options: Any) -> None:
    optimizer = torch.optim.AdamW(rnn.parameters(), lr=0.5, **options)
    for parameter in rnn.parameters():
        parameter.grad = torch.randn_like(parameter)
    optimizer.step()


CHANGES: dict[str, Callable[[elman.RNN], Any]] = {
    "in place": lambda rnn: torch.nn.init.normal_(rnn.weight_ih_l0),
    "fused": lambda rnn: by_optimizer(rnn, fused=True),
    "foreach": lambda rnn: by_optimizer(rnn, foreach=True),
    "data.copy_": lambda rnn: rnn.weight_hh_l0.data.copy_(torch.randn(5, 5)),
    "data.zero_": lambda rnn: rnn.bias_hh_l1.data.zero_(),
    "data =": lambda rnn: setattr(rnn.weight_hh_l1, "data", torch.randn(5, 5)),
    "transposed": lambda rnn: setattr(rnn.weight_hh_l0, "data", rnn.weight_hh_l0.data.t()),
    "numpy": lambda rnn: rnn.weight_hh_l0.detach().numpy().fill(0.25),
    "shared": lambda rnn: torch.from_dlpack(rnn.share_memory().weight_ih_l1.detach()).fill_(0.25),
    "another parameter": lambda rnn: setattr(rnn, "weight_hh_l0", torch.nn.Parameter(torch.randn(5, 5))),
    "load": lambda rnn: rnn.load_state_dict(elman.RNN(3, 5, 2).state_dict(), assign=True),
    "prune": lambda rnn: prune.random_unstructured(rnn, "weight_hh_l0", 0.5),
    "double": lambda rnn: rnn.double(),
}


@pytest.mark.parametrize("change", CHANGES)
def test_no_step_uses_weights_that_were(change: str) -> None:
    torch.manual_seed(0)
    rnn, x = elman.RNN(3, 5, 2), torch.randn(4, 3)
    state = torch.ones(2, 4, 5)
    before, _ = rnn.step(x, state)
    CHANGES[change](rnn)
    dtype = rnn.weight_ih_l0.dtype
    after, _ = rnn.step(x.to(dtype), state.to(dtype))
    assert not torch.equal(before, after)
    stepped(rnn, x.to(dtype))


def test_pruned_weights_and_normalised_ones_follow_their_parameters() -> None:
    torch.manual_seed(0)
    x = torch.randn(2, 3)
    pruned = elman.RNN(3, 5)
    for amount in (0.3, 0.5):
        prune.l1_unstructured(pruned, "weight_hh_l0", amount)
        stepped(pruned, x)
    with torch.no_grad():
        pruned.weight_hh_l0_orig.mul_(-2)
    before = pruned.weight_hh_l0.clone()
    state = torch.ones(1, 2, 5)
    with torch.no_grad():
        want = torch.tanh(
            torch.nn.functional.linear(x, pruned.weight_ih_l0, pruned.bias_ih_l0 + pruned.bias_hh_l0)
            + state[0] @ (pruned.weight_hh_l0_orig * pruned.weight_hh_l0_mask).t()
        )
    assert_close(pack_for_steps(pruned).step(x, state)[0], want)
    assert not torch.equal(before, pruned.weight_hh_l0)
    assert_close(pruned.step(x, state)[0], want)
    with pytest.warns(FutureWarning):
        normed = torch.nn.utils.weight_norm(elman.RNN(3, 5), "weight_hh_l0")
    with torch.no_grad():
        normed.weight_hh_l0_g.mul_(3)
    first = normed.step(x, state)[0]
    assert_close(first, normed(x.unsqueeze(0), state)[0][0].detach())
    parametrised = torch.nn.utils.parametrizations.weight_norm(elman.RNN(3, 5), "weight_hh_l0")
    with torch.no_grad():
        parametrised.parametrizations.weight_hh_l0.original0.mul_(3)
    stepped(parametrised, x)


@pytest.mark.parametrize("bfloat16", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_what_is_packed_is_a_copy_of_the_whole(dtype: torch.dtype, bfloat16: bool) -> None:
    rnn, embedding, output = elman.RNN(3, 5, dtype=dtype), torch.nn.Embedding(7, 3, dtype=dtype), torch.nn.Linear(5, 7)
    output = output.to(dtype)
    writer = pack_for_steps(rnn, embedding=embedding.weight, output=(output.weight, output.bias), bfloat16=bfloat16)
    stack = pack_for_steps(rnn, bfloat16=bfloat16)
    x, first, state = torch.randn(2, 3, dtype=dtype), torch.tensor([1, 2]), torch.zeros(1, 2, 5, dtype=dtype)
    text, greedy = writer.generate(first, state, 20, SamplingParams(0)), stack.step(x, state)
    for parameter in (*rnn.parameters(), *embedding.parameters(), *output.parameters()):
        parameter.data.normal_()
    assert_close(writer.generate(first, state, 20, SamplingParams(0)), text)
    assert torch.equal(stack.step(x, state), greedy)


def test_output_and_state_share_no_memory() -> None:
    for options in ({}, {"layer_norm": True}, {"num_layers": 2}):
        rnn: elman.RNN = elman.RNN(3, 5, **options)  # type: ignore[arg-type]
        output, state = rnn.step(torch.randn(2, 3))
        kept = state.clone()
        output.zero_()
        assert_close(state, kept)
        before = state.clone()
        rnn.step(torch.randn(2, 3), state)
        assert_close(state, before)


def test_a_layer_made_in_inference_mode_steps() -> None:
    with torch.inference_mode():
        rnn, x = elman.RNN(3, 5), torch.randn(2, 3)
        assert_close(rnn.step(x)[0], rnn(x.unsqueeze(0))[0][0])
    assert_close(rnn.step(torch.zeros(2, 3))[0].shape, torch.Size([2, 5]))


@pytest.mark.parametrize("options", [{}, {"layer_norm": True}, {"learned_h0": True}])
def test_no_sequences(options: dict[str, Any]) -> None:
    rnn = elman.RNN(3, 5, 2, **options)
    output, state = rnn.step(torch.empty(0, 3))
    assert (output.shape, state.shape) == ((0, 5), (2, 0, 5))
    if not options:
        assert pack_for_steps(rnn).step(torch.empty(0, 3), state).shape == (2, 0, 5)


def test_no_dropout_in_a_step() -> None:
    rnn = elman.RNN(3, 5, 2, layer_norm=True, dropout=0.9, recurrent_dropout=0.9)
    x = torch.randn(2, 3)
    assert_close(rnn.step(x)[0], rnn.step(x)[0])
    assert rnn.training


@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:forward-mode derivatives:RuntimeWarning")
def test_tangents_are_not_dropped() -> None:
    rnn, x = elman.RNN(3, 5), torch.randn(2, 3)
    with forward_ad.dual_level():
        tangent = forward_ad.unpack_dual(rnn.step(forward_ad.make_dual(x, x))[0]).tangent
    assert_close(tangent, torch.func.jvp(lambda x: rnn(x[None])[0][0], (x,), (x,))[1])


@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors:UserWarning")
def test_a_nested_input_is_one_line() -> None:
    x = torch.nested.nested_tensor([torch.randn(3), torch.randn(3)])
    with pytest.raises(TypeError, match="x is a nested tensor"):
        elman.RNN(3, 5).step(x, torch.zeros(1, 2, 5))


def test_vmap_of_a_step() -> None:
    rnn, xs = elman.RNN(3, 5), torch.randn(4, 2, 3)
    assert_close(torch.vmap(lambda x: rnn.step(x)[0])(xs), torch.stack([rnn.step(x)[0] for x in xs]))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("L", "I", "H"), [(1, 3, 7), (2, 16, 33), (1, 130, 64), (2, 5, 200)])
def test_any_number_of_sequences(L: int, I: int, H: int, dtype: torch.dtype, isa: str) -> None:
    for options in ({"bias": False, "nonlinearity": "relu"}, {"residual": True}):
        rnn = elman.RNN(I, H, L, dtype=dtype, **options)  # type: ignore[arg-type]
        for S in (1, 2, 3, 7, 16, 37):
            x, state = torch.randn(S, I, dtype=dtype), torch.randn(L, S, H, dtype=dtype)
            with torch.no_grad():
                want, last = rnn(x.unsqueeze(0), state)
                want_first, _ = rnn(x.unsqueeze(0))
            output, new = rnn.step(x, state)
            assert_close((output, new), (want[0], last), terms=2 * (I + H))
            assert_close(rnn.step(x)[0], want_first[0], terms=2 * (I + H))


def test_two_directions_cannot_be_stepped() -> None:
    with pytest.raises(ValueError, match="backwards"):
        elman.RNN(3, 5, bidirectional=True).step(torch.randn(2, 3))


def test_a_forward_hook_acts_on_a_step() -> None:
    rnn, x = elman.RNN(3, 5), torch.randn(4, 3)
    rnn.register_forward_hook(lambda module, given, result: (result[0] * 2, result[1]))
    with torch.no_grad():
        assert torch.allclose(rnn.step(x)[0], rnn(x.unsqueeze(0))[0][0])


def test_a_token_below_zero_is_refused() -> None:
    stack = pack_for_steps(elman.RNN(3, 4), embedding=torch.randn(7, 3), output=(torch.randn(7, 4), None))
    with pytest.raises(IndexError, match="token -1 is below 0"):
        stack.step(torch.tensor([-1]), torch.zeros(1, 1, 4))
