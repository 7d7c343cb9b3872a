"""`LinearCrossEntropy`: a linear layer without targets, its loss with them."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from elman.nn import LinearCrossEntropy
from tests.numerics import assert_close


def test_it_begins_and_loads_as_a_linear_layer() -> None:
    torch.manual_seed(3)
    plain = nn.Linear(4, 6)
    torch.manual_seed(3)
    layer = LinearCrossEntropy(4, 6)
    assert_close(layer.state_dict(), plain.state_dict())
    layer.load_state_dict(nn.Linear(4, 6).state_dict())
    hidden = torch.randn(2, 3, 4)
    assert_close(layer(hidden), F.linear(hidden, layer.weight, layer.bias))


@pytest.mark.parametrize("bias", [True, False])
def test_with_targets_it_is_the_loss_by_its_settings(bias: bool) -> None:
    hidden, targets = torch.randn(2, 3, 4), torch.tensor([[0, 5, 2], [2, 1, 3]])
    layer = LinearCrossEntropy(4, 6, bias, ignore_index=2, label_smoothing=0.1, reduction="sum")
    loss = layer(hidden, targets)
    logits = layer(hidden).flatten(0, 1)
    want = F.cross_entropy(logits, targets.flatten(), ignore_index=2, label_smoothing=0.1, reduction="sum")
    assert_close(loss, want)
    gradients = [torch.autograd.grad(of, list(layer.parameters())) for of in (loss, want)]
    assert_close(*gradients)
    assert "reduction='sum', label_smoothing=0.1" in repr(layer)


def test_a_setting_out_of_range_is_refused_when_it_is_made() -> None:
    with pytest.raises(ValueError, match="label_smoothing is -1"):
        LinearCrossEntropy(4, 6, label_smoothing=-1)
