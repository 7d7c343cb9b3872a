"""`ReservoirClassifier` and `ReservoirRegressor`: a reservoir that is not trained, and a readout by ridge regression.

N sequences, T steps, I channels, H hidden units, O targets.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from elman.data.timeseries.sizes import check_size
from elman.errors import UserError, optional_imports
from elman.sklearn.base import SequenceEstimator
from elman.sklearn.classifier import labels_of
from elman.sklearn.inputs import Sequences
from elman.sklearn.numbers import whole_number
from elman.sklearn.regressor import targets_of

with optional_imports():
    from sklearn.base import ClassifierMixin, RegressorMixin
    from sklearn.linear_model import RidgeClassifierCV, RidgeCV
    from sklearn.metrics import r2_score
    from sklearn.utils import check_random_state
    from sklearn.utils.validation import check_is_fitted

if TYPE_CHECKING:
    from elman.data.scaling import Scale

Values = NDArray[np.float64]
RIDGES = tuple(10.0**power for power in range(-6, 4))
"""Ridges that are tried where none is given."""
STEPS_AT_ONCE = 1 << 15


class _ReservoirEstimator(SequenceEstimator):
    """What both have: a reservoir, its parameters, and the features of a sequence."""

    def __init__(
        self,
        *,
        hidden_size: int = 200,
        leak: float = 1.0,
        spectral_radius: float = 0.9,
        input_scale: float = 0.5,
        bias_scale: float = 0.2,
        density: float = 0.1,
        nonlinearity: Literal["tanh", "relu", "identity"] = "tanh",
        ridge: float | Sequence[float] | None = None,
        scale: Scale = "channels",
        interpolate: bool = False,
        random_state: Any = None,
        verbose: int = 0,
    ) -> None:
        self.hidden_size = hidden_size
        self.leak = leak
        self.spectral_radius = spectral_radius
        self.input_scale = input_scale
        self.bias_scale = bias_scale
        self.density = density
        self.nonlinearity = nonlinearity
        self.ridge = ridge
        self.scale = scale
        self.interpolate = interpolate
        self.random_state = random_state
        self.verbose = verbose

    def _begin(self, sequences: Sequences) -> None:
        from elman.data.scaling import Scaler
        from elman.nn.reservoir.layer import Reservoir

        self.scaler_ = Scaler.fit(sequences, self.scale)
        names = ("leak", "spectral_radius", "input_scale", "bias_scale", "density", "nonlinearity")
        self.reservoir_ = Reservoir(
            len(self.scaler_.mean),
            self.hidden_size,
            seed=int(check_random_state(self.random_state).randint(2**31 - 1)),
            **{name: getattr(self, name) for name in names},
        )

    def _ridges(self) -> tuple[float, ...]:
        if self.ridge is None:
            return RIDGES
        given = np.atleast_1d(np.asarray(self.ridge, dtype=np.float64))
        if not len(given) or not (np.isfinite(given).all() and (given > 0).all()):
            raise UserError(f"`ridge` is {self.ridge}; give a number above 0, several, or None to try some")
        return tuple(given.tolist())

    def _inputs(self, sequences: Sequences) -> list[Values]:
        return [self.scaler_(one).astype(np.float64) for one in sequences]

    def _features(self, sequences: Sequences) -> Values:
        """(N, 2 H) the mean of the states of each sequence, and the last one."""
        import torch

        from elman.data.batching import batches_by_length, pad_sequences

        inputs = self._inputs(sequences)
        lengths = [len(one) for one in inputs]
        found = np.empty((len(inputs), 2 * self.hidden_size))
        for chosen in batches_by_length(lengths, max(1, STEPS_AT_ONCE // max(lengths))):
            x, steps = pad_sequences([inputs[index] for index in chosen])
            with torch.no_grad():
                states, last = self.reservoir_(x, lengths=steps)
            found[chosen] = torch.cat([states.sum(0) / steps.unsqueeze(1), last[0]], 1).numpy()
        return found


class ReservoirClassifier(ClassifierMixin, _ReservoirEstimator):
    """The class of a sequence, from the mean and the last state of a reservoir that reads it.

    Nothing but the readout is learned, in one step: seconds where `RNNClassifier` takes minutes.

    Arguments:
        hidden_size: H.
        leak, spectral_radius, input_scale, bias_scale, density, nonlinearity: see `elman.nn.Reservoir`.
        ridge: of the readout; several, of which leaving one sequence out at a time chooses; or None for some of these.
        scale: how channels are scaled: "channels", "all", "none", or "series" for each sequence by its own size, which
            becomes a further channel.
        interpolate: fill missing values on the line between their neighbours in time, which are else refused.
        random_state: seed of the reservoir.
        verbose: has nothing to tell; as in other estimators.

    Attributes:
        classes_: (C,) the labels.
        reservoir_: the `elman.nn.Reservoir`.
        ridge_: the ridge that was taken.
    """

    def fit(self, X: Any, y: ArrayLike) -> Self:
        """Learn the readout from sequences X and their labels y (N,).

        Raises:
            UserError: X or y cannot be learned from, or a parameter is out of range.
        """
        sequences = self._sequences(X, reset=True)
        numbers = labels_of(self, y, len(sequences))
        ridges = self._ridges()
        self._begin(sequences)
        self.readout_ = RidgeClassifierCV(ridges).fit(self._features(sequences), numbers)
        self.ridge_ = float(self.readout_.alpha_)
        return self

    def decision_function(self, X: Any) -> Values:
        """(N, C) how much each class is favoured; (N,), above 0 for the second, where there are two.

        Raises:
            UserError: X has other channels than in `fit`, or a value is missing.
        """
        check_is_fitted(self)
        scores: Values = self.readout_.decision_function(self._features(self._sequences(X, reset=False)))
        return scores

    def predict(self, X: Any) -> NDArray[Any]:
        """(N,) the label of each sequence."""
        scores = self.decision_function(X)
        best = (scores > 0).astype(int) if scores.ndim == 1 else scores.argmax(axis=1)
        labels: NDArray[Any] = self.classes_[best]
        return labels


class ReservoirRegressor(RegressorMixin, _ReservoirEstimator):
    """Numbers that belong to a sequence, or to each of its steps, from the states of a reservoir that reads it.

    Arguments:
        every_step: whether there is a target for each step. X is then (N, T, I) and y (N, T) or (N, T, O), or both are
            lists of sequences; a single sequence is a list of one.
        washout: with `every_step` the steps at the beginning of each sequence that are not learned from.
        ridge: several are chosen among by leaving one sequence out at a time; with `every_step` by the last fifth
            of the steps of each sequence.
        hidden_size, leak, spectral_radius, input_scale, bias_scale, density, nonlinearity, scale, interpolate,
            random_state, verbose: see `ReservoirClassifier`.

    Attributes:
        reservoir_: the `elman.nn.Reservoir`.
        ridge_: the ridge that was taken.
    """

    def __init__(
        self,
        *,
        every_step: bool = False,
        washout: int = 100,
        hidden_size: int = 200,
        leak: float = 1.0,
        spectral_radius: float = 0.9,
        input_scale: float = 0.5,
        bias_scale: float = 0.2,
        density: float = 0.1,
        nonlinearity: Literal["tanh", "relu", "identity"] = "tanh",
        ridge: float | Sequence[float] | None = None,
        scale: Scale = "channels",
        interpolate: bool = False,
        random_state: Any = None,
        verbose: int = 0,
    ) -> None:
        self.every_step = every_step
        self.washout = washout
        super().__init__(
            hidden_size=hidden_size,
            leak=leak,
            spectral_radius=spectral_radius,
            input_scale=input_scale,
            bias_scale=bias_scale,
            density=density,
            nonlinearity=nonlinearity,
            ridge=ridge,
            scale=scale,
            interpolate=interpolate,
            random_state=random_state,
            verbose=verbose,
        )

    def fit(self, X: Any, y: ArrayLike) -> Self:
        """Learn the readout from sequences X and their targets.

        Arguments:
            y: (N,) or (N, O); with `every_step` (N, T), (N, T, O) or a list.

        Raises:
            UserError: X or y cannot be learned from, or a parameter is out of range.
        """
        sequences = self._sequences(X, reset=True)
        ridges = self._ridges()
        if self.every_step and self.scale == "series":
            raise UserError("`scale=series` needs all of a sequence, which `every_step` has not; take `channels`")
        if self.every_step:
            return self._fit_steps(sequences, y, ridges)
        targets = targets_of(self, y, len(sequences))
        self._needs_several(len(sequences))
        self._begin(sequences)
        self.readout_ = RidgeCV(ridges).fit(self._features(sequences), targets)
        self.ridge_ = float(self.readout_.alpha_)
        return self

    def _fit_steps(self, sequences: Sequences, y: Any, ridges: tuple[float, ...]) -> Self:
        from elman.models.reservoir.echo_state import EchoState

        if y is None:
            raise UserError("ReservoirRegressor requires y to be passed, but the target y is None")
        targets = [np.asarray(one, dtype=np.float64) for one in y]
        if [len(one) for one in targets] != [len(one) for one in sequences]:
            raise UserError(
                "with `every_step` y has a target for each step of each sequence of X, and here it has others"
            )
        if {one.ndim for one in targets} not in ({1}, {2}):
            raise UserError("with `every_step` each sequence of y is (T,) or (T, O)")
        for number, one in enumerate(targets):
            if not np.isfinite(one).all():
                raise UserError(
                    f"Input y contains NaN or infinity: y[{number}]; give every step a target, or cut it there"
                )
            check_size(one, f"y[{number}]")
        whole_number(self.washout, "washout", 0)
        self.one_target_ = targets[0].ndim == 1
        self._begin(sequences)
        self.network_ = EchoState(self.reservoir_, ridge=ridges, washout=self.washout)
        self.network_.fit(self._inputs(sequences), [one.reshape(len(one), -1) for one in targets])
        assert self.network_.readout is not None
        self.ridge_ = self.network_.readout.ridge
        return self

    def predict(self, X: Any) -> Any:
        """(N,) or (N, O) as y was; with `every_step` (N, T) or (N, T, O), or of different lengths a list.

        Raises:
            UserError: X has other channels than in `fit`, or a value is missing.
        """
        check_is_fitted(self)
        sequences = self._sequences(X, reset=False)
        if not self.every_step:
            found: Values = self.readout_.predict(self._features(sequences)).reshape(len(sequences), -1)
            return found[:, 0] if self.one_target_ else found
        each = self.network_.predict(self._inputs(sequences))
        each = [one[:, 0] if self.one_target_ else one for one in each]
        return np.stack(each) if len({len(one) for one in each}) == 1 else each

    def score(self, X: Any, y: Any, sample_weight: ArrayLike | None = None) -> float:
        """R^2; with `every_step` over all steps of all sequences."""
        if not self.every_step:
            return float(super().score(X, y, sample_weight))
        true = np.concatenate([np.asarray(one, dtype=np.float64).reshape(len(one), -1) for one in y])
        said = np.concatenate([np.asarray(one).reshape(len(one), -1) for one in self.predict(X)])
        return float(r2_score(true, said))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags
