"""What a classifier answers while a sequence goes on, or after each prefix of many. t new steps, C classes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

import torch
from torch import Tensor, nn

from elman.models.classification.ensemble import Ensemble, mean_scores
from elman.models.classification.ngrams import WithNgrams
from elman.models.classifier import Classifier
from elman.models.readout import RunningPool
from elman.models.recurrent import State

STEPS_AT_ONCE = 1 << 15
"""Steps of all sequences of a batch together, at most."""
MOST_TOGETHER = 256
"""Sequences of a batch, at most."""


class PrefixReader(Protocol):
    """Reads a sequence piece by piece."""

    def push(self, x: Tensor) -> Tensor:
        """(t, C) the scores after each of the steps (t, ...) that follow."""

    def peek(self, x: Tensor) -> Tensor:
        """The same, but the steps are not taken in."""


def prefix_reader(model: nn.Module) -> PrefixReader:
    """What reads prefixes with this model, in evaluation mode."""
    if isinstance(model, Ensemble):
        return _Together([prefix_reader(member) for member in model.members])
    if isinstance(model, WithNgrams):
        return _Rereading(lambda x, before: model.prefix_scores(x)[before:])
    assert isinstance(model, Classifier)
    if type(model) is not Classifier:  # one that answers in the place of a network, whose layers it does not have
        return _Rereading(model.prefix_scores)
    return _Rereading(model.prefix_scores) if model.recurrent.shape.bidirectional else _Carrying(model)


class _Carrying:
    """One direction: takes t steps for t new ones, however many there were before."""

    def __init__(self, model: Classifier) -> None:
        self._model = model
        self._state: State = ()
        self._pool = RunningPool(model.readout, model.attention)

    def push(self, x: Tensor) -> Tensor:
        scores, self._state, self._pool = self._read(x)
        return scores

    def peek(self, x: Tensor) -> Tensor:
        return self._read(x)[0]

    def _read(self, x: Tensor) -> tuple[Tensor, State, RunningPool]:
        model = self._model
        with torch.no_grad():
            states, state = model.recurrent(model.inputs(x.unsqueeze(1)), self._state)
            pooled, pool = self._pool.after(states)
            scores: Tensor = model.output(pooled if model.head is None else model.head(pooled))
        return scores[:, 0], state, pool


class _Rereading:
    """Two directions, or counts of all that was read: every prefix is read from its beginning.

    Arguments:
        scores: of each prefix of x (T, ...) that is longer than so many steps.
    """

    def __init__(self, scores: Callable[[Tensor, int], Tensor]) -> None:
        self._scores = scores
        self._steps: Tensor | None = None

    def push(self, x: Tensor) -> Tensor:
        scores = self.peek(x)
        self._steps = self._with(x)
        return scores

    def peek(self, x: Tensor) -> Tensor:
        before = 0 if self._steps is None else len(self._steps)
        with torch.no_grad():
            return self._scores(self._with(x), before)

    def _with(self, x: Tensor) -> Tensor:
        return x if self._steps is None else torch.cat([self._steps, x])


class _Together:
    """Several networks, whose probabilities are averaged."""

    def __init__(self, readers: list[PrefixReader]) -> None:
        self._readers = readers

    def push(self, x: Tensor) -> Tensor:
        return mean_scores(torch.stack([reader.push(x) for reader in self._readers]))

    def peek(self, x: Tensor) -> Tensor:
        return mean_scores(torch.stack([reader.peek(x) for reader in self._readers]))


def prefix_scores(model: nn.Module, sequences: Sequence[Tensor]) -> list[Tensor]:
    """The scores after each prefix of each of N sequences (T_n, ...), many together: N of shape (T_n, C).

    In one direction a sequence is read once; in two, every prefix is read anew, those of like length side by side.
    """
    if isinstance(model, WithNgrams) or type(model) not in (Classifier, Ensemble):
        return [model.prefix_scores(one) for one in sequences]  # type: ignore[operator]
    if is_two_way(model):
        return _of_prefixes(model, sequences)
    found: list[Tensor] = [torch.empty(0)] * len(sequences)
    for chosen in _together([len(one) for one in sequences]):
        x, lengths = _padded([sequences[n] for n in chosen])
        scores = model(x, lengths, every_step=True)
        for column, n in enumerate(chosen):
            found[n] = scores[: len(sequences[n]), column]
    return found


def last_scores(model: nn.Module, sequences: Sequence[Tensor]) -> Tensor:
    """(N, C) the scores of each of N sequences (T_n, ...), like lengths side by side."""
    order, parts = list[int](), []
    for chosen in _together([len(one) for one in sequences]):
        parts.append(model(*_padded([sequences[n] for n in chosen])))
        order += chosen
    return torch.cat(parts)[torch.tensor(order).argsort()]


def is_two_way(model: nn.Module) -> bool:
    """Whether a classifier, or those of an ensemble, also read from the end."""
    first = model.members[0] if isinstance(model, Ensemble) else model
    assert isinstance(first, Classifier)
    return first.recurrent.shape.bidirectional


def _of_prefixes(model: nn.Module, sequences: Sequence[Tensor]) -> list[Tensor]:
    owners = [(n, steps) for n, one in enumerate(sequences) for steps in range(1, len(one) + 1)]
    order, parts = list[int](), []
    for chosen in _together([steps for _, steps in owners]):
        x, lengths = _padded([sequences[owners[place][0]][: owners[place][1]] for place in chosen])
        parts.append(model(x, lengths))
        order += chosen
    scores = torch.cat(parts)[torch.tensor(order).argsort()]
    return list(torch.split(scores, [len(one) for one in sequences]))


def _together(lengths: Sequence[int]) -> Iterator[list[int]]:
    """Numbers of sequences of like length, so many that a batch has at most `STEPS_AT_ONCE` steps."""
    some: list[int] = []
    for number in sorted(range(len(lengths)), key=lengths.__getitem__):
        if some and ((len(some) + 1) * lengths[number] > STEPS_AT_ONCE or len(some) == MOST_TOGETHER):
            yield some
            some = []
        some.append(number)
    if some:
        yield some


def _padded(sequences: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    lengths = torch.tensor([len(one) for one in sequences], device=sequences[0].device)
    return nn.utils.rnn.pad_sequence(list(sequences)), lengths
