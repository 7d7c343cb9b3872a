"""Batches of sequences of different lengths: like with like, so that little of a batch is padding.

T steps of the longest sequence, B sequences, N examples.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

if TYPE_CHECKING:
    from torch import Tensor

IGNORE_INDEX = -100
"""A target that does not count: padding, or a stream that has run out."""

_POOLS = 4  # an epoch has at least so many pools, or batches would be the same from epoch to epoch
_BATCHES_IN_A_POOL = 32


class Buckets:
    """Random access to the batches of training, counted on over the epochs; every example comes once in each.

    An epoch shuffles the examples, cuts them into pools of some tens of batches, sorts each pool by length,
    cuts it into batches, and shuffles these. All of it follows from (seed, epoch).

    Arguments:
        lengths: (N,) the steps of each example.
        batch: B; the last batch of what is cut may have fewer.
        seed: of the shuffling.
    """

    def __init__(self, lengths: ArrayLike, batch: int, seed: int):
        self._lengths = np.asarray(lengths, dtype=np.int64)
        if self._lengths.ndim != 1 or not len(self._lengths) or batch < 1:
            raise ValueError(f"lengths has shape {self._lengths.shape}, batch is {batch}")
        self._batch = batch
        self._seed = seed
        self._epoch = -1
        self._batches: list[NDArray[np.int64]] = []

    @property
    def batches_per_epoch(self) -> int:
        """How many batches take every example once."""
        return -(-len(self._lengths) // self._batch)

    def batch(self, step: int) -> NDArray[np.int64]:
        """(B,) the examples of a step's batch."""
        epoch, number = divmod(step, self.batches_per_epoch)
        if epoch != self._epoch:
            self._batches = self._plan(epoch)
            self._epoch = epoch
        return self._batches[number]

    def _plan(self, epoch: int) -> list[NDArray[np.int64]]:
        generator = np.random.default_rng((self._seed, epoch))
        order = generator.permutation(len(self._lengths))
        per_pool = min(max(self.batches_per_epoch // _POOLS, 1), _BATCHES_IN_A_POOL) * self._batch
        batches = []
        for begin in range(0, len(order), per_pool):
            pool = order[begin : begin + per_pool]
            pool = pool[np.argsort(self._lengths[pool], kind="stable")]
            batches += [pool[i : i + self._batch] for i in range(0, len(pool), self._batch)]
        return [batches[i] for i in generator.permutation(len(batches))]


def lengths_of(sequences: Sequence[Any]) -> NDArray[np.int64]:
    """(N,) the steps of each sequence; `sequences.lengths`, where it has them, so that none is read for it."""
    known = getattr(sequences, "lengths", None)
    return np.array([len(one) for one in sequences], dtype=np.int64) if known is None else known


def batches_by_length(lengths: ArrayLike, batch: int) -> list[NDArray[np.int64]]:
    """Every example once, the shortest first: the batches of an evaluation, with the least padding."""
    order = np.argsort(np.asarray(lengths), kind="stable")
    return [order[i : i + batch] for i in range(0, len(order), batch)]


def pad_sequences(sequences: Sequence[Any], padding: float = 0) -> tuple[Tensor, Tensor]:
    """Sequences side by side, time first.

    Arguments:
        sequences: B of shape (T_b, ...) each, as arrays, tensors or lists; the same shape and type after T_b.
        padding: what stands where a sequence has ended.

    Returns:
        (T, B, ...) in the type of the sequences; and the lengths (B,) int64.
    """
    import torch

    if not len(sequences):
        raise ValueError("there are no sequences to pad")
    arrays = [_array(sequence) for sequence in sequences]
    lengths = [len(array) for array in arrays]
    rest = {array.shape[1:] for array in arrays}
    if len(rest) > 1:
        raise ValueError(f"sequences have different shapes after the first dimension: {sorted(rest)}")
    padded = np.full((max(lengths), len(arrays), *rest.pop()), padding, dtype=arrays[0].dtype)
    for column, array in enumerate(arrays):
        padded[: len(array), column] = array
    return torch.from_numpy(padded), torch.tensor(lengths)


def _array(sequence: Any) -> NDArray[Any]:
    # An empty list would be taken for floats, while its neighbours are ids.
    return np.asarray(sequence, dtype=np.int64 if isinstance(sequence, list) and not sequence else None)


def process_share(chosen: NDArray[np.int64], rank: int, world: int) -> tuple[NDArray[np.int64], bool]:
    """The examples of a batch that process `rank` of `world` takes, and whether they count.

    An epoch's last batch may be smaller than there are processes: a process that is left without takes the first
    example, whose loss must not count.
    """
    share = chosen[rank::world]
    return (share, True) if len(share) else (chosen[:1], False)
