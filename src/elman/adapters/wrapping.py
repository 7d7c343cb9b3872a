"""What the adapters of sktime and of aeon share: an estimator of `elman.sklearn` that is cloned, fitted and asked."""

from __future__ import annotations

from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from elman.errors import optional_imports
from elman.sklearn import ReservoirClassifier, ReservoirRegressor, RNNClassifier, RNNRegressor

with optional_imports():
    from sklearn.base import clone

QUICK: dict[str, Any] = {"steps": 5, "hidden_size": 4, "random_state": 0}
_ONE = {"members": 1, "folds": 0, "stride": 1, "scales": 1}


class Wrapping:
    """An estimator of sequences behind another package's base class, which comes after this one.

    Attributes:
        usual: the class of `elman.sklearn` that is taken where no estimator is given.
        reservoir: the other one that the packages' own checks are run with.
    """

    usual: ClassVar[type[Any]]
    reservoir: ClassVar[type[Any]]
    estimator_: Any

    def __init__(self, estimator: Any = None) -> None:
        self.estimator = estimator
        super().__init__()

    @staticmethod
    def _sequences(X: Any) -> list[NDArray[np.float64]]:
        """The package's series as arrays (T, I)."""
        raise NotImplementedError

    def _fit(self, X: Any, y: Any) -> Self:
        chosen = self.usual() if self.estimator is None else self.estimator
        self.estimator_ = clone(chosen).fit(self._sequences(X), y)
        return self

    def _predict(self, X: Any) -> NDArray[Any]:
        found: NDArray[Any] = self.estimator_.predict(self._sequences(X))
        return found

    @classmethod
    def quick(cls) -> list[dict[str, Any]]:
        """Parameters with which the packages' own checks take seconds."""
        return [
            {"estimator": cls.usual(**_ONE, **QUICK)},
            {"estimator": cls.reservoir(hidden_size=20, random_state=0)},
        ]


class WrappingClassifier(Wrapping):
    """Classes, and their probabilities where the estimator has some."""

    usual, reservoir = RNNClassifier, ReservoirClassifier

    def _predict_proba(self, X: Any) -> NDArray[np.float64]:
        if hasattr(self.estimator_, "predict_proba"):
            shares: NDArray[np.float64] = self.estimator_.predict_proba(self._sequences(X))
            return shares
        certain: NDArray[np.float64] = (self._predict(X)[:, None] == self.estimator_.classes_).astype(np.float64)
        return certain


class WrappingRegressor(Wrapping):
    """Numbers."""

    usual, reservoir = RNNRegressor, ReservoirRegressor
