"""Estimators of aeon that stand on those of `elman.sklearn`: `Classifier`, `Regressor`, `Forecaster`.

N series, T steps, I channels.
"""

from __future__ import annotations

from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from elman.adapters.wrapping import QUICK, WrappingClassifier, WrappingRegressor
from elman.errors import optional_imports
from elman.sklearn import RNNForecaster

with optional_imports():
    from aeon.classification.base import BaseClassifier
    from aeon.forecasting.base import BaseForecaster
    from aeon.regression.base import BaseRegressor
    from sklearn.base import clone

_TAGS = {
    "X_inner_type": "np-list",
    "capability:multivariate": True,
    "capability:unequal_length": True,
    "capability:missing_values": False,
    "non_deterministic": False,
}


class _Series:
    @staticmethod
    def _sequences(X: Any) -> list[NDArray[np.float64]]:
        """aeon's list of (I, T) as arrays (T, I)."""
        return [np.asarray(one).T for one in X]


class Classifier(_Series, WrappingClassifier, BaseClassifier):
    """The class of a series, of one channel or many, of any length.

    Arguments:
        estimator: a `RNNClassifier` (the default) or `ReservoirClassifier`, which is cloned.
    """

    _tags: ClassVar[dict[str, Any]] = _TAGS

    @classmethod
    def _get_test_params(cls, parameter_set: str = "default") -> list[dict[str, Any]]:
        return cls.quick()


class Regressor(_Series, WrappingRegressor, BaseRegressor):
    """A number that belongs to a series, of one channel or many, of any length.

    Arguments:
        estimator: a `RNNRegressor` (the default) or `ReservoirRegressor`, which is cloned.
    """

    _tags: ClassVar[dict[str, Any]] = _TAGS

    @classmethod
    def _get_test_params(cls, parameter_set: str = "default") -> list[dict[str, Any]]:
        return cls.quick()


class Forecaster(BaseForecaster):
    """The value of a series `horizon` steps ahead.

    Arguments:
        horizon: steps.
        estimator: a `RNNForecaster`, which is cloned; it forecasts `horizon` steps at once.
    """

    _tags: ClassVar[dict[str, Any]] = {"capability:horizon": True, "capability:exogenous": False}

    def __init__(self, horizon: int = 1, estimator: Any = None) -> None:
        self.estimator = estimator
        super().__init__(horizon=horizon, axis=1)

    def _fit(self, y: Any, exog: Any = None) -> Self:
        chosen = RNNForecaster() if self.estimator is None else self.estimator
        self.estimator_ = clone(chosen).set_params(horizon=self.horizon).fit(y[0])
        self.forecast_ = float(self.estimator_.predict()[-1])
        return self

    def _predict(self, y: Any, exog: Any = None) -> float:
        return float(self.estimator_.predict(history=y[0])[-1])

    @classmethod
    def _get_test_params(cls, parameter_set: str = "default") -> dict[str, Any]:
        return {"estimator": RNNForecaster(**QUICK)}
