"""Estimators of aeon that stand on those of `elman.sklearn`: `Classifier`, `Regressor`, `Forecaster`.

N series, T steps, I channels.
"""

from __future__ import annotations

from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from elman.errors import optional_imports
from elman.sklearn import ReservoirClassifier, ReservoirRegressor, RNNClassifier, RNNForecaster, RNNRegressor

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
_QUICK: dict[str, Any] = {"steps": 5, "hidden_size": 4, "random_state": 0}


class Classifier(BaseClassifier):
    """The class of a series, of one channel or many, of any length.

    Arguments:
        estimator: a `RNNClassifier` (the default) or `ReservoirClassifier`, which is cloned.
    """

    _tags: ClassVar[dict[str, Any]] = _TAGS

    def __init__(self, estimator: Any = None) -> None:
        self.estimator = estimator
        super().__init__()

    def _fit(self, X: Any, y: Any) -> Self:
        chosen = RNNClassifier() if self.estimator is None else self.estimator
        self.estimator_ = clone(chosen).fit(_sequences(X), y)
        return self

    def _predict(self, X: Any) -> NDArray[Any]:
        found: NDArray[Any] = self.estimator_.predict(_sequences(X))
        return found

    def _predict_proba(self, X: Any) -> NDArray[np.float64]:
        if hasattr(self.estimator_, "predict_proba"):
            shares: NDArray[np.float64] = self.estimator_.predict_proba(_sequences(X))
            return shares
        certain: NDArray[np.float64] = (self._predict(X)[:, None] == self.estimator_.classes_).astype(np.float64)
        return certain

    @classmethod
    def _get_test_params(cls, parameter_set: str = "default") -> list[dict[str, Any]]:
        rnn = RNNClassifier(members=1, folds=0, stride=1, scales=1, **_QUICK)
        return [{"estimator": rnn}, {"estimator": ReservoirClassifier(hidden_size=20, random_state=0)}]


class Regressor(BaseRegressor):
    """A number that belongs to a series, of one channel or many, of any length.

    Arguments:
        estimator: a `RNNRegressor` (the default) or `ReservoirRegressor`, which is cloned.
    """

    _tags: ClassVar[dict[str, Any]] = _TAGS

    def __init__(self, estimator: Any = None) -> None:
        self.estimator = estimator
        super().__init__()

    def _fit(self, X: Any, y: Any) -> Self:
        chosen = RNNRegressor() if self.estimator is None else self.estimator
        self.estimator_ = clone(chosen).fit(_sequences(X), y)
        return self

    def _predict(self, X: Any) -> NDArray[np.float64]:
        found: NDArray[np.float64] = self.estimator_.predict(_sequences(X))
        return found

    @classmethod
    def _get_test_params(cls, parameter_set: str = "default") -> list[dict[str, Any]]:
        rnn = RNNRegressor(members=1, folds=0, stride=1, scales=1, **_QUICK)
        return [{"estimator": rnn}, {"estimator": ReservoirRegressor(hidden_size=20, random_state=0)}]


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
        return {"estimator": RNNForecaster(**_QUICK)}


def _sequences(X: Any) -> list[NDArray[np.float64]]:
    """aeon's list of (I, T) as arrays (T, I)."""
    return [np.asarray(one).T for one in X]
