"""What every test may ask for."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from elman.kernels import select_backend


@pytest.fixture(params=["reference", "cpu"])
def backend(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Run the test once on each machine that is built here."""
    monkeypatch.setenv("ELMAN_BACKEND", request.param)
    select_backend.cache_clear()
    try:
        select_backend(torch.device("cpu"), torch.float32)
    except ValueError as error:
        pytest.skip(str(error))
    else:
        yield request.param
    finally:
        select_backend.cache_clear()
