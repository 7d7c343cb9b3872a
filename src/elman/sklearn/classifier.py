"""`RNNClassifier`: the task `series` as an estimator of scikit-learn."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from elman.errors import UserError, optional_imports
from elman.sklearn.base import NETWORK, SequenceNetwork, settings_from
from elman.sklearn.inputs import one_line
from elman.sklearn.numbers import plain

with optional_imports():
    from sklearn.base import ClassifierMixin
    from sklearn.utils.multiclass import check_classification_targets
    from sklearn.utils.validation import check_consistent_length, check_is_fitted, column_or_1d


class RNNClassifier(ClassifierMixin, SequenceNetwork):
    """The class of a sequence, by the networks of `elman train series`.

    Parameters that are 0 or -1 by default are found from the data, as the command does: how many networks there are,
    how large, for how many steps they are trained. Sequences may have any lengths.

    Arguments:
        cell: "rnn", "lstm", "gru", or a registered cell.
        hidden_size: hidden units of each layer, direction and scale.
        layers: recurrent layers, one on the other.
        bidirectional: also read from the end to the beginning.
        readout: what is read of the states: "last", "mean", "sum", "max", "mean-max" or "attention".
        dropout: share of values dropped between layers and at the output, 0.2 where it is None.
        stride, scales: steps of the series for one of the network, and recurrent parts with ever longer ones; with 1
            and 1 the network reads each step by itself.
        members, folds: networks whose probabilities are averaged, and the cross-validation among them.
        augment: how strongly sequences are varied in training; 0 never, -1 or None by their number.
        scale: how channels are scaled: "channels", "all", "none"; "series": each sequence by its own size, which is a
            further channel then; "auto": "series" where sizes differ by orders of magnitude, else "channels".
        steps, batch_size, lr: optimiser steps, sequences in one, and the peak learning rate of AdamW.
        validation_share: held out of every class to choose the best weights, where there is no cross-validation.
        interpolate: fill missing values on the line between their neighbours in time, which are else refused.
        device: "auto", "cpu" or "cuda", to train on; predictions are made on the CPU.
        settings: further settings of the task by their names, such as `{"nonlinearity": "relu"}`.
        random_state: seed of the initial weights, the order of the data and dropout.
        verbose: 1 tells how training goes, on standard error; 2 of every step.

    Attributes:
        classes_: (C,) the labels.
    """

    def fit(self, X: Any, y: ArrayLike) -> Self:
        """Train on sequences X and their labels y (N,).

        Arguments:
            X: (N, T), (N, T, I), a data frame, or a list of (T_n, I): see `elman.sklearn.inputs.sequences_of`.

        Raises:
            UserError: X or y cannot be learned from, or a parameter is out of range.
        """
        from elman.data.timeseries.classification import LabelledSequences, with_part_held_out
        from elman.tasks.series.settings import Settings
        from elman.tasks.series.task import Task

        settings = settings_from(Settings, self, NETWORK, data="memory", interpolate=False)
        sequences = self._sequences(X, reset=True)
        labels = labels_of(self, y, len(sequences))
        every = LabelledSequences(tuple(sequences), labels)
        names = tuple(map(str, self.classes_))
        task = Task.of(settings, with_part_held_out(every, names, settings.validation_share))
        if not (task.settings.folds or len(task.data.validation)):
            raise UserError(
                f"y has {len(labels)} samples, one of each class; to learn and to check takes at least 2 of each class"
            )
        self._trained(task)
        self.scaler_, self.choices_ = task.scaler, task.choices
        return self

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """(N, C) the probability of each class, in the order of `classes_`.

        Raises:
            UserError: X has other channels than in `fit`, or a value is missing.
        """
        check_is_fitted(self)
        shares: NDArray[np.float64] = self._answers(self.model_, X).double().softmax(-1).numpy()
        return shares

    def predict(self, X: Any) -> NDArray[Any]:
        """(N,) the label of each sequence."""
        best = self.predict_proba(X).argmax(axis=1)
        labels: NDArray[Any] = self.classes_[best]
        return labels


def labels_of(estimator: Any, y: ArrayLike, count: int) -> NDArray[np.int64]:
    """(N,) the number of each label; sets `classes_`.

    Raises:
        UserError: there is one class only, or not a label for each of `count` sequences.
    """
    name = type(estimator).__name__
    if y is None:
        raise UserError(f"{name} requires y to be passed, but the target y is None")
    with one_line():
        labels = column_or_1d(y, warn=True)
        check_consistent_length(range(count), labels)
    if labels.dtype.kind == "f" and not np.isfinite(labels).all():
        raise UserError("Input y contains NaN or infinity; give every sequence a label")
    with one_line():
        check_classification_targets(labels)
    estimator.classes_, numbers = np.unique(labels, return_inverse=True)
    if len(estimator.classes_) < 2:
        raise UserError(f"{name} needs at least two classes, and y has 1 class: {plain(estimator.classes_[0])!r}")
    return numbers.astype(np.int64)
