"""Remedies compared: the same data and budget for each, what each changes, and what comes out."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from rich.console import Console
from tests.insight.looks import check
from torch import Tensor, nn

import elman
from elman.errors import UserError
from elman.insight.gradient_flow import gradient_flow
from elman.insight.plots.remedies import plot_remedies
from elman.insight.remedies.compare import Budget, Comparison, RemedyRun, compare
from elman.insight.remedies.problems import Problem
from elman.insight.remedies.remedy import REMEDIES, Remedy, remedy_names

SMALL = Budget(steps=60, seeds=(0,), hidden_size=8, lr=2e-2, every=20)


def _first(seed: int, step: int, part: str) -> tuple[Tensor, Tensor]:
    """Say again the first of 4 numbers."""
    generator = torch.Generator().manual_seed(seed * 100_000 + step * 2 + (part == "validation"))
    x = torch.rand(4, 16, 1, generator=generator)
    return x, x[0]


def _compare(remedies: list[str], batches: Any = _first, budget: Budget = SMALL, **options: Any) -> Comparison:
    problem = Problem("first of 4", batches, nn.functional.mse_loss, 1, chance=1 / 12, solved=0.01)
    return compare(problem, remedies=remedies, budget=budget, **options)


def test_every_remedy_runs_and_learning_beats_truncation(tmp_path: Path) -> None:
    lines: list[str] = []
    found = _compare([*remedy_names(), "orthogonal+clip"], tell=lines.append)
    assert len(lines) == 9
    assert list(found.runs) == [*remedy_names(), "orthogonal+clip"]
    for runs in found.runs.values():
        for run in runs:
            assert list(run.losses) == [20, 40, 60]
            assert len(run.flow_before) == len(run.flow_after) == 4
            assert float(run.flow_before[0]) == 1.0
    assert found.median_loss("orthogonal") < 0.1 * found.median_loss("truncated")
    console = Console(width=100, record=True)
    console.print(found.table())
    assert "orthogonal+clip" in console.export_text()
    assert found.finding.split(";")[0] in check(plot_remedies(found), tmp_path).replace("\n", " ")


def test_a_new_remedy_is_one_entry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(REMEDIES, "contracting", Remedy("W_hh starts with spectral radius 0.5", options={"init": 0.5}))
    assert "contracting" in remedy_names()
    found = _compare(["contracting", "contracting+clip"])
    torch.manual_seed(0)
    plain = elman.RNN(1, 8, init=0.5)
    x, _ = _first(0, 0, "validation")
    flow = gradient_flow(plain, x, lambda m, b: m(b)[0][-1].sum())
    for runs in found.runs.values():
        assert len(runs[0].flow_before) == len(flow.layers[0].carried)
        assert math.isfinite(runs[0].final)
    assert found.runs["contracting"][0].left[0] < 0.5


def test_all_get_the_same_batches_and_the_same_seed_gives_the_same_run() -> None:
    asked: dict[str, list[tuple[int, int, str]]] = {}
    for remedy in ("none", "gru"):
        seen = asked.setdefault(remedy, [])

        def batches(*key: Any, seen: list[tuple[int, int, str]] = seen) -> tuple[Tensor, Tensor]:
            seen.append(key)
            return _first(*key)

        _compare([remedy], batches)
    assert asked["none"] == asked["gru"]
    two = Budget(steps=20, seeds=(0, 1), hidden_size=4, every=10)
    first, again = _compare(["none"], budget=two), _compare(["none"], budget=two)
    assert [run.losses for run in first.runs["none"]] == [run.losses for run in again.runs["none"]]
    assert first.runs["none"][0].losses != first.runs["none"][1].losses


def test_the_gradient_flow_of_a_run_is_that_of_its_untrained_network() -> None:
    run = _compare(["orthogonal"], budget=Budget(steps=1, seeds=(3,), hidden_size=8)).runs["orthogonal"][0]
    torch.manual_seed(3)
    rnn, head = elman.RNN(1, 8, init="orthogonal"), nn.Linear(8, 1)
    x, target = _first(3, 0, "validation")
    flow = gradient_flow(rnn, x, lambda m, b: nn.functional.mse_loss(head(m(b)[0][-1]), target))
    torch.testing.assert_close(run.flow_before, flow.layers[0].carried / flow.layers[0].carried[0])


def test_a_run_that_diverges_ends_and_is_counted_as_lost(tmp_path: Path) -> None:
    def batches(seed: int, step: int, part: str) -> tuple[Tensor, Tensor]:
        return torch.full((60, 4, 1), 1e30), torch.zeros(4, 1)

    found = _compare(["identity", "none"], batches, Budget(steps=40, seeds=(0,), hidden_size=4, lr=1e3, every=10))
    assert found.runs["identity"][0].final == math.inf
    assert "identity (never finite)" in check(plot_remedies(found), tmp_path)


def test_the_finding_names_who_solves_it() -> None:
    run = RemedyRun({10: 0.5, 20: 0.001}, torch.ones(2), torch.ones(2), 1.0)
    poor = RemedyRun({10: 0.5}, torch.ones(2), torch.ones(2), 1.0)
    it = Problem("it", _first, nn.functional.mse_loss, 1, chance=0.2, solved=0.01)
    found = Comparison(it, 20, {"lstm": (run, run, poor), "none": (poor,)})
    assert (
        found.finding == "lstm solves it, in 20 training steps; the best, lstm, comes to a loss of 0.001 (chance 0.2)"
    )
    nobody = Comparison(it, 20, {"none": (poor,)})
    assert nobody.finding.startswith("No remedy solves it, in 20 training steps")


@pytest.mark.parametrize(
    ("remedies", "words"),
    [
        (["warmth"], "no remedy called 'warmth' .there are none, clip"),
        (["lstm+gru"], "two different layers"),
        (["none+clip"], "two different layers"),
        ([], "at least one remedy"),
        (["gruu"], "did you mean gru"),
    ],
)
def test_remedies_that_make_no_sense_are_refused(remedies: list[str], words: str) -> None:
    with pytest.raises(UserError, match=words):
        _compare(remedies)


def test_an_empty_budget_is_refused() -> None:
    with pytest.raises(UserError, match="at least one of everything"):
        Budget(steps=0)
