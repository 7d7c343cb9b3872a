"""The names of elman.insight: all there, none hidden by a module, and numbers without matplotlib."""

import importlib
import subprocess
import sys

import pytest

from elman import insight


def test_every_name_is_what_it_says_whatever_was_imported_first() -> None:
    for home in set(insight._HOMES.values()):
        importlib.import_module(home)
    for name in insight.__all__:
        assert getattr(insight, name) is getattr(importlib.import_module(insight._HOMES[name]), name)
    assert set(insight.__all__) == set(insight._HOMES) <= set(dir(insight))


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        insight.nothing  # noqa: B018


def test_numbers_do_not_wait_for_matplotlib() -> None:
    names = ["bptt", "compare", "computational_graph", "fixed_points", "gradient_flow", "html_page", "states", "unroll"]
    numbers = ", ".join(["GradientMonitor", "units", *names])
    code = f"from elman.insight import {numbers}; import sys; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
