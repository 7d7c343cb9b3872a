"""The problems on which remedies are compared: the classic tests of a long memory, all sequences of one length.

T steps, B sequences, I inputs, O outputs.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor
from torch.nn import functional as F

from elman.data.synthetic import Adding, CopyMemory, Parity, Part
from elman.errors import UserError
from elman.runtime.text.memory_problems import BLANK, RECALL

# (seed, step, part) to x (T, B, I) and the targets; part is "train" or "validation", the same arguments the same data
Batches = Callable[[int, int, Part], tuple[Tensor, Tensor]]
Criterion = Callable[[Tensor, Tensor], Tensor]

MEMORY_PROBLEMS = ("adding", "copy", "parity")


@dataclass(frozen=True)
class Problem:
    """What the remedies are compared on.

    Attributes:
        name: what it is called, with its length.
        batches: gives x (T, B, I) and the targets for a seed, a step and a part.
        criterion: called with the answers (B, O), or (T, B, O), and the targets, gives the mean loss.
        outputs: O.
        chance: the loss of an answer that pays the input no attention.
        solved: the loss under which the problem counts as solved.
        every: answers are given at every step, not only at the last.
    """

    name: str
    batches: Batches
    criterion: Criterion
    outputs: int
    chance: float
    solved: float
    every: bool = False


def memory_problem(name: str, length: int, batch_size: int = 32) -> Problem:
    """Give the adding problem, copy memory, or parity (asked at the end only), as `elman.data.synthetic` makes them.

    Arguments:
        length: T of adding and parity; the silence of copy memory, with T = length + 20.
        batch_size: B.

    Raises:
        UserError: no such problem, or one that has no such length.
    """
    if name not in MEMORY_PROBLEMS:
        raise UserError(f"there is no problem called {name!r}; there are {', '.join(MEMORY_PROBLEMS)}")
    if min(length, batch_size) < 2:
        raise UserError(f"length {length} and batch size {batch_size}: both must be at least 2")
    return {"adding": _adding, "copy": _copy, "parity": _parity}[name](length, batch_size)


def _adding(length: int, size: int) -> Problem:
    def batches(seed: int, step: int, part: Part) -> tuple[Tensor, Tensor]:
        x, _, sums = Adding(length).batch(_many(size, part), seed, step, part)
        return x, sums.unsqueeze(1)

    # The sum of two numbers drawn evenly from 0 to 1 has variance 1/6. Under 0.01 the answers are off by less than
    # 0.1, which no network reaches that has not found both numbers.
    return Problem(f"adding, T = {length}", batches, F.mse_loss, 1, chance=1 / 6, solved=0.01)


def _copy(length: int, size: int) -> Problem:
    symbols, problem = RECALL + 1, CopyMemory(length)

    def batches(seed: int, step: int, part: Part) -> tuple[Tensor, Tensor]:
        symbol, _, targets = problem.batch(_many(size, part), seed, step, part)
        x = F.one_hot(symbol, symbols).float()
        x[..., BLANK] = 0  # in silence nothing comes in
        return x, targets

    def criterion(answers: Tensor, targets: Tensor) -> Tensor:
        return F.cross_entropy(answers.flatten(0, 1), targets.flatten())

    chance = problem.remembered * math.log(8) / (length + 2 * problem.remembered)
    return Problem(
        f"copy, silence {length}", batches, criterion, symbols, chance=chance, solved=chance / 10, every=True
    )


def _parity(length: int, size: int) -> Problem:
    def batches(seed: int, step: int, part: Part) -> tuple[Tensor, Tensor]:
        bits, _, even = Parity(length, length).batch(_many(size, part), seed, step, part)
        return F.one_hot(bits, 2).float(), even

    return Problem(f"parity, T = {length}", batches, F.cross_entropy, 2, chance=math.log(2), solved=0.05)


def _many(size: int, part: Part) -> int:
    """Sequences of a batch: more to judge by than to learn from."""
    return size if part == "train" else 4 * size
