"""`RNNClassifier`: the task `series` as an estimator of scikit-learn."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from elman.errors import UserError, optional_imports
from elman.sklearn.base import SequenceEstimator, settings_from

with optional_imports():
    from sklearn.base import ClassifierMixin
    from sklearn.utils.multiclass import check_classification_targets
    from sklearn.utils.validation import check_consistent_length, check_is_fitted, column_or_1d

if TYPE_CHECKING:
    from elman.data.scaling import Scale
    from elman.models.config import Readout

NETWORK = (
    *("cell", "hidden_size", "layers", "bidirectional", "readout", "dropout", "stride", "scales", "members", "folds"),
    *("augment", "scale", "steps", "batch_size", "lr", "validation_share", "device"),
)
"""Parameters that are settings of the task `series`."""


class RNNClassifier(ClassifierMixin, SequenceEstimator):
    """The class of a sequence, by the networks of `elman train series`.

    Parameters that are 0 or -1 by default are found from the data, as the command does: how many networks there are,
    how large, for how many steps they are trained. Sequences may have any lengths.

    Arguments:
        cell: "rnn", "lstm", "gru", or a registered cell.
        hidden_size: hidden units of each layer, direction and scale.
        layers: recurrent layers, one on the other.
        bidirectional: also read from the end to the beginning.
        readout: what is read of the states: "last", "mean", "sum", "max", "mean-max" or "attention".
        dropout: share of values dropped between layers and at the output.
        stride, scales: steps of the series for one of the network, and recurrent parts with ever longer ones; with 1
            and 1 the network reads each step by itself.
        members, folds: networks whose probabilities are averaged, and the cross-validation among them.
        augment: how strongly sequences are varied in training; 0 never.
        scale: how channels are scaled: "channels", "all" or "none".
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

    def __init__(
        self,
        *,
        cell: str = "rnn",
        hidden_size: int = 0,
        layers: int = 1,
        bidirectional: bool = True,
        readout: Readout = "mean-max",
        dropout: float = 0.2,
        stride: int = 0,
        scales: int = 0,
        members: int = 0,
        folds: int = -1,
        augment: float = -1,
        scale: Scale = "channels",
        steps: int = 0,
        batch_size: int = 0,
        lr: float = 3e-3,
        validation_share: float = 0.1,
        interpolate: bool = False,
        device: Literal["auto", "cpu", "cuda"] = "auto",
        settings: Mapping[str, Any] | None = None,
        random_state: Any = None,
        verbose: int = 0,
    ) -> None:
        self.cell = cell
        self.hidden_size = hidden_size
        self.layers = layers
        self.bidirectional = bidirectional
        self.readout = readout
        self.dropout = dropout
        self.stride = stride
        self.scales = scales
        self.members = members
        self.folds = folds
        self.augment = augment
        self.scale = scale
        self.steps = steps
        self.batch_size = batch_size
        self.lr = lr
        self.validation_share = validation_share
        self.interpolate = interpolate
        self.device = device
        self.settings = settings
        self.random_state = random_state
        self.verbose = verbose

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
        return self.classes_[best]


def labels_of(estimator: Any, y: ArrayLike, count: int) -> NDArray[np.int64]:
    """(N,) the number of each label; sets `classes_`.

    Raises:
        UserError: there is one class only, or not a label for each of `count` sequences.
    """
    name = type(estimator).__name__
    if y is None:
        raise UserError(f"{name} requires y to be passed, but the target y is None")
    labels = column_or_1d(y, warn=True)
    check_consistent_length(range(count), labels)
    if labels.dtype.kind == "f" and not np.isfinite(labels).all():
        raise UserError("Input y contains NaN or infinity; give every sequence a label")
    check_classification_targets(labels)
    estimator.classes_, numbers = np.unique(labels, return_inverse=True)
    if len(estimator.classes_) < 2:
        raise UserError(f"{name} needs at least two classes, and y has 1 class: {estimator.classes_[0]!r}")
    return numbers.astype(np.int64)
