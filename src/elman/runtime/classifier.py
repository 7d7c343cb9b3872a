"""Classifiers: many to one. One network, one that reads a series at several time scales, or several networks.

T steps, B sequences, I inputs, D numbers of a state, C classes, K members.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np

from elman.errors import UserError
from elman.runtime.files import Settings
from elman.runtime.recurrent import Lengths, Recurrent, Shape, Weights, log_softmax, softmax
from elman.runtime.tensors import Floats

READOUTS = ("last", "mean", "sum", "max", "mean-max", "attention")
OUTPUT_GAIN = 50.0
"""What `small_init` multiplies by, see `elman.models.small_init`."""
PATCH, FINEST, WIDEST = 8, 8, 4_096
"""See `elman.models.classification.multiscale`."""
PREFIXES_AT_ONCE = 64
MOST_HEAD = 65_536


class Scorer(Protocol):
    """What gives scores of classes."""

    def __call__(self, x: Floats, lengths: Lengths) -> Floats:
        """(B, C) from x (T, B, ...) and lengths (B,), each 1 to T."""


class Classifier:
    """Input layer, recurrent layers, a readout of the states, and the output layer; see `elman.models.classifier`.

    Arguments:
        table: (V, I) the embedding of tokens; None reads vectors.
        default: the task's readout where the settings name none.
    """

    def __init__(
        self,
        weights: Weights,
        prefix: str,
        table: Floats | None,
        input_size: int,
        shape: Shape,
        classes: int,
        settings: Settings,
        default: str = "last",
    ) -> None:
        self.table, self.shape = table, shape
        self.recurrent = Recurrent(weights, f"{prefix}recurrent.layer.", input_size, shape)
        self.readout = settings.text("readout", default, READOUTS)
        size, small = self.recurrent.output_size, settings.flag("small_init")
        self.attention = attention_in(weights, f"{prefix}attention", size) if self.readout == "attention" else None
        read = size * (2 if self.readout == "mean-max" else 1)
        units = settings.integer("head", 0, 0, MOST_HEAD)
        self.head = linear_in(weights, f"{prefix}head.1", units, read) if units else None
        self.output = linear_in(weights, f"{prefix}output", classes, units or read)
        self.read_gain = OUTPUT_GAIN if small and units else 1.0
        self.score_gain = OUTPUT_GAIN if small and not units else 1.0

    def __call__(self, x: Floats, lengths: Lengths) -> Floats:
        """(B, C) scores from x (T, B, ...) and lengths (B,)."""
        whole = len(lengths) == 1 or bool((lengths == len(x)).all())
        states, last = self.recurrent(self.inputs(x), (), None if whole else lengths)
        return self.answer(pool(states, last[0], lengths, self.readout, self.attention))

    def inputs(self, x: Floats) -> Floats:
        """(..., I) vectors, from tokens (...) or from themselves."""
        return x if self.table is None else self.table[x.astype(np.int64, copy=False)]

    def answer(self, read: Floats) -> Floats:
        """(..., C) scores from what is read of the states."""
        if self.head is not None:
            read = np.maximum(
                (read * self.read_gain if self.read_gain != 1 else read) @ self.head[0].T + self.head[1], 0
            )
        scores = read @ self.output[0].T + self.output[1]
        return scores * self.score_gain if self.score_gain != 1 else scores

    def prefix_scores(self, x: Floats) -> Floats:
        """(T, C) scores after each prefix of one sequence (T, ...)."""
        if not self.shape.bidirectional:
            states, _ = self.recurrent(self.inputs(x[:, None]))
            return self.answer(pool_prefixes(states, self.readout, self.attention))[:, 0]
        found = []
        for begin in range(0, len(x), PREFIXES_AT_ONCE):
            lengths = np.arange(begin + 1, min(begin + PREFIXES_AT_ONCE, len(x)) + 1)
            found.append(self(np.repeat(x[: lengths[-1], None], len(lengths), axis=1), lengths))
        return np.concatenate(found)


class MultiScaleClassifier:
    """A recurrent part for patches of each of several strides; see `elman.models.classification.multiscale`.

    Arguments:
        channels: I.
        strides: steps from patch to patch of each part, each a multiple of the first.
    """

    def __init__(
        self,
        weights: Weights,
        prefix: str,
        channels: int,
        shape: Shape,
        classes: int,
        strides: Sequence[int],
        settings: Settings,
    ) -> None:
        self.difference = weights.take(f"{prefix}difference", channels)
        self.readout = settings.text("readout", "mean-max", READOUTS)
        self.averaged = averaged(min(strides), channels)
        self.strides = [stride // self.averaged for stride in strides]
        parts = enumerate(self.strides)
        sizes = [2 * channels * PATCH * stride for _, stride in parts]
        if max(sizes) > 1 << 24:
            raise weights.unfit(f"patches of {max(sizes):,} numbers are too many")
        self.recurrent = [
            Recurrent(weights, f"{prefix}recurrent.{n}.layer.", size, shape) for n, size in enumerate(sizes)
        ]
        states = [one.output_size for one in self.recurrent]
        self.attention = [
            attention_in(weights, f"{prefix}attention.{n}", size) if self.readout == "attention" else None
            for n, size in enumerate(states)
        ]
        read, units = sum(states) * (2 if self.readout == "mean-max" else 1), settings.integer("head", 0, 0, MOST_HEAD)
        self.head = linear_in(weights, f"{prefix}head.0", units, read) if units else None
        self.output = linear_in(weights, f"{prefix}output", classes, units or read)

    def __call__(self, x: Floats, lengths: Lengths) -> Floats:
        """(B, C) scores from x (T, B, I) and lengths (B,)."""
        read: list[Floats] = []
        for part, (pieces, counts) in reversed(list(enumerate(self.views(x, lengths)))):
            states, last = self.recurrent[part](pieces, (), counts)
            read.append(pool(states, last[0], counts, self.readout, self.attention[part]))
        joined = np.concatenate(read, axis=1)
        if self.head is not None:
            joined = np.maximum(joined @ self.head[0].T + self.head[1], 0)
        return joined @ self.output[0].T + self.output[1]

    def views(self, x: Floats, lengths: Lengths) -> list[tuple[Floats, Lengths]]:
        """What the recurrent parts read of x (T, B, I), and how many steps that are of each sequence."""
        inside = (np.arange(len(x))[:, None] < lengths)[:, :, None]
        x = x * inside
        steps = np.zeros_like(x)
        steps[1:] = (x[1:] - x[:-1]) * inside[1:] / self.difference
        both = np.concatenate([x, steps], axis=2)
        if self.averaged > 1:
            both = np.pad(both, ((0, -len(both) % self.averaged), (0, 0), (0, 0)))
            both = both.reshape(-1, self.averaged, *both.shape[1:]).mean(axis=1)
            lengths = (lengths + self.averaged - 1) // self.averaged
        return [patches(both, lengths, stride) for stride in self.strides]


class Ensemble:
    """Several classifiers, whose probabilities are averaged."""

    def __init__(self, members: Sequence[Classifier | MultiScaleClassifier]) -> None:
        self.members = members

    def __call__(self, x: Floats, lengths: Lengths) -> Floats:
        """(B, C): the logarithm of the members' mean probability."""
        return mean_scores(np.stack([member(x, lengths) for member in self.members]))

    def prefix_scores(self, x: Floats) -> Floats:
        """(T, C) after each prefix of one sequence."""
        return mean_scores(np.stack([one.prefix_scores(x) for one in self.members if isinstance(one, Classifier)]))


