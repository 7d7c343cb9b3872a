"""Locked dropout: the same units at every step, the right share, the right scale."""

import torch

from elman.models.dropout import LockedDropout


def test_the_same_units_at_every_step() -> None:
    torch.manual_seed(0)
    dropped = LockedDropout(0.25)(torch.ones(9, 40, 50))
    assert torch.equal(dropped, dropped[:1].expand(9, -1, -1))
    assert set(dropped.unique().tolist()) == {0.0, torch.tensor(1 / 0.75).item()}
    assert abs(float((dropped == 0).float().mean()) - 0.25) < 0.03


def test_evaluation_changes_nothing() -> None:
    x = torch.randn(3, 2, 4)
    assert LockedDropout(0.5).eval()(x) is x
    assert LockedDropout(0.0)(x) is x
