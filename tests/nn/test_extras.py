"""What elman.RNN has beyond torch.nn.RNN."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

import elman
from tests.numerics import assert_close

LENGTHS = [2, 5, 0, 3]


def batch(rnn: elman.RNN, x: Tensor) -> Tensor:
    """(T, B, I) as the layer takes it."""
    return x.transpose(0, 1) if rnn.batch_first else x


@pytest.mark.parametrize("as_list", [True, False])
@pytest.mark.parametrize("layer_norm", [True, False])
@pytest.mark.parametrize("batch_first", [True, False])
def test_lengths_run_each_sequence_as_if_alone(batch_first: bool, layer_norm: bool, as_list: bool) -> None:
    rnn = elman.RNN(3, 4, 2, batch_first=batch_first, bidirectional=True, layer_norm=layer_norm, dtype=torch.float64)
    x = torch.randn(5, 4, 3, dtype=torch.float64)
    for b, length in enumerate(LENGTHS):
        x[length:, b] = torch.nan  # what lies in the padding is never read
    lengths: Any = LENGTHS if as_list else torch.tensor(LENGTHS, dtype=torch.int32)
    output, h_n = rnn(batch(rnn, x), lengths=lengths)
    output = batch(rnn, output)
    for b, length in enumerate(LENGTHS):
        assert not output[length:, b].any()
        if length:
            alone, last = rnn(x[:length, b])
            assert_close(output[:length, b], alone)
            assert_close(h_n[:, b], last)
        else:
            assert not h_n[:, b].any()
    output.square().sum().backward()
    assert all(p.grad.isfinite().all() and p.grad.any() for p in rnn.parameters())


def test_lengths_are_what_packing_does() -> None:
    rnn = elman.RNN(3, 4, 2, bidirectional=True)
    x, hx = torch.randn(5, 3, 3), torch.randn(4, 3, 4)
    packed, want_n = rnn(pack_padded_sequence(x, torch.tensor([2, 5, 3]), enforce_sorted=False), hx)
    output, h_n = rnn(x, hx, lengths=[2, 5, 3])
    assert_close(output, pad_packed_sequence(packed)[0])
    assert_close(h_n, want_n)


@pytest.mark.parametrize(
    ("x", "lengths", "says"),
    [
        (torch.zeros(5, 3), [5], "lengths goes with a batch"),
        (torch.zeros(5, 2, 3), [5], r"lengths has shape \(1,\), x has 2 sequences"),
        (torch.zeros(5, 2, 3), [5, 6], "lengths holds 6, x has 5 steps"),
        (pack_padded_sequence(torch.zeros(5, 2, 3), torch.tensor([5, 2])), [5, 2], "knows its lengths"),
    ],
    ids=["one", "count", "long", "packed"],
)
def test_lengths_that_do_not_fit(x: Any, lengths: list[int], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        elman.RNN(3, 4)(x, lengths=lengths)


@pytest.mark.parametrize("batch_first", [True, False])
def test_states_of_every_layer(batch_first: bool) -> None:
    rnn = elman.RNN(3, 4, 3, dropout=0.5, bidirectional=True, batch_first=batch_first).eval()
    x = torch.randn(5, 2, 3)
    output, h_n, layers = rnn(batch(rnn, x), return_all=True)
    assert torch.equal(layers[-1], output)
    assert len(layers) == 3
    assert torch.equal(batch(rnn, layers[1])[-1, :, :4], h_n[2])
    assert torch.equal(batch(rnn, layers[1])[0, :, 4:], h_n[3])
    _, _, one = rnn(x[:, 0], return_all=True)
    assert_close(one[0], batch(rnn, layers[0])[:, 0])
    packed, _, packs = rnn(pack_padded_sequence(x, torch.tensor([5, 5])), return_all=True)
    assert isinstance(packs[0], PackedSequence)
    assert torch.equal(packs[-1].data, packed.data)
    assert_close(packs[0].data, batch(rnn, layers[0]).flatten(0, 1))


def test_learned_first_state() -> None:
    rnn = elman.RNN(3, 4, 2, bidirectional=True, learned_h0=True)
    plain = elman.RNN(3, 4, 2, bidirectional=True)
    plain.load_state_dict({k: v for k, v in rnn.state_dict().items() if k != "initial_state"})
    x = torch.randn(5, 2, 3)
    assert rnn.initial_state.shape == (4, 1, 4)
    assert_close(rnn(x), plain(x))
    with torch.no_grad():
        rnn.initial_state.normal_()
    assert_close(rnn(x), plain(x, rnn.initial_state.expand(4, 2, 4)))
    assert_close(rnn(x, torch.zeros(4, 2, 4)), plain(x))
    rnn(x)[0].sum().backward()
    assert rnn.initial_state.grad is not None
    assert rnn.initial_state.grad.any()
    rnn.reset_parameters()
    assert not rnn.initial_state.any()


def test_identity_connection() -> None:
    rnn = elman.RNN(3, 4, residual=True)
    x = torch.randn(5, 2, 3)
    state = torch.zeros(2, 4)
    for t in range(5):
        a = F.linear(x[t], rnn.weight_ih_l0, rnn.bias_ih_l0) + F.linear(state, rnn.weight_hh_l0, rnn.bias_hh_l0)
        state = state + torch.tanh(a)
    assert_close(rnn(x)[1][0], state)


def test_identity_connection_carries_the_gradient() -> None:
    """The lecture's remedy: with small weights the plain network forgets its first input, this one does not."""
    x = torch.randn(60, 1, 3)
    reached = {}
    for residual in (False, True):
        torch.manual_seed(0)
        rnn = elman.RNN(3, 16, residual=residual, init=0.1)
        first = torch.zeros(1, 1, 16, requires_grad=True)
        rnn(0.01 * x, first)[1].sum().backward()
        assert first.grad is not None
        reached[residual] = first.grad.norm().item()
    assert reached[False] < 1e-20
    assert reached[True] > 1e-2


