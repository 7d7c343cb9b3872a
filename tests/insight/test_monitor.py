"""MonitorHook a training run: the figures, the one warning, and that nothing else changes."""

from __future__ import annotations

import warnings
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import elman
from elman.errors import UserError
from elman.insight.gradient_flow import gradient_flow
from elman.insight.monitor import GradientMonitor


class Model(nn.Module):
    def __init__(self, hidden: int = 8, **options: Any) -> None:
        super().__init__()
        self.drop = nn.Dropout(0.3)
        self.rnn = elman.RNN(4, hidden, dropout=0.1, num_layers=2, **options)
        self.head = nn.Linear(hidden, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.rnn(self.drop(x))[0][-1])  # type: ignore[no-any-return]


def _loss(model: nn.Module, batch: Tensor) -> Tensor:
    return model(batch).square().mean() + 0 * torch.rand(())  # type: ignore[no-any-return]


def _train(
    watch: GradientMonitor | None, steps: int = 12, hidden: int = 8, length: int = 20
) -> tuple[Tensor, list[dict[str, float]]]:
    torch.manual_seed(0)
    model = Model(hidden)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    found = []
    for step in range(steps):
        batch = torch.randn(length, 8, 4)
        optimizer.zero_grad()
        _loss(model, batch).backward()
        optimizer.step()
        if watch is not None:
            found.append(watch(step, model, batch, _loss))
    return torch.cat([p.detach().flatten() for p in model.parameters()]), found


def test_a_watched_run_has_the_same_weights_to_the_bit() -> None:
    plain, _ = _train(None)
    watched, _ = _train(GradientMonitor(every=3, warn=lambda line: None))
    assert torch.equal(plain, watched)


def test_figures_come_every_n_steps_and_are_those_of_the_flow() -> None:
    _, found = _train(GradientMonitor(every=5, warn=lambda line: None))
    assert [bool(f) for f in found] == [False] * 4 + [True] + [False] * 4 + [True] + [False] * 2
    torch.manual_seed(1)
    model, batch = Model(), torch.randn(20, 8, 4)
    metrics = GradientMonitor(every=1, warn=lambda line: None)(0, model, batch, _loss)
    layer = gradient_flow(model, batch, _loss).layers[1]
    assert metrics["flow/rnn.l1/near"] == pytest.approx(float(layer.gradient[0]))
    assert metrics["flow/rnn.l1/far"] == pytest.approx(float(layer.gradient[-1]))
    assert metrics["flow/rnn.l1/left"] == pytest.approx(layer.ratio)
    assert metrics["flow/rnn.l1/a_step"] == pytest.approx(layer.factor)
    assert metrics["flow/rnn.l1/saturated"] == layer.saturated["h"]
    assert metrics["flow/rnn.l1/w_hh"] == pytest.approx(layer.weights[0].largest)
    assert len(metrics) == 12


@pytest.mark.parametrize(("scale", "word", "remedy"), [(0.01, "vanish", "try A"), (40.0, "explode", "clip")])
def test_the_warning_comes_once_and_names_the_remedy(scale: float, word: str, remedy: str) -> None:
    torch.manual_seed(0)
    model = Model(nonlinearity="relu")
    with torch.no_grad():
        for weight in (model.rnn.weight_hh_l0, model.rnn.weight_hh_l1):
            weight.copy_(torch.eye(8) * scale)
    lines: list[str] = []
    watch = GradientMonitor(every=1, warn=lines.append, remedies={"vanishing": "try A"})
    for step in range(2):
        watch(step, model, torch.rand(8, 3, 4), _loss)
    assert len(lines) == 1
    assert "step 1:" in lines[0]
    assert word in lines[0]
    assert remedy in lines[0]
    assert "\n" not in lines[0]


def test_a_healthy_network_brings_no_warning() -> None:
    model = Model(init="orthogonal")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        GradientMonitor(every=1)(0, model, 0.1 * torch.randn(10, 3, 4), _loss)


def test_looking_too_often_is_said_once_with_a_better_interval() -> None:
    lines: list[str] = []
    _train(GradientMonitor(every=1, warn=lines.append))
    assert sum("following the gradient takes" in line for line in lines) == 1


def test_an_interval_of_no_steps_is_refused() -> None:
    with pytest.raises(UserError, match="`watch` is 0"):
        GradientMonitor(every=0)
