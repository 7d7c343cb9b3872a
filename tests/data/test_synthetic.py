"""The made-up problems: right answers, no memory of earlier calls, no batch shared between parts."""

import math

import pytest
import torch

from elman.data.synthetic import Adding, CopyMemory, Parity
from elman.errors import UserError
from elman.runtime.text.memory_problems import BLANK, RECALL, read_bits

PROBLEMS = [Parity(3, 40), Adding(50), CopyMemory(20)]


@pytest.mark.parametrize("problem", PROBLEMS, ids=lambda problem: type(problem).__name__)
def test_a_batch_follows_from_seed_step_and_part(problem):
    first = problem.batch(8, seed=1, step=5)
    problem.batch(8, seed=1, step=6)
    assert all(map(torch.equal, first, problem.batch(8, seed=1, step=5)))
    others = [
        problem.batch(8, seed=2, step=5),
        problem.batch(8, seed=1, step=6),
        problem.batch(8, seed=1, step=5, part="validation"),
        problem.batch(8, seed=1, step=5, part="test"),
    ]
    drawn = {batch.inputs.numpy().tobytes() for batch in [first, *others]}
    assert len(drawn) == 5


def test_parity_answers_by_the_strings_themselves():
    inputs, lengths, targets = Parity(1, 12).batch(400, seed=0, step=0)
    assert inputs.shape == (12, 400)
    assert inputs.dtype == lengths.dtype == targets.dtype == torch.int64
    assert set(lengths.tolist()) == set(range(1, 13))
    for column in range(400):
        bits = inputs[: lengths[column], column]
        assert targets[column] == (bits.sum() % 2 == 0)
        assert not inputs[lengths[column] :, column].any()
    assert 0.4 < targets.float().mean() < 0.6


def test_parity_of_one_length():
    inputs, lengths, _ = Parity(100, 100).batch(5, seed=0, step=0)
    assert inputs.shape == (100, 5)
    assert lengths.tolist() == [100] * 5


def test_adding_answers_the_sum_of_the_marked():
    inputs, lengths, targets = Adding(51).batch(600, seed=0, step=0)
    assert inputs.shape == (51, 600, 2)
    assert inputs.dtype == targets.dtype == torch.float32
    assert lengths.tolist() == [51] * 600
    values, marks = inputs.unbind(-1)
    assert marks[:25].sum(0).tolist() == marks[25:].sum(0).tolist() == [1] * 600
    assert marks[0].any()
    assert marks[24].any()
    assert marks[25].any()
    assert marks[50].any()
    torch.testing.assert_close(targets, (values * marks).sum(0))
    assert 0 <= values.min() < values.max() < 1
    assert math.isclose((targets - 1).square().mean(), 1 / 6, rel_tol=0.15)


def test_copy_memory_asks_for_the_first_ten():
    problem = CopyMemory(30)
    inputs, lengths, targets = problem.batch(200, seed=0, step=0)
    assert inputs.shape == targets.shape == (50, 200)
    assert lengths.tolist() == [50] * 200
    assert problem.remembered == 10
    assert torch.equal(targets[-10:], inputs[:10])
    assert set(inputs[:10].flatten().tolist()) == set(range(8))
    assert (inputs[10:39] == BLANK).all()
    assert (inputs[39] == RECALL).all()
    assert (inputs[40:] == BLANK).all()
    assert (targets[:40] == BLANK).all()


def test_shortest_problems():
    assert CopyMemory(1).batch(2, 0, 0).inputs.shape == (21, 2)
    assert Adding(2).batch(2, 0, 0).inputs[..., 1].tolist() == [[1, 1], [1, 1]]
    assert Parity(1, 1).batch(2, 0, 0).inputs.shape == (1, 2)


@pytest.mark.parametrize("make", [lambda: Parity(0, 4), lambda: Parity(5, 4), lambda: Adding(1), lambda: CopyMemory(0)])
def test_impossible_problems(make):
    with pytest.raises(UserError):
        make()


def test_bits_from_a_person():
    assert read_bits(" 1001\n") == [1, 0, 0, 1]
    with pytest.raises(UserError, match="no bits"):
        read_bits("  ")
    with pytest.raises(UserError, match="'2' at place 3 of '1021' is neither 0 nor 1"):
        read_bits("1021")
