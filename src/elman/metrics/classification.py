"""What a classifier answered on a labelled set, and how good that is. N sequences, C classes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from elman.data.batching import batches_by_length, lengths_of, pad_sequences

STEPS_AT_ONCE = 1 << 16
"""Steps of all sequences of an evaluation's batch together, at most: long sequences come in smaller batches."""


@dataclass(frozen=True)
class Answers:
    """The scores (N, C) that a classifier gave, and the true classes (N,)."""

    scores: Tensor
    truth: Tensor

    @property
    def given(self) -> Tensor:
        """(N,) the class with the highest score."""
        return self.scores.argmax(-1)

    @property
    def confidence(self) -> Tensor:
        """(N,) the probability of the class that was given."""
        return self.scores.softmax(-1).amax(-1)

    def metrics(self) -> dict[str, float]:
        """Mean cross-entropy in nats, and the share that is right."""
        loss = F.cross_entropy(self.scores, self.truth)
        return {"loss": float(loss), "accuracy": float((self.given == self.truth).double().mean())}

    def confusion(self) -> NDArray[np.int64]:
        """(C, C) how many of each true class (row) were given each class (column)."""
        classes = self.scores.shape[1]  # counted here: to import torchmetrics takes two seconds
        pairs = torch.bincount(self.truth * classes + self.given, minlength=classes * classes)
        return pairs.view(classes, classes).numpy()

    def by_class(self) -> NDArray[np.float64]:
        """(C, 3) precision, recall and F1 of each class; 0 where nothing can be divided."""
        counts = self.confusion()
        right, given, true = np.diag(counts), counts.sum(axis=0), counts.sum(axis=1)
        shares = [(right, given), (right, true), (2 * right, given + true)]
        return np.stack([part / np.maximum(whole, 1) for part, whole in shares], axis=1)

    def mistakes(self, count: int) -> list[int]:
        """The wrong answers that were given most confidently, the worst first."""
        wrong = self.given != self.truth
        order = self.confidence.masked_fill(~wrong, -1.0).argsort(descending=True, stable=True)
        return [int(index) for index in order[: min(count, int(wrong.sum()))]]


def mean_probabilities(model: nn.Module, pieces: Iterable[Tensor], most: int) -> list[float]:
    """The probability of each class for one sequence that comes in pieces (t, I): the mean over every `most` steps.

    So a sequence of any length takes the memory of `most` steps. One that is not longer is read as a whole.
    """
    held, total, count = torch.zeros(0), torch.zeros(()), 0
    for piece in pieces:
        held = torch.cat([held, piece]) if len(held) else piece
        while len(held) > 2 * most:  # the last piece is never a short one
            total, count = total + _probabilities(model, held[:most]) * most, count + most
            held = held[most:]
    mean: list[float] = ((total + _probabilities(model, held) * len(held)) / (count + len(held))).tolist()
    return mean


def _probabilities(model: nn.Module, steps: Tensor) -> Tensor:
    scores: Tensor = model(steps.unsqueeze(1), torch.tensor([len(steps)]))
    return scores[0].float().softmax(-1)


def _uncounted(done: int) -> None:
    """Nobody counts."""


def answer(
    model: nn.Module,
    sequences: Sequence[NDArray[Any]],
    labels: NDArray[np.int64],
    counted: Callable[[int], None] = _uncounted,
) -> Answers:
    """Ask a classifier about every sequence, like lengths together.

    Arguments:
        model: takes x (T, B, ...) and lengths (B,), gives scores (B, C).
        sequences: N of shape (T_n, ...).
        counted: called with how many are answered.
    """
    device = next(model.parameters()).device
    lengths = lengths_of(sequences)
    batch = max(1, min(512, STEPS_AT_ONCE // int(lengths.max())))
    scores: list[Tensor] = []
    order: list[NDArray[np.int64]] = batches_by_length(lengths, batch)
    done = 0
    for chosen in order:
        x, steps = pad_sequences([sequences[index] for index in chosen])
        scores.append(model(x.to(device), steps.to(device)).float().cpu())
        done += len(chosen)
        counted(done)
    places = torch.from_numpy(np.argsort(np.concatenate(order), kind="stable"))
    return Answers(torch.cat(scores)[places], torch.from_numpy(labels))
