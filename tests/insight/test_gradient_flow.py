"""Gradient flow against autograd through layers written out step by step, in float64."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence

import elman
from elman.errors import UserError
from elman.insight.bptt import norms
from elman.insight.gradient_flow import gradient_flow
from elman.insight.verdict import headline
from tests.insight.plain import unroll

T, B, INPUTS, H = 9, 3, 4, 5
LENGTHS = [7, 9, 2]

MODULES = [
    nn.RNN(INPUTS, H),
    nn.RNN(INPUTS, H, num_layers=2, bidirectional=True, nonlinearity="relu"),
    nn.RNN(INPUTS, H, bias=False, batch_first=True, num_layers=2, dropout=0.5),
    nn.LSTM(INPUTS, H, num_layers=2),
    nn.LSTM(INPUTS, H, bidirectional=True, bias=False),
    nn.GRU(INPUTS, H, num_layers=3),
    nn.GRU(INPUTS, H, bidirectional=True, num_layers=2, batch_first=True),
    elman.RNN(INPUTS, H, num_layers=2, bidirectional=True, dropout=0.4, recurrent_dropout=0.4),
    elman.RNN(INPUTS, H, residual=True, nonlinearity="relu", batch_first=True, num_layers=2),
    elman.RNN(INPUTS, H, residual=True, layer_norm=True, num_layers=2),
    elman.RNN(INPUTS, H, layer_norm=True, bidirectional=True, bias=False),
]


def _name(module: nn.RNNBase) -> str:
    kind = module.mode + "-elman" * isinstance(module, elman.RNN) + "-norm" * getattr(module, "layer_norm", False)
    return f"{kind}-{module.num_layers}layers-{1 + module.bidirectional}ways"


@pytest.fixture(params=MODULES, ids=_name)
def module(request: pytest.FixtureRequest) -> nn.RNNBase:
    torch.manual_seed(1)
    module: nn.RNNBase = request.param.double()
    for weight in module.parameters():
        nn.init.normal_(weight, std=0.6)
    return module


def _states(module: nn.RNNBase) -> Any:
    shape = (module.num_layers * (1 + module.bidirectional), B, H)
    h = torch.randn(shape, dtype=torch.float64)
    return (h, torch.randn(shape, dtype=torch.float64)) if module.mode == "LSTM" else h


def _expected(columns: list[list[Tensor]], lengths: list[int], reverse: bool, end: list[int]) -> Tensor:
    """Average ‖dC/dh_t‖ by distance from each sequence's last step with a loss, in its order of reading."""
    rows: dict[int, list[float]] = {}
    for column, last in zip(columns, end, strict=True):
        order = column[::-1] if reverse else column
        for t in range(last + 1):
            grad = order[t].grad
            rows.setdefault(last - t, []).append(0.0 if grad is None else float(grad.norm()))
    return torch.tensor([np.mean(rows[d]) for d in sorted(rows)], dtype=torch.float64)


@pytest.mark.parametrize("packed", [False, True], ids=["whole", "packed"])
def test_the_norms_of_the_gradient_are_autograds(module: nn.RNNBase, packed: bool) -> None:
    torch.manual_seed(2)
    x, state = torch.randn(T, B, INPUTS, dtype=torch.float64), _states(module)
    lengths = LENGTHS if packed else [T] * B
    directions = 1 + module.bidirectional
    weight = torch.randn(T, B, directions * H, dtype=torch.float64)
    real = (torch.arange(T)[:, None] < torch.tensor(lengths))[..., None]
    last_weight = torch.randn(module.num_layers * directions, B, H, dtype=torch.float64)

    def loss(model: nn.Module, batch: Tensor) -> Tensor:
        given: Any = batch.transpose(0, 1) if module.batch_first else batch
        if packed:
            given = pack_padded_sequence(given, torch.tensor(lengths), module.batch_first, enforce_sorted=False)
        out, last = model(given, state)
        if packed:
            out = nn.utils.rnn.pad_packed_sequence(out)[0]
        elif module.batch_first:
            out = out.transpose(0, 1)
        h_n = last[0] if isinstance(last, tuple) else last
        return (out * weight * real).sum() + (h_n.sin() * last_weight).sum()

    flow = gradient_flow(module, x, loss)
    plain = unroll(module, x, state, lengths)
    ((plain.output * weight * real).sum() + (plain.h_n.sin() * last_weight).sum()).backward()

    assert len(flow.layers) == module.num_layers * directions
    ends = [length - 1 for length in lengths]
    for number, layer in enumerate(flow.layers):
        row, d = divmod(number, directions)
        assert layer.name == f"{type(module).__name__}.l{row}{'.reverse' if d else ''}"
        torch.testing.assert_close(
            layer.gradient, _expected(plain.h[row][d], lengths, bool(d), ends), rtol=1e-6, atol=0
        )
        if module.mode == "LSTM":
            assert layer.cell_gradient is not None
            expected = _expected(plain.c[row][d], lengths, bool(d), ends)
            torch.testing.assert_close(layer.cell_gradient, expected, rtol=1e-6, atol=1e-300)


def test_elmans_own_ways_in_and_out_are_followed() -> None:
    """Lengths without packing, a learned first state, and the states of every layer."""
    torch.manual_seed(0)
    module = elman.RNN(INPUTS, H, num_layers=3, learned_h0=True, bidirectional=True).double()
    nn.init.normal_(module.initial_state)
    x = torch.randn(T, B, INPUTS, dtype=torch.float64)
    real = (torch.arange(T)[:, None] < torch.tensor(LENGTHS))[..., None]

    def loss(model: nn.Module, batch: Tensor) -> Tensor:
        _, _, (first, second, third) = model(batch, lengths=torch.tensor(LENGTHS), return_all=True)
        return ((first.sin() + second.square() + third.exp()) * real).sum()  # type: ignore[no-any-return]

    for frozen in (False, True):
        module.requires_grad_(not frozen)
        flow = gradient_flow(module, x, loss)
        module.requires_grad_(True)
        plain = unroll(module, x, module.initial_state.expand(-1, B, -1), LENGTHS)
        first, second = plain.inputs[1:]
        ((first.sin() + second.square() + plain.output.exp()) * real).sum().backward()
        for number, layer in enumerate(flow.layers):
            row, d = divmod(number, 2)
            expected = _expected(plain.h[row][d], LENGTHS, bool(d), [n - 1 for n in LENGTHS])
            torch.testing.assert_close(layer.gradient, expected, rtol=1e-6, atol=0)


@pytest.mark.parametrize("mode", ["RNN", "LSTM", "GRU"])
def test_the_carried_gradient_leaves_out_the_losses_of_earlier_steps(mode: str) -> None:
    torch.manual_seed(0)
    module = getattr(nn, mode)(INPUTS, H).double()
    x, weight = torch.randn(T, B, INPUTS, dtype=torch.float64), torch.randn(T, B, H, dtype=torch.float64)
    every = gradient_flow(module, x, lambda m, b: (m(b)[0] * weight).sum()).layers[0]
    last = gradient_flow(module, x, lambda m, b: (m(b)[0] * weight)[-1].sum()).layers[0]
    torch.testing.assert_close(every.carried, last.carried, rtol=1e-12, atol=0)
    assert not torch.allclose(every.gradient, last.gradient)
    whole = last.gradient if last.cell_gradient is None else (last.gradient**2 + last.cell_gradient**2).sqrt()
    if B == 1 or mode != "LSTM":
        torch.testing.assert_close(last.carried, whole, rtol=1e-12, atol=0)


def test_the_distance_counts_from_the_last_step_with_a_loss() -> None:
    module = nn.RNN(INPUTS, H).double()
    x = torch.randn(T, B, INPUTS, dtype=torch.float64)
    flow = gradient_flow(module, x, lambda m, b: m(b)[0][3].sum()).layers[0]
    assert flow.gradient.shape == (4,)
    assert float(flow.gradient[0]) == pytest.approx(math.sqrt(H))


def test_two_modules_in_a_row_share_one_gradient() -> None:
    torch.manual_seed(0)
    encoder, decoder = nn.GRU(INPUTS, H).double(), nn.RNN(INPUTS, H).double()
    x, y = torch.randn(2, T, B, INPUTS, dtype=torch.float64)

    class Translator(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.encoder, self.decoder = encoder, decoder

        def forward(self, x: Tensor, y: Tensor) -> Tensor:
            return self.decoder(y, self.encoder(x)[1])[0].pow(2).sum()  # type: ignore[no-any-return]

    for frozen in (False, True):
        for weight in (*encoder.parameters(), *decoder.parameters()):
            weight.requires_grad_(not frozen)
        flow = gradient_flow(Translator(), (x, y))
        assert [layer.name for layer in flow.layers] == ["encoder.l0", "decoder.l0"]
        for weight in (*encoder.parameters(), *decoder.parameters()):
            weight.requires_grad_(True)
        first = unroll(encoder, x, torch.zeros(1, B, H, dtype=torch.float64), [T] * B)
        second = unroll(decoder, y, first.h_n, [T] * B)
        second.output.pow(2).sum().backward()
        for layer, plain in zip(flow.layers, (first, second), strict=True):
            expected = _expected(plain.h[0][0], [T] * B, False, [T - 1] * B)
            torch.testing.assert_close(layer.gradient, expected, rtol=1e-6, atol=0)


def test_the_shares_of_saturated_units_are_counted() -> None:
    module = nn.RNN(1, 2, bias=False).double()
    with torch.no_grad():
        module.weight_ih_l0.copy_(torch.tensor([[10.0], [0.1]]))
        module.weight_hh_l0.zero_()
    assert gradient_flow(module, torch.ones(4, 3, 1, dtype=torch.float64)).layers[0].saturated == {"h": 0.5}
    relu = nn.RNN(1, 2, bias=False, nonlinearity="relu").double()
    with torch.no_grad():
        relu.weight_ih_l0.copy_(torch.tensor([[-1.0], [1.0]]))
        relu.weight_hh_l0.zero_()
    assert gradient_flow(relu, torch.ones(4, 3, 1, dtype=torch.float64)).layers[0].saturated == {"h": 0.5}
    gru = nn.GRU(1, 2).double()
    with torch.no_grad():
        gru.bias_ih_l0.copy_(torch.tensor([9.0, 0.0, -9.0, -9.0, 0.0, 0.0]))
        for weight in (gru.weight_ih_l0, gru.weight_hh_l0, gru.bias_hh_l0):
            weight.zero_()
    found = gradient_flow(gru, torch.ones(4, 3, 1, dtype=torch.float64)).layers[0].saturated
    assert found == {"reset": 0.5, "update": 1.0, "new": 0.0}


def test_the_recurrent_weights_are_measured_gate_by_gate() -> None:
    module = nn.LSTM(INPUTS, H).double()
    weights = gradient_flow(module, torch.randn(T, B, INPUTS, dtype=torch.float64)).layers[0].weights
    parts = np.split(module.weight_hh_l0.detach().numpy(), 4)
    assert [w.gate for w in weights] == ["input", "forget", "cell", "output"]
    assert [w.bound for w in weights] == [4, 4, 1, 4]
    for weight, part in zip(weights, parts, strict=True):
        assert weight.largest == pytest.approx(np.linalg.svd(part)[1][0], rel=1e-10)
        assert weight.radius == pytest.approx(np.abs(np.linalg.eigvals(part)).max(), rel=1e-10)
        assert not weight.vanishing_is_certain  # the theorem does not speak of gates


def _scaled_identity(scale: float, steps: int = 60, nonlinearity: str = "relu") -> Any:
    module = nn.RNN(2, 2, bias=False, nonlinearity=nonlinearity).double()
    with torch.no_grad():
        module.weight_hh_l0.copy_(scale * torch.eye(2))
        module.weight_ih_l0.copy_(torch.eye(2))
    return gradient_flow(module, torch.ones(steps, 1, 2, dtype=torch.float64))


@pytest.mark.parametrize(
    ("scale", "state", "words"),
    [
        (
            0.5,
            "vanishing",
            ("vanish", "1.7e-18", "59 steps", "0.5 a step", "vanishing is certain", "orthogonal"),
        ),
        (1.0, "steady", ("flow", "1 over 59 steps")),
        (2.0, "exploding", ("explode", "5.8e+17", "59 steps", "exploding is possible", "clip")),
    ],
)
def test_the_verdict_says_what_happens_with_numbers_and_what_to_try(
    scale: float, state: str, words: tuple[str, ...]
) -> None:
    flow = _scaled_identity(scale)
    layer = flow.layers[0]
    assert layer.state == state
    torch.testing.assert_close(layer.carried / layer.carried[0], scale ** torch.arange(60).double())
    assert layer.factor == pytest.approx(scale)
    for word in words:
        assert word in flow.verdict
    assert "\n" not in flow.verdict


def test_norms_whose_squares_a_float_cannot_hold() -> None:
    x = torch.tensor([[3.0, 4.0], [3e-25, 4e-25], [3e25, 4e25], [0.0, 0.0], [math.inf, 1.0], [1e-44, 0.0]])
    expected = torch.linalg.vector_norm(x.double(), dim=-1)
    torch.testing.assert_close(norms(x), expected, rtol=1e-6, atol=0)


@pytest.mark.parametrize("spread", [0.0, 0.1, 1.0], ids=["orthogonal", "nearly", "random"])
def test_a_large_weights_largest_singular_value_comes_by_iteration_without_the_radius(spread: float) -> None:
    torch.manual_seed(0)
    module = elman.RNN(2, 100, init="orthogonal")
    with torch.no_grad():
        module.weight_hh_l0 += spread * torch.randn(100, 100) / 10
    batch = torch.randn(3, 2, 2)
    quick, exact = (gradient_flow(module, batch, jacobians=full).layers[0].weights[0] for full in (False, True))
    assert quick.largest == pytest.approx(exact.largest, rel=1e-5)


def test_reach_is_where_less_than_one_percent_is_left() -> None:
    assert _scaled_identity(0.5).layers[0].reach == 7
    assert _scaled_identity(1.0).layers[0].reach is None


def test_a_cut_gradient_is_named() -> None:
    module = nn.RNN(INPUTS, H).double()
    other = nn.Parameter(torch.ones((), dtype=torch.float64))

    def loss(model: nn.Module, batch: Tensor) -> Tensor:
        return model(batch)[0].detach().sum() * other

    flow = gradient_flow(module, torch.randn(T, B, INPUTS, dtype=torch.float64), loss)
    assert flow.worst.state == "no gradient"
    assert "No gradient reaches RNN.l0" in flow.verdict


def test_an_exploding_state_is_not_finite() -> None:
    flow = _scaled_identity(1e10)
    assert flow.worst.state == "not finite"
    assert "The cost is nan" in flow.verdict


def test_looking_leaves_the_model_and_the_random_state_as_they_were() -> None:
    module = nn.LSTM(INPUTS, H, num_layers=2, dropout=0.3)
    model = nn.ModuleDict({"drop": nn.Dropout(0.5).eval(), "rnn": module})
    state, random = {k: v.clone() for k, v in model.state_dict().items()}, torch.get_rng_state()
    gradient_flow(model, torch.randn(T, B, INPUTS, generator=torch.Generator()), lambda m, b: m["rnn"](b)[0].sum())
    assert torch.equal(torch.get_rng_state(), random)
    assert module.dropout == 0.3
    assert module.training
    assert not model["drop"].training
    assert all(weight.grad is None for weight in model.parameters())
    assert all(torch.equal(v, state[k]) for k, v in model.state_dict().items())
    assert not module._forward_hooks
    assert not module._forward_pre_hooks


def test_one_sequence_without_a_batch_dimension() -> None:
    module = nn.GRU(INPUTS, H).double()
    x = torch.randn(T, 1, INPUTS, dtype=torch.float64)
    with_batch, without = gradient_flow(module, x), gradient_flow(module, x[:, 0])
    torch.testing.assert_close(with_batch.layers[0].gradient, without.layers[0].gradient)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: (nn.Linear(3, 2), torch.randn(4, 3), None), "no recurrent layer"),
        (lambda: (nn.RNN(3, 2), torch.randn(1, 4, 3), None), "T=1"),
        (lambda: (nn.RNN(3, 2), torch.randn(5, 0, 3), None), "B=0"),
        (
            lambda: (nn.RNN(3, 2), torch.randn(5, 4, 3, device="meta"), None),
            "batch is on meta, the model on cpu",
        ),
        (lambda: (nn.RNN(3, 2).to("meta"), torch.randn(5, 4, 3), None), "on the meta device"),
        (lambda: (nn.LSTM(3, 2, proj_size=1), torch.randn(5, 4, 3), None), "proj_size"),
        (lambda: (nn.RNN(3, 2), torch.randn(5, 4, 3), lambda m, b: m(b)[0]), "no single number"),
        (
            lambda: (nn.RNN(3, 2), torch.randn(5, 4, 3), lambda m, b: m(b)[0].sum().detach()),
            "outside no_grad",
        ),
        (lambda: (nn.RNN(3, 2), torch.ones((), requires_grad=True), lambda m, b: b * 1), "never calls"),
    ],
)
def test_bad_input_is_one_clear_line(make: Any, words: str) -> None:
    with pytest.raises(UserError, match=words) as error:
        gradient_flow(*make())
    assert "\n" not in str(error.value)


