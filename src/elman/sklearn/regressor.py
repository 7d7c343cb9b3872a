"""`RNNRegressor`: sequences to numbers, by the networks of the task `series`."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from elman.data.timeseries.sizes import check_size
from elman.errors import UserError, optional_imports
from elman.sklearn.base import NETWORK, SequenceNetwork, settings_from
from elman.sklearn.inputs import one_line

with optional_imports():
    from sklearn.base import RegressorMixin
    from sklearn.utils.validation import check_array, check_consistent_length, check_is_fitted, column_or_1d


class RNNRegressor(RegressorMixin, SequenceNetwork):
    """A number, or several, that belong to a sequence. Sequences may have any lengths.

    Targets are scaled to mean 0 and standard deviation 1 in training; what is lowered is their squared error.

    Arguments:
        cell, hidden_size, layers, bidirectional, readout, dropout, stride, scales, members, folds, augment, scale,
            steps, batch_size, lr, validation_share, interpolate, device, settings, random_state, verbose: see
            `RNNClassifier`. Members' answers are averaged. `dropout` and `augment` are 0 where they are None, and
            `scale` is "channels" where it is "auto", since a number may depend on what is varied, as size or tempo.
    """

    def fit(self, X: Any, y: ArrayLike) -> Self:
        """Train on sequences X and their targets y, (N,) or (N, O).

        Arguments:
            X: (N, T), (N, T, I), a data frame, or a list of (T_n, I): see `elman.sklearn.inputs.sequences_of`.

        Raises:
            UserError: X or y cannot be learned from, or a parameter is out of range.
        """
        from elman.tasks.series.regression import RegressionTask
        from elman.tasks.series.settings import Settings

        fixed: dict[str, Any] = {name: 0.0 for name in ("dropout", "augment") if getattr(self, name) is None}
        fixed |= {"scale": "channels"} if self.scale == "auto" else {}
        fixed |= {"data": "memory", "interpolate": False, "best_by": "loss"}
        settings = settings_from(Settings, self, NETWORK, **fixed)
        sequences = self._sequences(X, reset=True)
        targets = targets_of(self, y, len(sequences))
        self._needs_several(len(sequences))
        task = RegressionTask.of_arrays(settings, sequences, targets)
        self._trained(task)
        self.scaler_, self.target_scale_, self.choices_ = task.scaler, task.target_scale, task.choices
        return self

    def predict(self, X: Any) -> NDArray[np.float64]:
        """(N,) or (N, O), as y was.

        Raises:
            UserError: X has other channels than in `fit`, or a value is missing.
        """
        from elman.models.classification.ensemble import Ensemble, MeanOfMembers

        check_is_fitted(self)
        model = MeanOfMembers(self.model_) if isinstance(self.model_, Ensemble) else self.model_
        mean, std = self.target_scale_
        found: NDArray[np.float64] = self._answers(model, X).numpy().astype(np.float64) * std + mean
        return found[:, 0] if self.one_target_ else found

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags


def targets_of(estimator: Any, y: ArrayLike, count: int) -> NDArray[np.float64]:
    """(N, O) float64; sets `one_target_`, whether y was (N,).

    Raises:
        UserError: a value is missing or too large to compute with, or there are not `count` of them.
    """
    if y is None:
        raise UserError(f"{type(estimator).__name__} requires y to be passed, but the target y is None")
    with one_line():
        targets: NDArray[np.float64] = check_array(
            y, dtype=np.float64, ensure_2d=False, allow_nd=True, input_name="y", ensure_all_finite=True
        )
        if targets.ndim == 2 and targets.shape[1] == 1:
            targets = column_or_1d(targets, warn=True)
        check_consistent_length(range(count), targets)
    if targets.ndim > 2:
        raise UserError(f"y has shape {targets.shape}; give (N,) or (N, O)")
    check_size(targets, "y")
    estimator.one_target_ = targets.ndim == 1
    return targets.reshape(count, -1)
