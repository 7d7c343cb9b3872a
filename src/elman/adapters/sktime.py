"""Estimators of sktime that stand on those of `elman.sklearn`: `Classifier`, `Regressor`, `Forecaster`.

N series, T steps, I channels, F steps ahead.
"""

from __future__ import annotations

from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from elman.adapters.wrapping import QUICK, WrappingClassifier, WrappingRegressor
from elman.errors import optional_imports
from elman.sklearn import RNNForecaster

with optional_imports():
    import pandas as pd
    from sklearn.base import clone
    from sktime.classification.base import BaseClassifier
    from sktime.forecasting.base import BaseForecaster
    from sktime.regression.base import BaseRegressor

_TAGS = {
    "authors": "elman",
    "maintainers": "elman",
    "X_inner_mtype": "df-list",
    "capability:multivariate": True,
    "capability:unequal_length": True,
    "capability:missing_values": False,
    "capability:categorical_in_X": False,
}


class _Series:
    @staticmethod
    def _sequences(X: Any) -> list[NDArray[np.float64]]:
        """sktime's list of frames as arrays (T, I)."""
        return [one.to_numpy() for one in X]


class Classifier(_Series, WrappingClassifier, BaseClassifier):
    """The class of a series, of one channel or many, of any length.

    Arguments:
        estimator: a `RNNClassifier` (the default) or `ReservoirClassifier`, which is cloned.

    Examples:
        >>> from elman.adapters.sktime import Classifier
        >>> from elman.sklearn import ReservoirClassifier
        >>> from sktime.datasets import load_unit_test
        >>> X, y = load_unit_test(split="train")
        >>> Classifier(ReservoirClassifier(hidden_size=50, random_state=0)).fit(X, y).predict(X).shape
        (20,)
    """

    _tags: ClassVar[dict[str, Any]] = {**_TAGS, "capability:predict_proba": True}

    @classmethod
    def get_test_params(cls, parameter_set: str = "default") -> list[dict[str, Any]]:
        """Small ones, for sktime's own checks."""
        return cls.quick()


class Regressor(_Series, WrappingRegressor, BaseRegressor):
    """A number that belongs to a series, of one channel or many, of any length.

    Arguments:
        estimator: a `RNNRegressor` (the default) or `ReservoirRegressor`, which is cloned.

    Examples:
        >>> from elman.adapters.sktime import Regressor
        >>> from elman.sklearn import ReservoirRegressor
        >>> from sktime.datasets import load_unit_test
        >>> X, y = load_unit_test(split="train")
        >>> Regressor(ReservoirRegressor(hidden_size=50, random_state=0)).fit(X, y.astype(float)).predict(X).shape
        (20,)
    """

    _tags: ClassVar[dict[str, Any]] = _TAGS

    @classmethod
    def get_test_params(cls, parameter_set: str = "default") -> list[dict[str, Any]]:
        """Small ones, for sktime's own checks."""
        return cls.quick()


class Forecaster(BaseForecaster):
    """How a series goes on, with or without exogenous columns.

    A network forecasts some steps at once, `estimator.horizon` or by the data; what lies beyond goes on from its own
    forecasts, so that any horizon can be asked for after `fit`.

    Arguments:
        estimator: a `RNNForecaster`, which is cloned.

    Examples:
        >>> from elman.adapters.sktime import Forecaster
        >>> from elman.sklearn import RNNForecaster
        >>> from sktime.datasets import load_airline
        >>> y = load_airline()
        >>> forecaster = Forecaster(RNNForecaster(steps=20, random_state=0)).fit(y)
        >>> forecaster.predict(fh=[1, 2, 3]).shape
        (3,)
    """

    _tags: ClassVar[dict[str, Any]] = {
        "authors": "elman",
        "maintainers": "elman",
        "y_inner_mtype": "pd.DataFrame",
        "X_inner_mtype": "pd.DataFrame",
        "capability:multivariate": True,
        "capability:exogenous": True,
        "capability:non_contiguous_X": False,
        "capability:insample": False,
        "capability:pred_int": False,
        "capability:pred_int:insample": False,
        "capability:missing_values": False,
        "capability:categorical_in_X": False,
        "requires-fh-in-fit": False,
    }

    def __init__(self, estimator: Any = None) -> None:
        self.estimator = estimator
        super().__init__()

    def _fit(self, y: Any, X: Any, fh: Any) -> Self:
        chosen = RNNForecaster() if self.estimator is None else self.estimator
        self.estimator_ = clone(chosen)
        if X is None:
            self.estimator_.fit(_dated(y))
        else:
            self.estimator_.fit(X.to_numpy(), y.to_numpy())
        return self

    def _predict(self, fh: Any, X: Any) -> pd.DataFrame:
        ahead = np.asarray(fh.to_relative(self.cutoff).to_pandas(), dtype=np.int64)
        steps = int(ahead.max())
        if self.estimator_.settings_.known:
            found = self.estimator_.predict(X.to_numpy()[:steps])
        else:
            found = self.estimator_.predict(horizon=steps)
        rows = np.asarray(found).reshape(steps, -1)[ahead - 1]
        return pd.DataFrame(rows, index=fh.to_absolute(self.cutoff).to_pandas(), columns=self._get_columns("predict"))

    @classmethod
    def get_test_params(cls, parameter_set: str = "default") -> list[dict[str, Any]]:
        """Small ones, for sktime's own checks."""
        return [{"estimator": RNNForecaster(**QUICK)}, {"estimator": RNNForecaster(mode="recursive", **QUICK)}]


def _dated(y: pd.DataFrame) -> Any:
    """The values, with dates where they have some."""
    dated = isinstance(y.index, pd.DatetimeIndex | pd.PeriodIndex)
    return y.rename(columns=lambda name: f"y {name}") if dated else y.to_numpy()
