"""The computational graph in single numbers, held against autograd node by node."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from rich.console import Console
from torch import Tensor, nn

import elman
from elman.errors import UserError
from elman.insight.graph.graph import Graph, computational_graph
from elman.insight.graph.tape import Tape

T, INPUTS, H = 3, 2, 2
LAYERS = {
    "tanh": lambda: nn.RNN(INPUTS, H),
    "relu, two layers": lambda: nn.RNN(INPUTS, H, nonlinearity="relu", num_layers=2),
    "lstm": lambda: nn.LSTM(INPUTS, H),
    "gru, no bias": lambda: nn.GRU(INPUTS, H, bias=False),
    "lstm, two layers": lambda: nn.LSTM(INPUTS, H, num_layers=2),
    "residual": lambda: elman.RNN(INPUTS, H, residual=True),
}


@pytest.fixture(params=LAYERS.values(), ids=LAYERS)
def layer(request: pytest.FixtureRequest) -> nn.RNNBase:
    torch.manual_seed(5)
    made: nn.RNNBase = request.param().double()
    return made


def _in_torch(found: Graph) -> list[Tensor]:
    """Build every node anew from its operation alone, with torch, and go backward with autograd."""
    made: list[Tensor] = []
    act: dict[str, Any] = {"tanh": torch.tanh, "relu": torch.relu, "σ": torch.sigmoid}
    for node in found.nodes:
        parents = [made[k] for k in node.parents]
        if node.op == "leaf":
            value = torch.tensor(node.value, dtype=torch.float64, requires_grad=True)
        elif node.op == "×":
            value = parents[0] * parents[1]
        elif node.op == "+":
            value = torch.stack(parents).sum()
        elif node.op == "1-":
            value = 1 - parents[0]
        elif node.op == "½²":
            value = parents[0] ** 2 / 2
        else:
            value = act[node.op](parents[0])
        value.retain_grad()
        made.append(value)
    made[-1].backward()
    return made


def test_every_node_has_the_value_and_gradient_of_autograd(layer: nn.RNNBase) -> None:
    x, target = torch.randn(2, T, INPUTS, dtype=torch.float64)
    found = computational_graph(layer, x, target)
    for node, expected in zip(found.nodes, _in_torch(found), strict=True):
        assert node.value == pytest.approx(expected.item(), rel=1e-12)
        assert expected.grad is not None or node.gradient == 0
        if expected.grad is not None:
            assert node.gradient == pytest.approx(expected.grad.item(), rel=1e-9, abs=1e-15)


def test_the_leaves_have_the_gradients_that_the_layer_itself_gets(layer: nn.RNNBase) -> None:
    readout = nn.Linear(H, 1).double()
    x = torch.randn(T, INPUTS, dtype=torch.float64, requires_grad=True)
    h0 = torch.randn(layer.num_layers, H, dtype=torch.float64, requires_grad=True)
    target = torch.randn(T, 1, dtype=torch.float64)
    found = computational_graph(layer, x.detach(), target, h0=h0.detach(), readout=readout)
    state = (h0, torch.zeros_like(h0)) if isinstance(layer, nn.LSTM) else h0
    cost = (readout(layer(x, state)[0]) - target).square().sum() / 2
    cost.backward()
    assert found.cost.value == pytest.approx(cost.item(), rel=1e-12)
    expected = {"W_hy": readout.weight.grad, "b_y": readout.bias.grad}
    for k in range(layer.num_layers):
        mark = f"^{k}" if layer.num_layers > 1 else ""
        assert h0.grad is not None
        expected[f"h{mark}_0"] = h0.grad[k]
        for ours, torchs in (
            ("W_ih", "weight_ih"),
            ("W_hh", "weight_hh"),
            ("b_ih", "bias_ih"),
            ("b_hh", "bias_hh"),
        ):
            if layer.bias or ours[0] == "W":
                expected[ours + mark] = getattr(layer, f"{torchs}_l{k}").grad
    for t in range(T):
        assert x.grad is not None
        expected[f"x_{t + 1}"] = x.grad[t]
    for name, gradient in expected.items():
        assert gradient is not None
        for place in [[]] if gradient.dim() == 0 else torch.ones_like(gradient).nonzero().tolist():
            node = found[f"{name}[{','.join(map(str, place))}]"]
            assert node.gradient == pytest.approx(gradient[tuple(place)].item(), rel=1e-9, abs=1e-15)


def test_weights_are_one_leaf_that_all_steps_share() -> None:
    found = computational_graph(nn.RNN(INPUTS, H), torch.randn(T, INPUTS), torch.zeros(T, H))
    shared = list(found.of_step(None))
    assert [node.name for node in shared].count("W_hh[0,1]") == 1
    users = [node.step for node in found.nodes if found["W_hh[0,1]"].index in node.parents]
    assert users == [1, 2, 3]


def test_without_a_target_the_cost_is_the_sum_of_the_last_state() -> None:
    layer, x = nn.RNN(INPUTS, H).double(), torch.randn(T, INPUTS, dtype=torch.float64)
    assert computational_graph(layer, x).cost.value == pytest.approx(layer(x)[0][-1].sum().item(), rel=1e-12)


def test_a_number_used_twice_adds_up_what_it_is_handed() -> None:
    """By hand: C = a·b + a with a = 2, b = 3, so dC/da = b + 1 = 4 and dC/db = a = 2."""
    tape = Tape()
    a, b = tape.leaf(2, "a"), tape.leaf(3, "b")
    nodes = tape.backward(tape.plus((tape.times(a, b), a), "C"))
    assert [nodes[k].gradient for k in (a, b)] == [4, 2]
    assert nodes[-1].value == 8


def test_sigmoid_does_not_overflow() -> None:
    tape = Tape()
    for a, expected in ((1000.0, 1.0), (-1000.0, 0.0), (0.3, 1 / (1 + math.exp(-0.3)))):
        assert tape.values[tape.sigmoid(tape.leaf(a, ""))] == pytest.approx(expected)


def test_the_table_multiplies_upstream_and_local() -> None:
    layer = nn.RNN(1, 1, bias=False)
    with torch.no_grad():
        layer.weight_ih_l0.fill_(0.5)
        layer.weight_hh_l0.fill_(0.25)
    found = computational_graph(layer, torch.ones(2, 1))
    console = Console(width=140, record=True)
    console.print(found.table())
    text = console.export_text()
    assert "shared by all steps" in text
    node = found["h_2[0]"]
    assert f"to a_2[0]: 1 × {1 - node.value**2:.4g} = {1 - node.value**2:.4g}" in text


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: (nn.Linear(2, 2), torch.ones(3, 2)), "Linear is none of them"),
        (lambda: (nn.RNN(2, 2), torch.ones(3, 1, 2)), r"one sequence, \(T, 2\)"),
        (lambda: (nn.RNN(2, 2), torch.ones(3, 3)), r"one sequence, \(T, 2\)"),
        (lambda: (nn.RNN(2, 2), torch.ones(3, 2), torch.ones(3, 1)), "target has shape"),
        (lambda: (nn.RNN(2, 2, bidirectional=True), torch.ones(3, 2)), "one direction"),
        (lambda: (elman.RNN(2, 2, layer_norm=True), torch.ones(3, 2)), "without normalisation"),
        (lambda: (nn.RNN(64, 64), torch.ones(30, 64)), "fewer steps or a smaller layer"),
    ],
)
def test_bad_input_is_one_clear_line(make: Any, words: str) -> None:
    with pytest.raises(UserError, match=words) as error:
        computational_graph(*make())
    assert "\n" not in str(error.value)


def test_a_name_that_is_not_there_says_what_is() -> None:
    with pytest.raises(KeyError, match=r"W_ih\[0,0\]"):
        computational_graph(nn.RNN(1, 1), torch.ones(1, 1))["nothing"]
