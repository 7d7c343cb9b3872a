"""The loss of writing, against its definition."""

import pytest
import torch

from elman.models.losses import next_token_loss


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_it_is_the_definition_and_leaves_padding_out(smoothing: float) -> None:
    logits = torch.randn(3, 2, 5, dtype=torch.float64)
    targets = torch.tensor([[1, 2], [4, 0], [3, 0]])
    total, count = next_token_loss(logits, targets, padding=0, smoothing=smoothing)
    expected = 0.0
    for step, text in [(0, 0), (0, 1), (1, 0), (2, 0)]:
        log_p = logits[step, text].log_softmax(0)
        expected -= float((1 - smoothing) * log_p[targets[step, text]] + smoothing * log_p.mean())
    assert count == 4
    assert float(total) == pytest.approx(expected)
