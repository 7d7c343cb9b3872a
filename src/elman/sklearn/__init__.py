"""Floor 7: networks and reservoirs as estimators of scikit-learn; see docs/estimators.md."""

from elman.sklearn.classifier import RNNClassifier
from elman.sklearn.forecaster import EXPECTED_FAILED_CHECKS, RNNForecaster
from elman.sklearn.regressor import RNNRegressor
from elman.sklearn.reservoirs import ReservoirClassifier, ReservoirRegressor

__all__ = [
    "EXPECTED_FAILED_CHECKS",
    "RNNClassifier",
    "RNNForecaster",
    "RNNRegressor",
    "ReservoirClassifier",
    "ReservoirRegressor",
]
