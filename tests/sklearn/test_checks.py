"""scikit-learn's own checks of every estimator, and what they are used with: pipelines, grids, folds, pickles."""

from __future__ import annotations

import pickle
from collections import Counter
from typing import Any

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, TimeSeriesSplit, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.utils.estimator_checks import check_estimator

from elman.sklearn import (
    EXPECTED_FAILED_CHECKS,
    ReservoirClassifier,
    ReservoirRegressor,
    RNNClassifier,
    RNNForecaster,
    RNNRegressor,
)

SMALL: dict[str, Any] = {"members": 1, "folds": 0, "stride": 1, "scales": 1, "augment": 0, "lr": 2e-2}
SKIPPED = {"check_array_api_input"}  # it asks for an environment variable that is set before scipy is imported


@pytest.mark.parametrize(
    "estimator",
    [
        RNNClassifier(**SMALL, steps=25, hidden_size=12),
        RNNRegressor(**SMALL, steps=60, hidden_size=12),
        RNNForecaster(steps=2, hidden_size=2, anchor="last", combine="none"),
        ReservoirClassifier(hidden_size=100),
        ReservoirRegressor(),
    ],
    ids=lambda one: type(one).__name__,
)
def test_check_estimator(estimator: Any) -> None:
    expected = EXPECTED_FAILED_CHECKS if isinstance(estimator, RNNForecaster) else {}
    found = check_estimator(estimator, on_fail=None, on_skip=None, expected_failed_checks=expected)
    failed = {one["check_name"]: repr(one["exception"]) for one in found if one["status"] == "failed"}
    assert not failed
    assert {one["check_name"] for one in found if one["status"] == "skipped"} <= SKIPPED
    assert {one["check_name"] for one in found if one["status"] == "xfail"} == expected.keys()
    assert Counter(one["status"] for one in found)["passed"] > 45


def waves(count: int, seed: int = 0) -> tuple[Any, Any]:
    """Rising and falling series of 12 steps."""
    draw = np.random.default_rng(seed)
    y = np.where(np.arange(count) % 2, "rising", "falling")
    slope = np.where(y == "rising", 1.0, -1.0)[:, None]
    return slope * np.linspace(-1, 1, 12) + draw.normal(size=(count, 12)) * 0.3, y


def test_in_a_pipeline_and_a_grid_of_processes() -> None:
    X, y = waves(40)
    pipeline = make_pipeline(StandardScaler(), ReservoirClassifier(hidden_size=20, random_state=0))
    pipeline.set_output(transform="pandas")
    grid = GridSearchCV(pipeline, {"reservoirclassifier__leak": [0.2, 1.0]}, cv=2, n_jobs=2).fit(X, y)
    assert grid.score(*waves(30, 1)) > 0.9
    scores = cross_val_score(RNNClassifier(**SMALL, steps=120, hidden_size=8, random_state=0), X, y, cv=2)
    assert scores.min() > 0.9


def test_a_pickle_and_a_clone_predict_the_same() -> None:
    X, y = waves(30)
    fitted = RNNClassifier(**SMALL, steps=10, hidden_size=8, random_state=3).fit(X, y)
    same = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(same.predict_proba(X), fitted.predict_proba(X))
    again = clone(fitted).fit(X, y)
    np.testing.assert_array_equal(again.predict_proba(X), fitted.predict_proba(X))


def test_a_forecaster_goes_with_time_series_split() -> None:
    t = np.arange(96)
    y = np.sin(2 * np.pi * t / 12) + t / 50
    forecaster = RNNForecaster(steps=5, hidden_size=4, random_state=0)
    folds = TimeSeriesSplit(2, test_size=12)
    assert cross_val_score(forecaster, y, cv=folds).min() > 0.9
    X = np.stack([np.cos(t), t % 7], axis=1)
    piped = make_pipeline(FunctionTransformer(), forecaster)
    assert cross_val_score(piped, X, y, cv=folds).min() > 0.5
