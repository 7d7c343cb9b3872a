"""The loss of writing, against its definition."""

import pytest
import torch

from elman.models.losses import output_loss
from elman.nn import LinearCrossEntropy


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_it_is_the_definition_and_leaves_padding_out(smoothing: float) -> None:
    output, hidden = LinearCrossEntropy(4, 5, dtype=torch.float64), torch.randn(3, 2, 4, dtype=torch.float64)
    logits = output(hidden).detach()
    targets = torch.tensor([[1, 2], [4, 0], [3, 0]])
    total = output_loss(output, hidden, targets, padding=0, smoothing=smoothing)
    expected = 0.0
    for step, text in [(0, 0), (0, 1), (1, 0), (2, 0)]:
        log_p = logits[step, text].log_softmax(0)
        expected -= float((1 - smoothing) * log_p[targets[step, text]] + smoothing * log_p.mean())
    assert total.item() == pytest.approx(expected)
