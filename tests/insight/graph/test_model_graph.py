"""The graph from x_t to the cross-entropy: each number is that of autograd, to 1e-6 relative in float64."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import elman
from elman.errors import UserError
from elman.insight.graph.graph import computational_graph
from elman.insight.graph.model_graph import model_graph
from elman.insight.unrolled import unroll


class Answering(nn.Module):
    """A layer and its answers: at every step, or at the last alone."""

    def __init__(self, layer: nn.RNNBase, every: bool, head: nn.Module) -> None:
        super().__init__()
        self.rnn, self.head, self.every = layer, head, every

    def forward(self, x: Tensor) -> Tensor:
        h: Tensor = self.rnn(x)[0]
        answers: Tensor = self.head(h if self.every else h[-1])
        return answers


def _answering(every: bool, layer: nn.RNNBase | None = None, head: nn.Module | None = None) -> Answering:
    torch.manual_seed(5)
    return Answering(layer or elman.RNN(2, 3), every, head or nn.Linear(3, 4)).double()


@pytest.mark.parametrize("layer", [None, nn.GRU(2, 3), nn.LSTM(2, 3), elman.RNN(2, 3, 2)])
@pytest.mark.parametrize("target", [[1, 0, 3], [-100, 2, -100], [2]])
def test_values_and_gradients_are_autograds(target: list[int], layer: Any) -> None:
    model, goal = _answering(len(target) > 1, layer), torch.tensor(target)
    x = torch.randn(3, 1, 2, dtype=torch.float64, requires_grad=True)
    cost = F.cross_entropy(model(x).reshape(-1, 4), goal, reduction="sum")
    cost.backward()
    assert x.grad is not None
    graph = model_graph(model, unroll(model, x.detach(), goal), goal)
    assert graph.cost.value == pytest.approx(cost.item(), rel=1e-12)
    for t in range(3):
        for i in range(2):
            assert graph[f"x_{t + 1}[{i}]"].gradient == pytest.approx(x.grad[t, 0, i].item(), rel=1e-6, abs=1e-15)
    assert isinstance(model.head, nn.Linear)
    assert model.head.weight.grad is not None
    for o in range(4):
        for i in range(3):
            expected = model.head.weight.grad[o, i].item()
            assert graph[f"W_hy[{o},{i}]"].gradient == pytest.approx(expected, rel=1e-6, abs=1e-15)


def test_a_step_without_a_target_costs_nothing_and_hands_nothing_back() -> None:
    model, goal = _answering(True), torch.tensor([1, 2, -100])
    x = torch.randn(3, 1, 2, dtype=torch.float64)
    unrolled = unroll(model, x, goal)
    assert float(unrolled.costs[2]) == 0
    assert not bool(unrolled.grad_y[2].any())
    assert not bool(unrolled.layers[0].grad_h[2].any())
    assert unrolled.cost == pytest.approx(unroll(model, x[:2], goal[:2]).cost, rel=1e-12)


def test_a_model_that_answers_with_its_states_has_no_readout() -> None:
    layer, x, goal = elman.RNN(2, 3).double(), torch.randn(3, 1, 2).double(), torch.randn(3, 3).double()
    graph = model_graph(layer, unroll(layer, x, goal), goal)
    expected = (layer(x)[0][:, 0] - goal).square().sum() / 2
    assert graph.cost.value == pytest.approx(expected.item(), rel=1e-12)


def test_a_model_that_does_more_is_refused() -> None:
    model, goal = _answering(True, head=nn.Sequential(nn.Linear(3, 4), nn.Tanh())), torch.tensor([1, 2, 0])
    with pytest.raises(UserError, match="more than one linear layer"):
        model_graph(model, unroll(model, torch.randn(3, 1, 2).double(), goal), goal)


@pytest.mark.parametrize(("target", "words"), [([1, 9], "outside 0 to 2"), ([-100, -100], "no step has a target")])
def test_targets_that_make_no_sense_are_refused(target: list[int], words: str) -> None:
    with pytest.raises(UserError, match=words):
        computational_graph(elman.RNN(1, 3), torch.zeros(2, 1), torch.tensor(target))
