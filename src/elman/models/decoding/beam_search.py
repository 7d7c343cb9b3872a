"""Writing texts that end: a beam search over many at once, or one token after the other, greedy or drawn.

B texts, K the beam, V vocabulary. The N = B K unfinished texts of a batch are steps of one recurrent network.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from elman.kernels.decoder import choose
from elman.models.decoding.config import Decoding
from elman.models.recurrent import State, select

CANDIDATES = 2
"""Continuations considered for each place of the beam: with the end mark among them, K others are still there."""


class Writer(Protocol):
    """A model that writes one token at a time."""

    def step(self, tokens: Tensor, state: State, memory: State) -> tuple[Tensor, State]:
        """Read one token of each text.

        Arguments:
            tokens: (N,).
            state: tensors with the texts in dimension 1, as the last step returned them.
            memory: likewise, but the same at every step: what was read before anything was written.

        Returns:
            logits (N, V) of the next token, which the search writes over, and the state.
        """


@dataclass(frozen=True)
class Hypothesis:
    """A text that was written.

    Attributes:
        tokens: without begin and end mark.
        log_probability: natural, of the tokens and of the end mark, if it was written.
        ended: whether it was; else the text was cut.
    """

    tokens: tuple[int, ...]
    log_probability: float
    ended: bool

    @property
    def length(self) -> int:
        """Tokens that the network wrote, the end mark among them."""
        return len(self.tokens) + self.ended

    def score(self, penalty: float) -> float:
        """What a beam compares: log p / length^penalty."""
        return float(self.log_probability / max(self.length, 1) ** penalty)


def write(
    model: Writer,
    state: State,
    memory: State,
    *,
    begin: int,
    end: int,
    decoding: Decoding,
    banned: Sequence[int] = (),
    seed: int = 1,
    limits: Sequence[int] | None = None,
) -> list[list[Hypothesis]]:
    """Write B texts.

    Arguments:
        state, memory: of the B texts before the first step; at least one tensor in one of the two.
        begin, end: the marks.
        decoding: greedy, drawn, or by beam.
        banned: tokens that are never written, padding for instance.
        seed: of drawn texts.
        limits: the most tokens of each text, where that is less than the greatest length of all: so that a text is the
            same whatever stands beside it.

    Returns:
        for each text what was written, the best first: as many as the beam is wide, or one.
    """
    count = (*state, *memory)[0].shape[1]
    most = [min(decoding.max_length, limit) for limit in limits or [decoding.max_length] * count]
    with torch.no_grad():
        if decoding.beam > 1:
            return _Beam(model, state, memory, begin, end, decoding, banned, most).search()
        return [[one] for one in _one_by_one(model, state, memory, begin, end, decoding, banned, seed, most)]


def _one_by_one(
    model: Writer,
    state: State,
    memory: State,
    begin: int,
    end: int,
    decoding: Decoding,
    banned: Sequence[int],
    seed: int,
    limits: Sequence[int],
) -> list[Hypothesis]:
    some = (*state, *memory)[0]
    B, params = some.shape[1], decoding.sampling(seed)
    tokens = torch.full((B,), begin, device=some.device)
    columns = []
    total = torch.zeros(B, dtype=torch.float64, device=some.device)
    ended = torch.zeros(B, dtype=torch.bool, device=some.device)
    most = torch.tensor(limits, device=some.device)
    for number in range(max(limits)):
        done = ended | (most <= number)
        logits, state = model.step(tokens, state, memory)
        logits = _without(logits, banned)
        tokens = choose(logits, params, number).masked_fill(done, end)
        chosen = logits.log_softmax(-1).gather(1, tokens.unsqueeze(1)).squeeze(1)
        total += chosen.double().masked_fill(done, 0)
        columns.append(tokens)
        ended |= (tokens == end) & ~done
        if bool(ended.all()):
            break
    rows = torch.stack(columns, dim=1).tolist()
    texts = [row[: row.index(end)] if end in row else row for row in rows]
    return [
        Hypothesis(tuple(text), log_probability, whole)
        for text, log_probability, whole in zip(texts, total.tolist(), ended.tolist(), strict=True)
    ]


def _without(logits: Tensor, banned: Sequence[int]) -> Tensor:
    logits = logits.float()
    return logits.index_fill_(-1, torch.tensor(banned, device=logits.device), -torch.inf) if banned else logits


class _Beam:
    """The texts that are being written, those of the A that are not done, and what was finished.

    Each has `width` places: one before anything is written, for all would begin alike, and K as soon as there are K
    ways to go on.
    """

    def __init__(
        self,
        model: Writer,
        state: State,
        memory: State,
        begin: int,
        end: int,
        decoding: Decoding,
        banned: Sequence[int],
        limits: Sequence[int],
    ) -> None:
        some = (*state, *memory)[0]
        B = some.shape[1]
        self.model, self.end, self.decoding, self.banned = model, end, decoding, banned
        self.device, self.K, self.width = some.device, decoding.beam, 1
        self.state, self.memory = state, memory
        self.tokens = torch.full((B,), begin, device=self.device)
        self.written = torch.zeros(B, 1, 0, dtype=torch.int64, device=self.device)
        self.totals = torch.zeros(B, 1, dtype=torch.float64, device=self.device)
        self.finished: list[list[Hypothesis]] = [[] for _ in range(B)]
        self.active = list(range(B))
        self.limits = limits

    def search(self) -> list[list[Hypothesis]]:
        length = 0
        while self.active:
            left, length = self._extend(), length + 1
            over = {row for row in left if self.limits[self.active[row]] <= length}
            self._cut(over)
            self._keep([row for row in left if row not in over])
        return self.finished

    def _extend(self) -> list[int]:
        """Write one token more of every text; returns the places of those that are not done."""
        K, width = self.K, self.width
        logits, self.state = self.model.step(self.tokens, self.state, self.memory)
        steps = _without(logits, self.banned).log_softmax(-1)
        A, V = len(self.active), steps.shape[1]
        few = min(CANDIDATES * K, V)  # the best of a text are among the best of each of its K places
        best, token = steps.topk(few, dim=-1)
        sums = (self.totals.unsqueeze(2) + best.view(A, width, few)).flatten(1)  # (A, width few)
        totals, place = sums.topk(min(CANDIDATES * K, width * few), dim=-1)
        token = token.view(A, width * few).gather(1, place)
        parent = place // few
        ends = token == self.end
        left = self._finish(totals, parent, ends)
        order = ends.int().argsort(dim=1, stable=True)[:, :K]  # the best that go on
        self.totals = totals.masked_fill(ends, -torch.inf).gather(1, order)
        parent, token = parent.gather(1, order), token.gather(1, order)
        rows = torch.arange(A, device=self.device).unsqueeze(1)
        self.written = torch.cat([self.written[rows, parent], token.unsqueeze(2)], dim=2)
        self.tokens = token.flatten()
        self.state = select(self.state, (rows * width + parent).flatten())
        self.width = order.shape[1]
        if self.width != width:
            self.memory = select(self.memory, (rows * width).expand(A, self.width).flatten())
        return left

    def _finish(self, totals: Tensor, parent: Tensor, ends: Tensor) -> list[int]:
        """Put away the texts that end here; returns the places of those that may still find a better one."""
        K, penalty = self.K, self.decoding.length_penalty
        reached = ends[:, :K] & (totals[:, :K] > -torch.inf)
        for row, column in reached.nonzero().tolist():
            text = tuple(self.written[row, parent[row, column]].tolist())
            self.finished[self.active[row]].append(Hypothesis(text, float(totals[row, column]), True))
        length = self.written.shape[2] + 1
        hopes = totals.masked_fill(ends, -torch.inf).amax(1).div(length**penalty).tolist()
        left = []
        for row, (number, hope) in enumerate(zip(self.active, hopes, strict=True)):
            done = self.finished[number]
            done.sort(key=lambda one: one.score(penalty), reverse=True)
            del done[K:]
            if len(done) < K or done[-1].score(penalty) < hope:
                left.append(row)
        return left

    def _keep(self, left: list[int]) -> None:
        """Go on with these of the A texts alone."""
        if len(left) == len(self.active):
            return
        self.active = [self.active[row] for row in left]
        rows = torch.tensor(left, dtype=torch.int64, device=self.device)
        columns = (rows.unsqueeze(1) * self.width + torch.arange(self.width, device=self.device)).flatten()
        self.totals, self.written = self.totals[rows], self.written[rows]
        self.tokens = self.tokens[columns]
        self.state, self.memory = select(self.state, columns), select(self.memory, columns)

    def _cut(self, rows: Iterable[int]) -> None:
        """At the greatest length of these of the A texts: one that found no end is given as it is."""
        penalty = self.decoding.length_penalty
        for row in rows:
            done = self.finished[self.active[row]]
            for column in range(self.width if len(done) < self.K else 0):
                total = float(self.totals[row, column])
                if total > -torch.inf:
                    done.append(Hypothesis(tuple(self.written[row, column].tolist()), total, False))
            done.sort(key=lambda one: (one.ended, one.score(penalty)), reverse=True)
            del done[self.K :]
