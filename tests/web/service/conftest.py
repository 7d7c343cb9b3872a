"""One server of one run of each task, for all tests of the interface."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.web.service.running import Running, make_runs, served


@pytest.fixture(scope="session")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Their folders."""
    return make_runs(tmp_path_factory.mktemp("served"))


@pytest.fixture(scope="session")
def server(runs: dict[str, Path]) -> Iterator[Running]:
    """A server of them."""
    with served(list(runs.values())) as found:
        yield found


@pytest.fixture
def client(server: Running) -> Iterator[httpx.Client]:
    """For requests to it."""
    with server.client() as found:
        yield found
