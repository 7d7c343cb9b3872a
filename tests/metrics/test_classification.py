"""Answers and what is counted of them, against counts by hand."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from elman.metrics.classification import Answers, answer

TRUTH = torch.tensor([0, 0, 0, 1, 1, 2])
GIVEN = torch.tensor([0, 0, 1, 1, 0, 1])


def answers() -> Answers:
    sureness = torch.tensor([1.0, 2.0, 3.0, 1.0, 4.0, 2.0])
    return Answers(nn.functional.one_hot(GIVEN, 3) * sureness.unsqueeze(1), TRUTH)


def test_counts_by_hand() -> None:
    assert answers().metrics()["accuracy"] == 0.5
    assert answers().confusion().tolist() == [[2, 1, 0], [1, 1, 0], [0, 1, 0]]
    expected = [[2 / 3, 2 / 3, 2 / 3], [1 / 3, 1 / 2, 2 / 5], [0, 0, 0]]
    np.testing.assert_allclose(answers().by_class(), expected, atol=1e-6)


def test_the_surest_mistakes_come_first() -> None:
    assert answers().mistakes(10) == [4, 2, 5]
    assert answers().mistakes(2) == [4, 2]


def test_order_survives_batches_by_length(monkeypatch: pytest.MonkeyPatch) -> None:
    class First(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.ones(1))

        def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
            return torch.stack([x[0], lengths.float()], dim=1) * self.weight

    monkeypatch.setattr("elman.metrics.classification.STEPS_AT_ONCE", 10)
    generator = np.random.default_rng(0)
    sequences = [generator.normal(size=length).astype(np.float32) for length in generator.integers(1, 6, 23)]
    with torch.no_grad():
        got = answer(First(), sequences, np.zeros(23, dtype=np.int64))
    assert got.scores.tolist() == [[pytest.approx(float(s[0])), len(s)] for s in sequences]
