"""The problems on which remedies are compared: what goes in, what should come out, what chance comes to."""

from __future__ import annotations

import pytest
import torch

from elman.errors import UserError
from elman.insight.remedies.problems import MEMORY_PROBLEMS, memory_problem
from elman.runtime.text.memory_problems import BLANK, RECALL


@pytest.mark.parametrize("name", MEMORY_PROBLEMS)
def test_batches_follow_from_seed_step_and_part(name: str) -> None:
    batches = memory_problem(name, 12, 8).batches
    x, target = batches(1, 2, "train")
    assert x.shape[1] == 8
    assert torch.equal(x, batches(1, 2, "train")[0])
    for other in ((2, 2, "train"), (1, 3, "train")):
        assert not torch.equal(x, batches(*other)[0])  # type: ignore[arg-type]
    assert batches(1, 2, "validation")[0].shape[1] == 32
    assert len(target) in (8, len(x))


@pytest.mark.parametrize("name", MEMORY_PROBLEMS)
def test_an_answer_that_pays_no_attention_comes_to_chance(name: str) -> None:
    problem = memory_problem(name, 20, 4000)
    x, target = problem.batches(0, 0, "train")
    if name == "adding":
        answer = torch.ones(4000, 1)  # the mean
    elif name == "parity":
        answer = torch.zeros(4000, 2)
    else:  # a blank while one should be silent, then any of the eight symbols alike
        answer = torch.full((len(x), 4000, problem.outputs), -50.0)
        answer[:-10, :, BLANK] = 50
        answer[-10:, :, :BLANK] = 50
    assert float(problem.criterion(answer, target)) == pytest.approx(problem.chance, rel=0.05)
    assert problem.solved < problem.chance / 5


def test_what_goes_in_can_be_read_back() -> None:
    x, sums = memory_problem("adding", 10, 4).batches(0, 0, "train")
    torch.testing.assert_close((x[..., 0] * x[..., 1]).sum(0), sums[:, 0])
    x, even = memory_problem("parity", 10, 16).batches(0, 0, "train")
    assert torch.equal(1 - x[..., 1].sum(0).long() % 2, even)
    x, symbols = memory_problem("copy", 5, 4).batches(0, 0, "train")
    assert torch.equal(x[:10].argmax(-1), symbols[-10:])
    assert bool((x[10:14] == 0).all())
    assert bool((x[-11].argmax(-1) == RECALL).all())


@pytest.mark.parametrize(("name", "length", "words"), [("sum", 9, "no problem called 'sum'"), ("copy", 1, "length 1")])
def test_bad_input_is_one_clear_line(name: str, length: int, words: str) -> None:
    with pytest.raises(UserError, match=words):
        memory_problem(name, length)