def build(
    settings: Settings, make: Callable[[str], Classifier | MultiScaleClassifier]
) -> Classifier | MultiScaleClassifier | Ensemble:
    """One network, or an ensemble of as many as the settings say; `make` is given the prefix of its weights' names."""
    count = max(1, settings.integer("members", 1, 0, 1000))  # 0 in a run that left it open: one
    return make("") if count == 1 else Ensemble([make(f"members.{number}.") for number in range(count)])


def linear_in(weights: Weights, name: str, rows: int, columns: int) -> tuple[Floats, Floats]:
    """Weight (rows, columns) and bias (rows,) of a linear layer."""
    return weights.take(f"{name}.weight", rows, columns), weights.take(f"{name}.bias", rows)


def attention_in(weights: Weights, name: str, size: int) -> tuple[Floats, Floats]:
    """The layer (D,) to a number that weighs states."""
    return linear_in(weights, name, 1, size)


def pool(
    states: Floats, last: Floats, lengths: Lengths, readout: str, attention: tuple[Floats, Floats] | None
) -> Floats:
    """One vector (B, D) or (B, 2 D) for each sequence; see `elman.models.readout.pool`."""
    if readout == "last":
        directions = states.shape[2] // last.shape[2]
        return np.concatenate(list(last[-directions:]), axis=1)
    whole = bool((lengths == len(states)).all())
    inside = None if whole else (np.arange(len(states))[:, None] < lengths)[:, :, None]
    if attention is not None:
        scores = states @ attention[0].T + attention[1]
        scores = scores if inside is None else np.where(inside, scores, -np.inf)
        powers = np.exp(scores - scores.max(axis=0))
        pooled: Floats = (powers / powers.sum(axis=0) * states).sum(axis=0)
        return pooled
    largest = states.max(axis=0) if inside is None else np.where(inside, states, -np.inf).max(axis=0)
    if readout == "max":
        return np.asarray(largest, np.float32)
    total: Floats = states.sum(axis=0)
    if readout == "sum":
        return total
    mean = total / np.maximum(lengths, 1).astype(np.float32)[:, None]
    return mean if readout == "mean" else np.concatenate([mean, largest], axis=1, dtype=np.float32)


