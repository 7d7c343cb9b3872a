"""The layer with a leak, noise, forms, other functions and resets, against the op and against plain loops."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

import elman
from elman.errors import UserError
from elman.kernels.options import NONLINEARITIES
from elman.nn.general import loop as general_loop
from elman.nn.streaming import pack_for_steps
from elman.ops import recurrence
from tests.numerics import assert_close

T, B, I, H = 6, 3, 2, 5


def layer(**options: Any) -> elman.RNN:
    torch.manual_seed(1)
    return elman.RNN(I, H, dtype=torch.float64, **options)


def batch(*shape: int) -> Tensor:
    return torch.randn(shape or (T, B, I), generator=torch.Generator().manual_seed(3), dtype=torch.float64)


def resets() -> Tensor:
    cut = torch.zeros(T, B, dtype=torch.bool)
    cut[3, 0] = cut[0, 1] = cut[5, 2] = True
    return cut


@pytest.mark.parametrize("form", ["rate", "current"])
def test_the_layer_is_the_op(form: str) -> None:
    rnn = layer(leak=0.3, form=form, nonlinearity="softplus")
    h, h_n = rnn(batch(), reset=resets())
    bias = rnn.bias_ih_l0 + rnn.bias_hh_l0
    options: dict[str, Any] = {"leak": 0.3, "form": form, "nonlinearity": "softplus", "reset": resets()}
    want = recurrence(
        batch(), torch.zeros(B, H, dtype=torch.float64), rnn.weight_ih_l0, rnn.weight_hh_l0, bias, **options
    )
    assert_close((h, h_n[0]), want)


def test_a_leak_of_one_is_the_plain_layer_and_none_touches_nothing() -> None:
    plain = layer()
    assert plain.dynamics is None
    assert list(plain.state_dict()) == list(torch.nn.RNN(I, H).state_dict())
    assert_close(layer(leak=1.0)(batch()), plain(batch()))


@pytest.mark.parametrize("learned", ["sigmoid", "time constant"])
def test_a_learned_leak_starts_where_it_is_told_and_stays_in_range(learned: str) -> None:
    rnn = layer(leak=0.2, learn_leak=learned, num_layers=2, bidirectional=True)
    names = [name for name, _ in rnn.named_parameters() if "leak" in name]
    assert names == [f"dynamics.leak_{name}" for name in ("l0", "l0_reverse", "l1", "l1_reverse")]
    assert_close(rnn(batch())[0], layer(leak=0.2, num_layers=2, bidirectional=True)(batch())[0])
    optimiser = torch.optim.SGD(rnn.parameters(), lr=100.0)
    for _ in range(3):
        optimiser.zero_grad()
        (rnn(batch())[0] ** 2).sum().backward()
        optimiser.step()
    assert rnn.dynamics is not None
    leak = rnn.dynamics.leak_of("l0")
    assert leak is not None
    assert ((leak >= 0) & (leak <= 1)).all()
    rnn.reset_parameters()
    assert_close(rnn.dynamics.leak_of("l1"), torch.full((H,), 0.2, dtype=torch.float64))


def test_noise_is_the_seeds_and_is_off_in_evaluation() -> None:
    rnn = layer(noise=0.5, num_layers=2, bidirectional=True)
    torch.manual_seed(5)
    first = rnn(batch())[0]
    torch.manual_seed(5)
    assert torch.equal(rnn(batch())[0], first)
    assert not torch.equal(rnn(batch())[0], first)
    assert torch.equal(rnn(batch(), seed=7)[0], rnn(batch(), seed=7)[0])
    still = copy.deepcopy(rnn).eval()
    assert_close(still(batch()), layer(num_layers=2, bidirectional=True)(batch()))
    noisy = layer(noise=0.5, noise_in_eval=True).eval()
    assert not torch.equal(noisy(batch())[0], noisy(batch())[0])


def test_noise_of_a_covariance() -> None:
    factor = torch.zeros(H, 2, dtype=torch.float64)
    factor[0, 0] = factor[1, 0] = 1.0
    factor[2, 1] = 2.0
    rnn = layer(noise=factor, nonlinearity="identity", bias=False)
    torch.nn.init.zeros_(rnn.weight_hh_l0)
    h, _ = rnn(torch.zeros(400, 50, I, dtype=torch.float64))
    got = torch.cov(h.detach().flatten(0, 1).t())
    assert (got - factor @ factor.t()).abs().max() < 0.1  # 20,000 numbers: four times 4 sqrt(2 / n)
    assert torch.equal(h[..., 0], h[..., 1])


@pytest.mark.parametrize("options", [{}, {"leak": 0.4, "form": "current"}, {"learned_h0": True}, {"num_layers": 2}])
def test_a_reset_cuts_a_sequence_in_two_in_both_directions(options: dict[str, Any]) -> None:
    rnn = layer(**options, bidirectional=True)
    if "learned_h0" in options:
        torch.nn.init.normal_(rnn.initial_state)
    x, cut = batch(T, 1, I), torch.zeros(T, 1, dtype=torch.bool)
    cut[4] = True
    h, h_n = rnn(x, reset=cut)
    first, second = rnn(x[:4])[0], rnn(x[4:])
    assert_close(h, torch.cat([first, second[0]]))
    assert_close(h_n[0::2], second[1][0::2])


def test_a_reset_in_the_padding_parts_nothing() -> None:
    rnn = layer(bidirectional=True)
    cut, hx = torch.zeros(T, B, dtype=torch.bool), batch(2, B, H)
    cut[2, 0] = True
    want = rnn(batch(), hx, lengths=[2, 6, 4])
    assert_close(rnn(batch(), hx, lengths=[2, 6, 4], reset=cut), want)


def test_lengths_packed_input_and_batch_first_agree() -> None:
    rnn, lengths = layer(leak=0.5, num_layers=2, bidirectional=True), torch.tensor([2, 6, 4])
    h, h_n = rnn(batch(), lengths=lengths, reset=resets())
    packed, packed_n = rnn(pack_padded_sequence(batch(), lengths, enforce_sorted=False), reset=resets())
    assert_close((pad_packed_sequence(packed)[0], packed_n), (h, h_n))
    rnn.batch_first = True
    turned, turned_n = rnn(batch().transpose(0, 1), lengths=lengths, reset=resets().t())
    assert_close((turned.transpose(0, 1), turned_n), (h, h_n))
    one, one_n = rnn(batch()[:, 1], reset=resets()[:, 1])
    assert_close((one, one_n), (h[:, 1], h_n[:, 1]))


@pytest.mark.parametrize("options", [{"leak": 0.5}, {"form": "current"}, {"nonlinearity": "sigmoid"}, {}])
def test_steps_equal_the_sequence(options: dict[str, Any]) -> None:
    rnn = layer(**options, num_layers=2)
    want, want_n = rnn(batch(), reset=resets())
    state, outputs = None, []
    for t in range(T):
        output, state = rnn.step(batch()[t], state, reset=resets()[t])
        outputs.append(output)
    assert_close((torch.stack(outputs), state), (want.detach(), want_n.detach()))


def test_a_function_of_ones_own_runs_as_a_loop_and_says_so() -> None:
    general_loop._say_once.cache_clear()
    mine = layer(nonlinearity=lambda a: torch.sigmoid(a), leak=0.5, form="current", noise=0.3)
    with pytest.warns(RuntimeWarning, match="a nonlinearity of your own runs as a plain loop"):
        got = mine(batch(), reset=resets(), lengths=torch.tensor([2, 6, 4]), seed=3)
    named = layer(nonlinearity="sigmoid", leak=0.5, form="current", noise=0.3)
    assert_close(got, named(batch(), reset=resets(), lengths=torch.tensor([2, 6, 4]), seed=3))


def test_what_cannot_be_is_said_in_a_line() -> None:
    for options, message in (
        ({"leak": 1.5}, "`leak` is 1.5; it must be greater than 0 and at most 1"),
        ({"leak": torch.ones(3)}, r"`leak` has shape \(3,\); give a number, or one for each of 5 units"),
        ({"leak": 0.5, "residual": True}, "`leak` and `residual`"),
        ({"leak": 0.5, "layer_norm": True}, "`layer_norm` goes without"),
        ({"leak": 1.0, "learn_leak": "sigmoid"}, "starts below 1"),
        ({"learn_leak": "log"}, "`learn_leak` is 'log'"),
        ({"noise": -0.1}, "`noise` is -0.1.*; it must be finite and not negative"),
        ({"noise": torch.ones(4, 2)}, r"`noise` has shape \(4, 2\)"),
        ({"form": "other"}, "`form` is 'other'; choose 'rate' or 'current'"),
        ({"nonlinearity": "sigmoid", "layer_norm": True}, "`layer_norm` goes with"),
    ):
        with pytest.raises(UserError, match=message):
            layer(**options)
    with pytest.raises(ValueError, match=r"Unknown nonlinearity 'gelu'. Select from 'tanh', 'relu', .* or 'identity'"):
        layer(nonlinearity="gelu")
    with pytest.raises(ValueError, match=r"reset has shape \(3, 6\), but x has 6 steps of 3 sequences"):
        layer()(batch(), reset=resets().t())
    with pytest.raises(TypeError, match=r"reset is torch.float64"):
        layer()(batch(), reset=resets().double())
    with pytest.raises(UserError, match="`layer_norm` goes without `reset`"):
        layer(layer_norm=True)(batch(), reset=resets())


def test_what_is_not_packed_for_steps_or_exchanged_says_so() -> None:
    with pytest.raises(ValueError, match="cannot be packed; call its `step`"):
        pack_for_steps(layer(leak=0.5))
    model = torch.nn.Sequential(layer(leak=0.5), layer(nonlinearity="sigmoid"), layer())
    said = elman.restore(model)
    assert said.replaced == ("2",)
    assert "torch has not a leak" in said.left["0"]
    assert "torch has not this nonlinearity" in said.left["1"]


@pytest.mark.parametrize("options", [{"leak": 0.5}, {"nonlinearity": "sigmoid"}, {"form": "current"}])
def test_what_is_not_inspected_says_so(options: dict[str, Any]) -> None:
    rnn = layer(**options)
    with pytest.raises(UserError, match="has no step to inspect yet"):
        elman.nn.kind_of(rnn).step_map(rnn)


def test_a_model_that_holds_such_layers_is_accelerated() -> None:
    model = torch.nn.ModuleList([elman.nn.CTRNN(I, H), torch.nn.RNN(I, H), layer(leak=0.5)])
    assert elman.accelerate(model).replaced == ("1",)
    assert isinstance(model[0], elman.nn.CTRNN)


def test_the_layer_survives_copies_and_state_dicts() -> None:
    rnn = layer(leak=0.3, noise=0.2, learn_leak="sigmoid")
    other = layer(leak=0.6, noise=0.1, learn_leak="sigmoid")
    other.load_state_dict(rnn.state_dict())
    assert_close(other(batch(), seed=1), rnn(batch(), seed=1))
    assert_close(copy.deepcopy(rnn)(batch(), seed=1), rnn(batch(), seed=1))
    assert NONLINEARITIES == ("tanh", "relu")
