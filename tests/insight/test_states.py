"""State space: components against numpy, fixed points against what is known of the map, and parity built by hand."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence

import elman
from elman.errors import UserError
from elman.insight.fixed_points import fixed_points
from elman.insight.jacobians.cell import Cell, cells
from elman.insight.plots.states import plot_states
from elman.insight.state_space import StateSpace, states
from elman.nn.registry import cell_kind
from elman.tasks.memory.parity_states import parity_states
from elman.tasks.memory.plots import plot_parity
from tests.insight.looks import check
from tests.insight.plain import step_of

T, B, INPUTS, H = 15, 4, 2, 5


def test_the_components_are_those_of_numpy() -> None:
    torch.manual_seed(0)
    space = states(nn.RNN(INPUTS, H), torch.randn(T, B, INPUTS))
    seen = space.h.reshape(-1, H).numpy()
    centred = seen - seen.mean(0)
    _, values, directions = np.linalg.svd(centred, full_matrices=False)
    np.testing.assert_allclose(space.explained, (values**2 / (values**2).sum())[:2], rtol=1e-9)
    for axis, expected in zip(space.axes.numpy(), directions, strict=False):
        sign = np.sign(expected[np.abs(expected).argmax()])
        np.testing.assert_allclose(axis, sign * expected, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(space.points.reshape(-1, 2).numpy(), centred @ space.axes.numpy().T, atol=1e-12)


@pytest.mark.parametrize("kind", [nn.RNN, nn.LSTM, nn.GRU, elman.RNN])
def test_states_are_the_layers_in_the_order_of_the_sequence(kind: Any) -> None:
    torch.manual_seed(0)
    rnn = kind(INPUTS, H, num_layers=2, bidirectional=True).double()
    x = torch.randn(T, B, INPUTS, dtype=torch.float64)
    packed = pack_padded_sequence(x, torch.tensor([T, 9, 4, 1]))
    out, lengths = nn.utils.rnn.pad_packed_sequence(rnn(packed)[0])
    for name, columns in (("l1", slice(0, H)), ("l1.reverse", slice(H, 2 * H))):
        space = states(rnn, packed, f"{type(rnn).__name__}.{name}")
        assert space.lengths.tolist() == lengths.tolist()
        expected = out[..., columns].detach()
        torch.testing.assert_close(space.h[space.real], expected[space.real], rtol=1e-9, atol=1e-12)
        assert space.state.shape[-1] == (2 * H if kind is nn.LSTM else H)


def test_the_whole_state_of_the_lstm_goes_on_as_the_layer_does() -> None:
    torch.manual_seed(0)
    rnn = nn.LSTM(INPUTS, H).double()
    x = torch.randn(T, B, INPUTS, dtype=torch.float64)
    space = states(rnn, x)
    step = step_of(rnn, 0, 0)
    for t in range(1, T):
        expected = torch.cat(step(x[t], space.state[t - 1].chunk(2, -1)), -1).detach()
        torch.testing.assert_close(space.state[t], expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("kind", [nn.RNN, nn.LSTM, nn.GRU, lambda *a: elman.RNN(*a, residual=True)])
def test_fixed_points_stand_still_and_have_autograds_eigenvalues(kind: Any) -> None:
    torch.manual_seed(1)
    rnn: nn.RNNBase = kind(INPUTS, H).double()
    with torch.no_grad():
        for weight in rnn.parameters():
            weight.normal_(std=1.2)
    space = states(rnn, torch.randn(T, B, INPUTS, dtype=torch.float64))
    x = torch.randn(INPUTS, dtype=torch.float64)
    found = fixed_points(space, x)
    assert len(found) >= 1
    assert int(found.starts.sum()) <= T * B
    step = step_of(rnn, 0, 0)

    def moved(s: Tensor) -> Tensor:
        if isinstance(rnn, nn.LSTM):
            return torch.cat(step(x[None], tuple(s[None].chunk(2, -1))), -1)[0]
        return step(x[None], s[None])[0]

    for state, speed, values in zip(found.state, found.speed, found.eigenvalues, strict=True):
        assert float((moved(state) - state).detach().norm()) == pytest.approx(float(speed), abs=1e-14)
        jacobian = torch.autograd.functional.jacobian(moved, state)
        expected = torch.linalg.eigvals(jacobian)
        distance = (values[:, None] - expected).abs().amin(1)
        assert float(distance.max()) < 1e-6 * float(expected.abs().max())
        assert values.abs().tolist() == sorted(values.abs().tolist(), reverse=True)


def _one_unit(weight: float, bias: float = 0.0) -> Cell:
    rnn = nn.RNN(1, 1)
    with torch.no_grad():
        for parameter, value in zip(rnn.parameters(), (0.0, weight, bias, 0.0), strict=True):
            parameter.fill_(value)
    return cells("unit", rnn, cell_kind("rnn"))[0][0]


def test_a_single_unit_has_the_fixed_points_of_its_equation() -> None:
    """h = tanh(2 h) has three solutions, 0 (slope 2, unstable) and ±0.9575 (slope 2 (1 - h²) = 0.166, stable)."""
    found = fixed_points(_one_unit(2.0), starts=torch.linspace(-1, 1, 21)[:, None])
    order = found.state[:, 0].argsort()
    assert found.state[order, 0].tolist() == pytest.approx([-0.9575040240772, 0.0, 0.9575040240772], abs=1e-9)
    assert found.eigenvalues[order, 0].real.tolist() == pytest.approx([0.1663720876, 2.0, 0.1663720876], abs=1e-6)
    assert [found.kinds[k] for k in order.tolist()] == ["stable", "unstable", "stable"]
    assert int(found.starts.sum()) == 21


def test_just_past_the_fold_there_is_a_slow_point_and_no_fixed_one_near_it() -> None:
    """With weight 2 the two left solutions meet at bias 0.5328...; a little more and the map only slows down there."""
    h = -math.sqrt(0.5)
    fold = math.atanh(h) - 2 * h
    found = fixed_points(_one_unit(2.0, fold + 1e-4), starts=torch.linspace(-1, 1, 21)[:, None])
    order = found.state[:, 0].argsort().tolist()
    assert [found.kinds[k] for k in order] == ["slow", "stable"]
    assert float(found.state[order[0], 0]) == pytest.approx(h, abs=0.02)
    assert 0 < float(found.speed[order[0]]) < 1e-4
    strict = fixed_points(_one_unit(2.0, fold + 1e-4), starts=torch.linspace(-1, 1, 21)[:, None], slow=0.0)
    assert strict.kinds == ("stable",)


def _parity_network() -> nn.RNN:
    """Two units, "at least one of state and bit" and "both"; the state is their difference: exclusive or."""
    rnn = nn.RNN(1, 2).double()
    with torch.no_grad():
        rnn.weight_ih_l0.fill_(12.0)
        rnn.weight_hh_l0.copy_(torch.tensor([[6.0, -6.0], [6.0, -6.0]]))
        rnn.bias_ih_l0.copy_(torch.tensor([-6.0, -18.0]))
        rnn.bias_hh_l0.zero_()
    return rnn


def _strings(steps: int = 30, count: int = 20) -> Tensor:
    return torch.randint(2, (steps, count), generator=torch.Generator().manual_seed(0)).double()


def test_parity_is_two_clusters_that_a_one_flips_and_a_zero_keeps(tmp_path: Path) -> None:
    bits = _strings()
    space = states(_parity_network(), bits[..., None])
    found = parity_states(space, bits)
    assert (found.right, found.flips, found.stays) == (1.0, 1.0, 1.0)
    assert found.separation > 1
    assert found.finding.startswith("Two clusters hold the answer: a 1 flips it in 100.0% of cases")
    assert torch.equal(found.odd, bits.cumsum(0) % 2 == 1)
    on_zero, on_one = fixed_points(space, torch.zeros(1)), fixed_points(space, torch.ones(1))
    assert on_zero.kinds.count("stable") == 2
    assert "stable" not in on_one.kinds
    text = check(plot_parity(space, found, on_zero, on_one), tmp_path)
    assert "even so far" in text
    assert "stable fixed point" in text
    assert "2 stable" in check(plot_states(space, on_zero), tmp_path)


def test_the_shares_of_flips_are_counted_within_each_string_only() -> None:
    bits = _strings()
    lengths = torch.tensor([k % 7 + 2 for k in range(bits.shape[1])])
    space = states(_parity_network(), pack_padded_sequence(bits[..., None], lengths, enforce_sorted=False))
    bits = bits[: len(space.h)].clone()
    bits[~space.real] = 7.0  # past the end anything may stand
    found = parity_states(space, bits)
    assert (found.right, found.flips, found.stays) == (1.0, 1.0, 1.0)


def test_a_network_that_cannot_do_parity_is_told_so() -> None:
    torch.manual_seed(0)
    bits = _strings()
    found = parity_states(states(nn.RNN(1, 8).double(), bits[..., None]), bits)
    assert found.right < 0.99
    assert found.finding.startswith("No two clean clusters")


def test_the_picture_without_fixed_points(tmp_path: Path) -> None:
    torch.manual_seed(0)
    space = states(nn.LSTM(INPUTS, H), torch.randn(T, B, INPUTS))
    text = check(plot_states(space), tmp_path)
    assert f"hold {sum(space.explained):.0%} of the variance" in text.replace("\n", " ")
    check(plot_states(space, fixed_points(space, rounds=0, slow=0.0)), tmp_path)


def _space() -> StateSpace:
    return states(nn.RNN(1, 2), torch.zeros(3, 2, 1))


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: states(nn.Linear(2, 2), torch.ones(3, 2)), "no recurrent layer"),
        (lambda: states(nn.RNN(1, 2), torch.ones(1, 1, 1)), "1 state: give at least two steps"),
        (lambda: states(nn.RNN(1, 2), torch.ones(3, 1, 1), "RNN.l3"), "no layer called 'RNN.l3'; there are RNN.l0"),
        (lambda: states(nn.RNN(1, 2), torch.ones(3, 1, 1, device="meta")), "batch is on meta"),
        (lambda: fixed_points(_space(), torch.zeros(3)), r"inputs of 1; got .* x \(3,\)"),
        (lambda: fixed_points(_one_unit(1.0)), "got starts"),
        (lambda: parity_states(_space(), torch.zeros(2, 2)), "they must agree"),
        (lambda: parity_states(_space(), torch.full((3, 2), 2)), "other than 0 and 1"),
        (lambda: parity_states(_space(), torch.zeros(3, 2)), "same parity"),
    ],
)
def test_bad_input_is_one_clear_line(make: Any, words: str) -> None:
    with pytest.raises(UserError, match=words) as error:
        make()
    assert "\n" not in str(error.value)