def pool_prefixes(states: Floats, readout: str, attention: tuple[Floats, Floats] | None) -> Floats:
    """(T, B, ...) what `pool` gives after each step, from the states (T, B, D) of one direction."""
    if readout == "last":
        return states
    if attention is not None:
        scores = states @ attention[0].T + attention[1]
        weights = np.exp(scores - scores.max(axis=0))
        averages: Floats = (weights * states).cumsum(axis=0) / weights.cumsum(axis=0)
        return averages
    largest = np.maximum.accumulate(states, axis=0)
    if readout == "max":
        return largest
    total: Floats = states.cumsum(axis=0)
    if readout == "sum":
        return total
    mean = total / np.arange(1, len(states) + 1, dtype=np.float32)[:, None, None]
    return mean if readout == "mean" else np.concatenate([mean, largest], axis=2)


def averaged(stride: int, channels: int) -> int:
    """How many steps are averaged to one before patches are cut: the fewest that divide the stride into few enough."""
    most = max(1, min(FINEST, WIDEST // (2 * channels * PATCH)))
    return next(count for count in range(1, stride + 1) if stride % count == 0 and stride // count <= most)


def patches(x: Floats, lengths: Lengths, stride: int) -> tuple[Floats, Lengths]:
    """Overlapping pieces (N, B, PATCH * stride * I) of a series (T, B, I), and how many each sequence has."""
    count, size = -(-len(x) // stride), PATCH * stride
    before = (size - stride) // 2
    padded = np.pad(x, ((before, count * stride + size - len(x)), (0, 0), (0, 0)))
    pieces = np.lib.stride_tricks.sliding_window_view(padded, size, axis=0)[::stride][:count]  # (N, B, I, size)
    return np.ascontiguousarray(pieces).reshape(count, x.shape[1], -1), (lengths + stride - 1) // stride


def mean_probabilities(model: Scorer, steps: Floats, most: int) -> Floats:
    """(C,) probabilities for one sequence (T, I): where it is longer than twice `most`, the mean over every `most`."""
    total, count = np.zeros(0, np.float32), 0
    while len(steps) > 2 * most:  # the last piece is never a short one
        share = _probabilities(model, steps[:most]) * np.float32(most)
        total, count, steps = share + total if len(total) else share, count + most, steps[most:]
    last = _probabilities(model, steps) * np.float32(len(steps))
    mean: Floats = (last + total if len(total) else last) / np.float32(count + len(steps))
    return mean


def _probabilities(model: Scorer, steps: Floats) -> Floats:
    found: Floats = softmax(model(steps[:, None], np.array([len(steps)])))[0]
    return found


def mean_scores(scores: Floats) -> Floats:
    """The logarithm of the mean probability of scores (K, ..., C)."""
    each = log_softmax(scores)
    largest = each.max(axis=0)
    mean: Floats = largest + np.log(np.exp(each - largest).sum(axis=0)) - np.float32(np.log(len(scores)))
    return mean


def check_channels(values: Floats, channels: int, what: str) -> None:
    """Raise a UserError where a series (T, I) has no steps, other channels, or a value that is no number."""
    if values.shape[1] != channels:
        raise UserError(f"{what} has {values.shape[1]} channels where the training part has {channels}; give as many")
    if not len(values):
        raise UserError(f"{what} has no steps; give some")
