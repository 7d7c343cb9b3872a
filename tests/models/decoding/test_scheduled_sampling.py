"""How much of the truth the decoder is given, and what takes its place."""

import pytest
import torch

from elman.models.decoding.scheduled_sampling import mixed, teacher_share


def test_the_share_comes_down_as_asked() -> None:
    assert [teacher_share("constant", 0.6, done) for done in (0, 0.5, 1)] == [0.6, 0.6, 0.6]
    assert [teacher_share("linear", 0.6, done) for done in (0, 0.5, 1)] == pytest.approx([1, 0.8, 0.6])
    sigmoid = [teacher_share("sigmoid", 0.6, done / 10) for done in range(11)]
    assert sigmoid == sorted(sigmoid, reverse=True)
    assert sigmoid[5] == pytest.approx(0.8)
    assert sigmoid[0] == pytest.approx(1, abs=0.01)
    assert sigmoid[-1] == pytest.approx(0.6, abs=0.01)


def test_all_of_the_truth_or_nothing_but_the_begin_mark() -> None:
    torch.manual_seed(0)
    tokens = torch.randint(0, 4, (6, 50))
    logits = torch.full((6, 50, 5), -torch.inf)
    logits[..., 4] = 0  # the decoder would always write 4
    assert torch.equal(mixed(tokens, logits, 1.0), tokens)
    own = mixed(tokens, logits, 0.0)
    assert torch.equal(own[0], tokens[0])
    assert bool((own[1:] == 4).all())
    half = (mixed(tokens, logits, 0.5)[1:] == 4).float().mean()
    assert 0.4 < float(half) < 0.6


def test_what_is_drawn_follows_the_decoder_at_the_step_before() -> None:
    tokens = torch.zeros(4, 1, dtype=torch.int64)
    logits = torch.full((4, 1, 5), -torch.inf)
    for step in range(4):
        logits[step, 0, step + 1] = 0  # after reading step t it writes t + 1
    assert mixed(tokens, logits, 0.0)[:, 0].tolist() == [0, 1, 2, 3]


def test_it_draws_by_probability() -> None:
    torch.manual_seed(0)
    logits = torch.tensor([0.7, 0.3]).log().expand(2, 20000, 2)
    drawn = mixed(torch.full((2, 20000), 9), logits, 0.0)[1]
    assert float((drawn == 0).float().mean()) == pytest.approx(0.7, abs=0.02)
