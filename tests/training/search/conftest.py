"""Data that a search of settings is tried on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest


@pytest.fixture
def data(tmp_path: Path) -> str:
    """Forty series whose level tells their class."""
    generator = np.random.default_rng(0)
    y = np.arange(40) % 2
    np.savez(tmp_path / "two.npz", x=generator.normal(size=(40, 12)) + 2 * y[:, None], y=y)
    return str(tmp_path / "two.npz")