def test_weights_that_are_not_finite_are_named() -> None:
    module = nn.RNN(3, 2)
    with torch.no_grad():
        module.weight_hh_l0[0, 1] = math.nan
    with pytest.raises(UserError, match=r"RNN.weight_hh_l0 has 1 of 4 values that are not finite"):
        gradient_flow(module, torch.randn(5, 4, 3))


def test_the_numbers_of_the_verdict_can_be_checked_one_against_another() -> None:
    """The first steps shrink the gradient faster than the others: the mean of all does not give where 1 % is left."""
    carried = torch.tensor([1.0, *(0.3**k for k in range(1, 6)), *(0.3**5 * 0.5**k for k in range(1, 36))]).double()
    layer = replace(_scaled_identity(0.5).layers[0], carried=carried)
    said = headline(layer)
    numbers = r"times (\S+) over (\d+) steps \((\S+) a step on average\), under 1 % after (\d+): times (\S+) \((\S+) a"
    found = re.search(numbers, said)
    assert found, said
    ratio, far, factor, reach, left, near = map(float, found.groups())
    assert (far, reach) == (40, 4)
    assert factor**far == pytest.approx(ratio, rel=0.05)
    assert near**reach == pytest.approx(left, rel=0.05)
    assert left < 0.01 < factor**reach
