"""The classic tests of memory, made on the spot: parity, the adding problem, copy memory.

A batch follows from (seed, part, step) alone: nothing is stored, any step is had at once, validation and
test draw from streams of their own. T steps, B sequences.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from elman.errors import UserError
from elman.runtime.text.memory_problems import BLANK, RECALL, REMEMBERED, SYMBOLS

if TYPE_CHECKING:
    import torch
    from torch import Tensor

Part = Literal["train", "validation", "test"]

_PARTS: tuple[Part, ...] = ("train", "validation", "test")
IGNORE_INDEX = -100  # a target that does not count, as torch's cross_entropy has it


class ProblemBatch(NamedTuple):
    """One batch: what goes in, how long each sequence is, what should come out."""

    inputs: Tensor
    lengths: Tensor
    targets: Tensor

    def share(self, rank: int, world: int) -> ProblemBatch:
        """The sequences of process `rank` of `world`."""
        size = len(self.lengths)
        part = slice(rank * size // world, (rank + 1) * size // world)
        targets = self.targets[part] if self.targets.ndim == 1 else self.targets[:, part]
        return ProblemBatch(self.inputs[:, part], self.lengths[part], targets)

    def to(self, device: torch.device) -> ProblemBatch:
        """The same batch on a device."""
        return ProblemBatch(*(tensor.to(device) for tensor in self))


@dataclass(frozen=True)
class Parity:
    """Is the number of ones even? (the lecture: "Output YES if the number of 1s is even, else NO").

    Arguments:
        min_length, max_length: between which the length of each string is drawn, both included.
        every: ask after every bit, since each prefix is a string too, in place of once at the end.
    """

    min_length: int = 1
    max_length: int = 40
    every: bool = False

    def __post_init__(self) -> None:
        if not 1 <= self.min_length <= self.max_length:
            raise UserError(f"lengths from {self.min_length} to {self.max_length}: give 1 <= shortest <= longest")

    def batch(self, size: int, seed: int, step: int, part: Part = "train") -> ProblemBatch:
        """inputs (T, B) int64 bits, 0 past the end; lengths (B,); targets int64: 1 where it is even.

        Targets are (B,), or (T, B) with `every`, and there IGNORE_INDEX past the end.
        """
        import torch

        generator = _generator(seed, step, part)
        lengths = generator.integers(self.min_length, self.max_length, size, endpoint=True)
        bits = generator.integers(0, 2, (self.max_length, size))[: lengths.max()]
        past = np.arange(len(bits))[:, None] >= lengths
        bits[past] = 0
        even = 1 - bits.cumsum(axis=0) % 2
        even = np.where(past, IGNORE_INDEX, even) if self.every else even[-1]
        return ProblemBatch(torch.from_numpy(bits), torch.from_numpy(lengths), torch.from_numpy(even))


@dataclass(frozen=True)
class Adding:
    """Two of T numbers are marked, one in each half: what is their sum?

    The adding problem of Hochreiter and Schmidhuber (1997), in the form of Arjovsky, Shah and Bengio (Unitary
    Evolution Recurrent Neural Networks, 2016). To answer 1 whatever comes has a mean squared error of 1/6.
    """

    length: int = 400

    def __post_init__(self) -> None:
        if self.length < 2:
            raise UserError(f"the adding problem has {self.length} steps; it takes at least 2")

    def batch(self, size: int, seed: int, step: int, part: Part = "train") -> ProblemBatch:
        """inputs (T, B, 2) float32: numbers from 0 to 1, and markers; lengths (B,); targets (B,) float32."""
        import torch

        generator = _generator(seed, step, part)
        values = generator.random((self.length, size), dtype=np.float32)
        marks = np.zeros_like(values)
        half = self.length // 2
        for first, last in ((0, half), (half, self.length)):
            marks[generator.integers(first, last, size), np.arange(size)] = 1
        inputs = torch.from_numpy(np.stack([values, marks], axis=-1))
        return ProblemBatch(inputs, _equal(size, self.length), torch.from_numpy((values * marks).sum(axis=0)))


@dataclass(frozen=True)
class CopyMemory:
    """Ten symbols, a long silence, a sign: write the ten symbols down.

    Copying memory of Arjovsky, Shah and Bengio (2016): ten of eight symbols, `delay` - 1 blanks, the sign,
    ten blanks; blanks are to be answered until the sign, the ten symbols after it. Without memory the mean
    cross-entropy is 10 ln 8 / (`delay` + 20).
    """

    delay: int = 100

    def __post_init__(self) -> None:
        if self.delay < 1:
            raise UserError(f"copy memory has a delay of {self.delay}; it takes at least 1")

    @property
    def remembered(self) -> int:
        """How many symbols are to be written down; they are the last targets."""
        return REMEMBERED

    def batch(self, size: int, seed: int, step: int, part: Part = "train") -> ProblemBatch:
        """inputs and targets (T, B) int64 with T = delay + 20, values below 10; lengths (B,)."""
        import torch

        symbols = _generator(seed, step, part).integers(0, SYMBOLS, (REMEMBERED, size))
        inputs = self._inputs(symbols)
        targets = np.full_like(inputs, BLANK)
        targets[-REMEMBERED:] = symbols
        return ProblemBatch(torch.from_numpy(inputs), _equal(size, len(inputs)), torch.from_numpy(targets))

    def inputs_for(self, symbols: Sequence[int]) -> Tensor:
        """(T, 1) the inputs that show these ten symbols."""
        import torch

        return torch.from_numpy(self._inputs(np.array(symbols).reshape(REMEMBERED, 1)))

    def _inputs(self, symbols: NDArray[np.int64]) -> NDArray[np.int64]:
        inputs = np.full((self.delay + 2 * REMEMBERED, symbols.shape[1]), BLANK)
        inputs[:REMEMBERED] = symbols
        inputs[-REMEMBERED - 1] = RECALL
        return inputs


def _generator(seed: int, step: int, part: Part) -> np.random.Generator:
    return np.random.default_rng((seed, _PARTS.index(part), step))


def _equal(size: int, length: int) -> Tensor:
    import torch

    return torch.full((size,), length)