@pytest.mark.parametrize("nonlinearity", ["tanh", "relu"])
def test_layer_normalisation(nonlinearity: str) -> None:
    rnn = elman.RNN(3, 4, nonlinearity=nonlinearity, layer_norm=True, dtype=torch.float64)
    assert torch.equal(rnn.layer_norm_weight_l0, torch.ones(4, dtype=torch.float64))
    with torch.no_grad():
        rnn.layer_norm_weight_l0.uniform_(0.5, 2)
    x, state = torch.randn(5, 2, 3, dtype=torch.float64), torch.zeros(2, 4, dtype=torch.float64)
    output, h_n = rnn(x)
    f = torch.tanh if nonlinearity == "tanh" else torch.relu
    for t in range(5):
        a = x[t] @ rnn.weight_ih_l0.T + state @ rnn.weight_hh_l0.T
        a = (a - a.mean(1, keepdim=True)) / (a.var(1, correction=0, keepdim=True) + 1e-5).sqrt()
        state = f(a * rnn.layer_norm_weight_l0 + rnn.bias_ih_l0 + rnn.bias_hh_l0)
        assert_close(output[t], state)
    assert_close(h_n[0], state)
    rnn.reset_parameters()
    assert torch.equal(rnn.layer_norm_weight_l0, torch.ones(4, dtype=torch.float64))


def test_layer_normalisation_with_every_option() -> None:
    rnn = elman.RNN(3, 4, 2, bidirectional=True, layer_norm=True, residual=True, recurrent_dropout=0.5, learned_h0=True)
    output, h_n = rnn(torch.randn(5, 4, 3), lengths=LENGTHS)
    (output.sum() + h_n.sum()).backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in rnn.parameters())
    assert {"layer_norm_weight_l1_reverse", "initial_state"} <= rnn.state_dict().keys()
    rnn.layer_norm = False
    assert not torch.allclose(rnn(torch.ones(5, 4, 3))[0], output)


def test_layer_normalisation_under_autocast() -> None:
    rnn = elman.RNN(3, 4, layer_norm=True)
    x = torch.randn(5, 2, 3)
    with torch.autocast("cpu", torch.bfloat16):
        output, _ = rnn(x)
    assert_close(output.float(), rnn(x)[0], terms=7, dtype=torch.bfloat16)


def test_variational_dropout_keeps_one_mask_over_the_steps() -> None:
    """Where W_hh is the identity and nothing else comes in, a relu state shows which of its units were dropped."""
    rnn = elman.RNN(1, 500, nonlinearity="relu", bias=False, recurrent_dropout=0.25)
    with torch.no_grad():
        rnn.weight_ih_l0.zero_()
        rnn.weight_hh_l0.copy_(torch.eye(500))
    x, hx = torch.zeros(4, 2, 1), torch.ones(1, 2, 500)
    output, _ = rnn(x, hx)
    kept = output[0] > 0
    for t in range(4):
        assert_close(output[t], kept * (1 / 0.75) ** (t + 1))
    assert 0.15 < 1 - kept.float().mean().item() < 0.35
    assert not torch.equal(kept[0], kept[1])
    assert not torch.equal(rnn(x, hx)[0], output)
    assert_close(rnn.eval()(x, hx)[0], torch.ones(4, 2, 500))


