"""Clipping against torch's own."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from elman.tasks.language.settings import Settings
from elman.training.optim import clip


@pytest.mark.parametrize("limit", [1e-3, 2.0, 2.0000001, 2.000002, 100.0])
def test_it_is_torchs_to_the_bit_whether_it_clips_or_not(limit: float) -> None:
    ours, theirs = ([nn.Parameter(torch.zeros(2, 2)), nn.Parameter(torch.zeros(3))] for _ in range(2))
    for parameters in (ours, theirs):
        parameters[0].grad = torch.tensor([[1.0, -1.0], [1.0, 0.5]])
        parameters[1].grad = torch.tensor([0.5, 0.5, 0.5])
    before = clip(list(ours), Settings(clip_norm=limit))
    assert torch.equal(before, nn.utils.clip_grad_norm_(theirs, limit))
    assert before.item() == 2
    for one, other in zip(ours, theirs, strict=True):
        assert one.grad is not None
        assert other.grad is not None
        assert torch.equal(one.grad, other.grad)


def test_a_gradient_that_is_no_number_is_not_left_as_it_is() -> None:
    parameter = nn.Parameter(torch.zeros(2))
    parameter.grad = torch.tensor([1.0, math.nan])
    assert clip([parameter], Settings(clip_norm=1.0)).isnan()
    assert parameter.grad.isnan().all()  # as torch has it
