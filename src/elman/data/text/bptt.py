"""A long text as parallel streams of chunks, for truncated back-propagation with a carried state.

T steps of a chunk, B streams, N ids in the text. The N - 1 pairs (an id, the id after it) are dealt to the
streams as B runs of neighbours whose lengths differ by at most one, so every pair is in exactly one stream.
In the last step of the last chunk the shorter streams have run out: their target there is `IGNORE_INDEX`, which
`cross_entropy` skips. Hence a sum over all chunks of an epoch counts every character but the very first
exactly once, whatever B and T.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from elman.data.batching import IGNORE_INDEX
from elman.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor


class Streams:
    """Random access to the chunks of a text.

    Arguments:
        ids: (N,) int64, the encoded text; or an array of any integers, which stays as it is (mapped from a file, say).
        batch: B, the number of streams.
        chunk: T, the steps of a chunk; the last chunk of an epoch may have fewer.

    Raises:
        UserError: the text has too few ids for one chunk and the id that follows it.
    """

    def __init__(self, ids: Tensor | NDArray[Any], batch: int, chunk: int):
        import torch

        if ids.ndim != 1 or batch < 1 or chunk < 1:
            raise ValueError(f"ids has shape {tuple(ids.shape)}, batch is {batch}, chunk is {chunk}")
        pairs = len(ids) - 1
        if pairs < chunk:
            raise UserError(
                f"the text has {len(ids)} symbols, but one chunk takes {chunk} and the one after them;"
                f" give a longer text or a chunk of at most {max(pairs, 1)}"
            )
        self.ids = ids
        self.batch = batch
        self.chunk_length = chunk
        self._device = ids.device if isinstance(ids, torch.Tensor) else torch.device("cpu")
        bounds = torch.arange(batch + 1, device=self._device) * pairs // batch
        self._starts, self._ends = (
            bounds[:-1],
            bounds[1:],
        )  # (B,) each stream's first pair and the pair after its last
        self._steps = -(-pairs // batch)  # of the longest stream

    @property
    def chunks_per_epoch(self) -> int:
        """How many chunks take the whole text once."""
        return -(-self._steps // self.chunk_length)

    @property
    def targets_per_epoch(self) -> int:
        """How many targets one epoch has that are not `IGNORE_INDEX`: N - 1."""
        return len(self.ids) - 1

    def chunk(self, step: int) -> tuple[Tensor, Tensor, bool]:
        """The chunk of a step, counted on over the epochs.

        Returns:
            inputs (T, B) int64; targets (T, B) int64, the ids one place on, `IGNORE_INDEX` past a stream's end;
            and whether the chunk is its epoch's first, before which a carried state must be reset.
        """
        import torch

        number = step % self.chunks_per_epoch
        begin = number * self.chunk_length
        end = min(begin + self.chunk_length, self._steps)
        places = self._starts + torch.arange(begin, end + 1, device=self._device)[:, None]  # (T + 1, B)
        if isinstance(self.ids, torch.Tensor):
            window = self.ids[places]
        else:
            window = torch.from_numpy(self.ids[places.numpy()].astype(np.int64))
        inputs, targets = window[:-1], window[1:]
        if end == self._steps:
            targets = targets.masked_fill(places[:-1] >= self._ends, IGNORE_INDEX)
        return inputs, targets, number == 0


def spread_passages(ids: NDArray[Any], most: int, passages: int) -> NDArray[Any]:
    """About `most` of the ids, one a passage at least: passages of equal length, spread evenly from end to end."""
    length = max(1, most // passages)
    starts = np.linspace(0, len(ids) - length, passages).astype(np.int64)
    return np.concatenate([ids[start : start + length] for start in starts])
