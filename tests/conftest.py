"""What every test may ask for."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from elman.kernels import machine_for


@pytest.fixture(params=["reference", "cpu"])
def machine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Run the test once on each machine that is built here."""
    monkeypatch.setenv("ELMAN_MACHINE", request.param)
    machine_for.cache_clear()
    try:
        machine_for(torch.device("cpu"), torch.float32)
    except ValueError as error:
        pytest.skip(str(error))
    else:
        yield request.param
    finally:
        machine_for.cache_clear()
