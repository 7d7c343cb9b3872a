"""The unrolled network against autograd, in float64."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from rich.console import Console
from torch import Tensor, nn

import elman
from elman.errors import UserError
from elman.insight.unrolled import unroll
from tests.insight.plain import unroll as plainly

T, V, E, H = 6, 5, 3, 4


class Speller(nn.Module):
    """Characters in, scores for the next character out."""

    def __init__(self, rnn: nn.RNNBase) -> None:
        super().__init__()
        self.embedding = nn.Embedding(V, E)
        self.rnn = rnn
        self.head = nn.Linear(rnn.hidden_size * (1 + rnn.bidirectional), V)

    def forward(self, tokens: Tensor) -> Tensor:
        return self.head(self.rnn(self.embedding(tokens))[0])  # type: ignore[no-any-return]


RNNS = {
    "tanh": lambda: nn.RNN(E, H),
    "elman, two layers, both directions": lambda: elman.RNN(E, H, num_layers=2, bidirectional=True),
    "lstm, both directions": lambda: nn.LSTM(E, H, bidirectional=True, bias=False),
    "gru, two layers": lambda: nn.GRU(E, H, num_layers=2, batch_first=True),
    "normalised": lambda: elman.RNN(E, H, layer_norm=True),
}


@pytest.fixture(params=RNNS.values(), ids=RNNS)
def model(request: pytest.FixtureRequest) -> Speller:
    torch.manual_seed(4)
    return Speller(request.param()).double()


def test_every_value_and_gradient_is_autograds(model: Speller) -> None:
    tokens, target = torch.randint(V, (2, T))
    given = tokens[None] if model.rnn.batch_first else tokens[:, None]
    found = unroll(model, given, target)

    states = torch.zeros(model.rnn.num_layers * (1 + model.rnn.bidirectional), 1, H, dtype=torch.float64)
    states.requires_grad_()
    x = model.embedding(tokens)[:, None]
    x.retain_grad()
    lstm = isinstance(model.rnn, nn.LSTM)
    plain = plainly(model.rnn, x, (states, torch.zeros_like(states)) if lstm else states, [T])
    y = model.head(plain.output[:, 0])
    y.retain_grad()
    costs = nn.functional.cross_entropy(y, target, reduction="none")
    costs.sum().backward()

    close: Any = lambda a, b: torch.testing.assert_close(a, b, rtol=1e-6, atol=1e-14)  # noqa: E731
    close(found.x, x.detach()[:, 0])
    close(found.grad_x, x.grad[:, 0])  # type: ignore[index]
    close(found.y, y.detach())
    close(found.grad_y, y.grad)
    close(found.costs, costs.detach())
    assert found.cost == pytest.approx(costs.sum().item())
    for n, layer in enumerate(found.layers):
        row, d = divmod(n, 1 + model.rnn.bidirectional)
        assert layer.reverse == bool(d)
        close(layer.h, torch.cat(plain.h[row][d][0]).detach())
        close(layer.grad_h, torch.cat([h.grad for h in plain.h[row][d][0]]))  # type: ignore[misc]
        close(layer.grad_h0, states.grad[n, 0])  # type: ignore[index]
        if lstm:
            close(layer.c, torch.cat(plain.c[row][d][0]).detach())
            close(layer.grad_c, torch.cat([c.grad for c in plain.c[row][d][0]]))  # type: ignore[misc]


def test_the_steps_contributions_to_a_shared_weight_sum_to_its_gradient(model: Speller) -> None:
    tokens, target = torch.randint(V, (2, T))
    given = tokens[None] if model.rnn.batch_first else tokens[:, None]
    found = unroll(model, given, target)
    nn.functional.cross_entropy(model(given).reshape(T, V), target, reduction="sum").backward()
    parameters = dict(model.named_parameters())
    names = {w.name for w in found.weights}
    unshared = ("layer_norm", "bias") if isinstance(model.rnn, elman.RNN) and model.rnn.layer_norm else ("layer_norm",)
    assert names == {f"rnn.{n}" for n, _ in model.rnn.named_parameters() if not n.startswith(unshared)}
    for weight in found.weights:
        expected = parameters[weight.name].grad
        assert expected is not None
        torch.testing.assert_close(weight.gradient, expected, rtol=1e-6, atol=1e-14)
        steps = torch.stack([weight.of_step(t) for t in range(T)])
        torch.testing.assert_close(steps.sum(0), expected, rtol=1e-6, atol=1e-14)
        torch.testing.assert_close(weight.by_step, steps.flatten(1).norm(dim=1), rtol=1e-9, atol=0)


def test_a_bare_layer_answers_with_its_states_and_costs_the_squared_distance() -> None:
    rnn = nn.RNN(E, H).double()
    x, target = torch.randn(T, E, dtype=torch.float64), torch.randn(T, H, dtype=torch.float64)
    found = unroll(rnn, x, target)
    assert found.cost == pytest.approx(((rnn(x)[0] - target).square().sum() / 2).item())
    assert [w.name for w in found.weights] == ["weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"]
    torch.testing.assert_close(found.grad_y, found.y - target)


def test_a_model_that_answers_once_costs_at_the_end_only() -> None:
    class BestTracker(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.rnn, self.head = nn.GRU(E, H, batch_first=True), nn.Linear(H, 2)

        def forward(self, x: Tensor) -> Tensor:
            return self.head(self.rnn(x)[1][-1])  # type: ignore[no-any-return]

    found = unroll(BestTracker(), torch.randn(1, T, E), torch.tensor([1]), tokens="abcdef")
    assert found.y.shape == (1, 2)
    assert [found.output_row(t) for t in range(T)] == [None] * (T - 1) + [0]
    assert float(found.layers[0].grad_h.norm(dim=1).min()) > 0


def test_one_step_is_enough() -> None:
    found = unroll(nn.RNN(E, H), torch.randn(1, E))
    assert found.steps == 1
    torch.testing.assert_close(found.layers[0].grad_h, torch.ones(1, H))


def test_the_table_has_a_row_for_each_step(model: Speller) -> None:
    tokens = torch.randint(V, (T,))
    given = tokens[None] if model.rnn.batch_first else tokens[:, None]
    found = unroll(model, given, tokens, tokens="ab\nd[b]"[:T])
    console = Console(width=200, record=True)
    console.print(found.table())
    text = console.export_text()
    assert f"{T} copies of one network" in text
    assert "\\n" in text
    assert "weight_hh_l0" in text


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: (nn.Linear(2, 2), torch.ones(3, 2)), "no recurrent layer"),
        (lambda: (nn.RNN(2, 2), torch.ones(3, 4, 2)), "not B=4 of T=3"),
        (lambda: (nn.RNN(2, 2), torch.ones(3, 2), torch.ones(2, 2)), "2 targets for 3 outputs"),
        (lambda: (nn.Sequential(nn.Identity(), _Twice()), torch.ones(3, 2)), r"2 times \(1.rnn, 1.rnn\)"),
        (lambda: (_Cost(), torch.ones(3, 2)), "not the cost"),
    ],
)
def test_bad_input_is_one_clear_line(make: Any, words: str) -> None:
    with pytest.raises(UserError, match=words) as error:
        unroll(*make())
    assert "\n" not in str(error.value)


class _Twice(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.rnn = nn.RNN(2, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.rnn(self.rnn(x)[0])[0]  # type: ignore[no-any-return]


class _Cost(_Twice):
    def forward(self, x: Tensor) -> Tensor:
        return self.rnn(x)[0].sum()  # type: ignore[no-any-return]


def test_tokens_and_losses_that_do_not_fit_are_refused() -> None:
    rnn = nn.RNN(2, 2)
    with pytest.raises(UserError, match="2 tokens for T=3 steps"):
        unroll(rnn, torch.ones(3, 2), tokens="ab")
    with pytest.raises(UserError, match="needs a target"):
        unroll(rnn, torch.ones(3, 2), loss=nn.functional.mse_loss)
