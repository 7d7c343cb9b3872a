"""The checks of sktime itself, a quick choice of them; `benchmarks/adapters.py sktime` runs all."""

from __future__ import annotations

import pytest

pytest.importorskip("sktime", reason="sktime is not installed here")
from sktime.utils.estimator_checks import check_estimator

from elman.adapters import sktime as adapters


@pytest.mark.parametrize("kind", [adapters.Classifier, adapters.Regressor, adapters.Forecaster])
@pytest.mark.filterwarnings("ignore")  # of sktime's own
def test_sktime_takes_it_for_one_of_its_own(kind: type) -> None:
    found = check_estimator(kind, tests_to_run=["test_constructor", "test_clone", "test_fit_idempotent"])
    assert found
    assert {name: result for name, result in found.items() if result != "PASSED"} == {}