@pytest.mark.parametrize("wrong", [-0.1, 1.0])
def test_a_wrong_rate_is_named(wrong: float) -> None:
    with pytest.raises(ValueError, match=f"recurrent_dropout is {wrong}"):
        elman.RNN(3, 4, recurrent_dropout=wrong)


def test_the_lectures_stacked_form() -> None:
    """h_t = tanh W [x_t ; h_(t-1)]: one matrix, no bias."""
    W = torch.randn(4, 3 + 4, dtype=torch.float64)
    rnn = elman.RNN.from_stacked(W, input_size=3)
    x, h = torch.randn(5, 2, 3, dtype=torch.float64), torch.zeros(2, 4, dtype=torch.float64)
    output, _ = rnn(x)
    for t in range(5):
        h = torch.tanh(torch.cat([x[t], h], 1) @ W.T)
        assert_close(output[t], h)
    assert torch.equal(rnn.stacked_weight(), W)
    rnn.stacked_weight().sum().backward()
    assert rnn.weight_hh_l0.grad is not None
    assert torch.equal(rnn.weight_hh_l0.grad, torch.ones(4, 4, dtype=torch.float64))
    assert [name for name, _ in rnn.named_parameters()] == ["weight_ih_l0", "weight_hh_l0"]


def test_the_stacked_form_of_several_layers() -> None:
    stacked = [torch.randn(4, 3 + 4), torch.randn(4, 3 + 4), torch.randn(4, 8 + 4), torch.randn(4, 8 + 4)]
    rnn = elman.RNN.from_stacked(stacked, 3, bidirectional=True, nonlinearity="relu")
    assert (rnn.num_layers, rnn.bidirectional, rnn.nonlinearity) == (2, True, "relu")
    assert torch.equal(rnn.stacked_weight(1, reverse=True), stacked[3])
    again = elman.RNN.from_stacked(
        [rnn.stacked_weight(i, r) for i in (0, 1) for r in (False, True)], 3, bidirectional=True
    )
    assert all(torch.equal(p, q) for p, q in zip(rnn.parameters(), again.parameters(), strict=True))


@pytest.mark.parametrize(
    ("stacked", "options", "says"),
    [
        (torch.zeros(4, 8), {}, r"W for weight_ih_l0 has shape \(4, 8\), expected \(4, 7\)"),
        ([torch.zeros(4, 7), torch.zeros(4, 7)], {}, r"W for weight_ih_l1 has shape \(4, 7\), expected \(4, 8\)"),
        ([], {}, "0 stacked matrices do not make whole layers"),
        ([torch.zeros(4, 7)] * 3, {"bidirectional": True}, "3 stacked matrices do not make whole layers"),
    ],
    ids=["columns", "above", "none", "half"],
)
def test_a_stacked_matrix_that_does_not_fit(stacked: Any, options: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        elman.RNN.from_stacked(stacked, 3, **options)


def test_options_show() -> None:
    rnn = elman.RNN(3, 4, recurrent_dropout=0.1, layer_norm=True, residual=True, learned_h0=True, init=0.9)
    assert repr(rnn) == ("RNN(3, 4, recurrent_dropout=0.1, layer_norm=True, residual=True, learned_h0=True, init=0.9)")


def test_locked_dropout_drops_the_same_units_at_every_step() -> None:
    torch.manual_seed(0)
    rnn = elman.RNN(2, 300, 2, nonlinearity="relu", bias=False, dropout=0.25, locked_dropout=True)
    with torch.no_grad():
        rnn.weight_ih_l0.fill_(1)
        rnn.weight_hh_l0.zero_()
        rnn.weight_ih_l1.copy_(torch.eye(300))
        rnn.weight_hh_l1.zero_()
    output, _ = rnn(torch.ones(5, 4, 2))
    assert torch.equal(output, output[:1].expand(5, -1, -1))
    assert set(output.unique().tolist()) == {0.0, torch.tensor(2 / 0.75).item()}
    assert abs(float((output == 0).float().mean()) - 0.25) < 0.05
    assert not (rnn.eval()(torch.ones(5, 4, 2))[0] == 0).any()
