"""A quiet beginning: nothing is forgotten, and the output layer says the same."""

import pytest
import torch
from torch import nn

from elman.errors import UserError
from elman.models.classifier import Classifier
from elman.models.config import RecurrentConfig
from elman.models.small_init import fast_output
from elman.tasks.series.task import Settings


def state_after(small_init: bool, steps: int) -> torch.Tensor:
    """What is left after `steps` steps of silence of a state of length 1, as a share."""
    torch.manual_seed(0)
    shape = RecurrentConfig(input_size=1, hidden_size=32, init="orthogonal")
    layer = Classifier(nn.Identity(), shape, 2, small_init=small_init).recurrent.layer
    x = torch.zeros(steps, 1, 1)
    h_0 = torch.full((1, 1, 32), 0.001)
    with torch.no_grad():
        return (layer(x, h_0)[1] - layer(x, torch.zeros_like(h_0))[1]).norm() / h_0.norm()


def test_what_came_first_is_still_there_after_a_thousand_steps() -> None:
    assert state_after(True, 1000) > 0.95
    assert state_after(False, 1000) < 0.5


def test_the_output_says_the_same_and_moves_faster() -> None:
    torch.manual_seed(0)
    plain = nn.Linear(4, 3)
    small_init = fast_output(plain)
    x = torch.randn(5, 4)
    torch.testing.assert_close(small_init(x), plain(x))
    for layer in (plain, small_init):
        optimizer = torch.optim.Adam(layer.parameters(), lr=1e-4)
        layer(x).sum().backward()
        optimizer.step()
    moved = (small_init.weight.detach() * 50 - plain.weight.detach()).abs()
    torch.testing.assert_close(moved, torch.full_like(moved, 49e-4), rtol=1e-2, atol=0)


def test_gated_cells_have_none() -> None:
    with pytest.raises(UserError, match="`small_init` is for `cell=rnn`, not gru"):
        Settings(small_init=True, cell="gru")
