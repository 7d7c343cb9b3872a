"""Choosing tokens: what may be chosen, and how often."""

from dataclasses import replace

import pytest
import torch

from elman.errors import UserError
from elman.kernels.decoder import SamplingParams, choose

LOGITS = torch.tensor([0.5, 0.25, 0.15, 0.1]).log()


def shares(params: SamplingParams, count: int = 20_000) -> torch.Tensor:
    chosen = choose(LOGITS.expand(count, -1), replace(params, seed=3), 0)
    return torch.bincount(chosen, minlength=4) / count


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        (SamplingParams(), [0.5, 0.25, 0.15, 0.1]),
        (SamplingParams(temperature=0), [1, 0, 0, 0]),
        (SamplingParams(temperature=0.5), [0.7246, 0.1812, 0.0652, 0.0290]),
        (SamplingParams(top_k=2), [2 / 3, 1 / 3, 0, 0]),
        (SamplingParams(top_k=9), [0.5, 0.25, 0.15, 0.1]),
        (SamplingParams(top_p=0.5), [1, 0, 0, 0]),
        (SamplingParams(top_p=0.6), [2 / 3, 1 / 3, 0, 0]),
        (SamplingParams(top_p=0.89), [0.5 / 0.9, 0.25 / 0.9, 0.15 / 0.9, 0]),
        (SamplingParams(top_k=3, top_p=0.6), [2 / 3, 1 / 3, 0, 0]),
    ],
)
def test_shares(params: SamplingParams, expected: list[float]) -> None:
    torch.testing.assert_close(shares(params), torch.tensor(expected, dtype=torch.float32), atol=0.012, rtol=0)


def test_the_same_seed_chooses_the_same() -> None:
    assert torch.equal(shares(SamplingParams(top_p=0.9)), shares(SamplingParams(top_p=0.9)))


@pytest.mark.parametrize("wrong", [{"temperature": -0.1}, {"temperature": float("nan")}, {"top_k": -1}, {"top_p": 0.0}])
def test_refuses(wrong: dict[str, float]) -> None:
    with pytest.raises(UserError, match=r"`(temperature|top_k|top_p)` is "):
        SamplingParams(**wrong)  # type: ignore[arg-type]
