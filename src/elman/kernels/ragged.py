"""Which (step, sequence) pairs are live when sequences differ in length, and how tensors are laid out by them.

A "row" is a live pair. Rows are ordered by step, and within a step by sequence, the longest first, so that the
sequences alive at a step are always the first n of the sorted batch (the layout of a PackedSequence).
T steps, B sequences, N rows; without lengths every pair is live, N = T * B, and nothing is sorted.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor


class Rows:
    """The live rows of a padded batch."""

    def __init__(
        self,
        T: int,
        B: int,
        lengths: Tensor | None,  # (B,) int64, 0 <= length <= T
    ) -> None:
        self.T, self.B, self.ragged = T, B, lengths is not None
        self.sizes = [B] * T  # sequences alive at each step
        if lengths is not None:
            self._order = lengths.argsort(descending=True, stable=True)
            alive = lengths[self._order] > torch.arange(T, device=lengths.device).unsqueeze(1)  # (T, B)
            self._step, self._place = alive.nonzero(as_tuple=True)  # (N,) each; place: in the sorted batch
            self._sequence = self._order[self._place]
            self.sizes = [n for n in alive.sum(1).tolist() if n]

    def sort(self, state: Tensor) -> Tensor:
        """(B, H) in the caller's order to (B, H), longest first."""
        return state[self._order] if self.ragged else state

    def unsort(self, state: Tensor) -> Tensor:
        """(B, H), longest first, to the caller's order; always a new tensor."""
        return state[self._order.argsort()] if self.ragged else state.clone()

    def alive(self, state: Tensor, n: int) -> Tensor:
        """The first n of (B, H), longest first."""
        return state if n == self.B else state[:n]

    def gather(self, padded: Tensor) -> Tensor:
        """(T, B, ...) to its rows (N, ...)."""
        return padded[self._step, self._sequence] if self.ragged else padded.flatten(0, 1)

    def scatter(self, rows: Tensor) -> Tensor:
        """Rows (N, F) to (T, B, F), zero where nothing is live."""
        if not self.ragged:
            return rows.reshape(self.T, self.B, rows.shape[1])
        padded = rows.new_zeros(self.T, self.B, rows.shape[1])
        return padded.index_put((self._step, self._sequence), rows)

    def spread(self, state: Tensor) -> Tensor:
        """(B, F), longest first, to rows (N, F): the same for every step."""
        return state[self._place] if self.ragged else state.expand(self.T, -1, -1).flatten(0, 1)

    def steps(self, rows: Tensor, backwards: bool) -> Iterator[tuple[int, Tensor]]:
        """Walk over the steps: how many sequences are alive (n), and their rows (n, F)."""
        pairs = list(zip(self.sizes, self.split(rows), strict=True))
        return reversed(pairs) if backwards else iter(pairs)

    def split(self, rows: Tensor) -> tuple[Tensor, ...]:
        """Rows (N, F) to one view (n, F) a step."""
        return rows.split_with_sizes(self.sizes) if self.sizes else ()

    def join(self, steps: list[Tensor], backwards: bool, like: Tensor) -> Tensor:
        """One (n, F) a step, in the order of `steps(..., backwards)`, to rows (N, F); `like` has F columns."""
        if not steps:
            return like.new_zeros(0, like.shape[-1])
        return torch.cat(steps[::-1] if backwards else steps)

    def previous(self, rows: Tensor, first: Tensor, backwards: bool) -> Tensor:
        """Rows (N, H) of states to rows (N, H) of the states before them, given the (B, H) before all of them."""
        state, before = first, list[Tensor]()
        for n, row in self.steps(rows, backwards):
            before.append(state[:n])
            state = row if n == self.B else torch.cat([row, state[n:]])
        return self.join(before, backwards, first)
