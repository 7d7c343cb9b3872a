"""The checks of aeon itself, a quick choice of them; `benchmarks/adapters.py aeon` runs all."""

from __future__ import annotations

import pytest

pytest.importorskip("aeon", reason="aeon is not installed here")
from aeon.testing.estimator_checking import check_estimator

from elman.adapters import aeon as adapters


@pytest.mark.parametrize("kind", [adapters.Regressor, adapters.Forecaster])
@pytest.mark.filterwarnings("ignore")  # of aeon's own
def test_aeon_takes_it_for_one_of_its_own(kind: type) -> None:
    found = check_estimator(kind)
    assert found
    assert {name: result for name, result in found.items() if result != "PASSED"} == {}
