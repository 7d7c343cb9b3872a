"""Floor 7: networks and reservoirs as estimators of scikit-learn; see docs/estimators.md."""

from elman.sklearn.classifier import RNNClassifier
from elman.sklearn.forecaster import RNNForecaster
from elman.sklearn.regressor import RNNRegressor

__all__ = ["RNNClassifier", "RNNForecaster", "RNNRegressor"]
