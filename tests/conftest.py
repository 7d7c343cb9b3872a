"""What every test may ask for."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from elman.kernels import select_backend
from elman.kernels.cpu import backend as cpu
from elman.kernels.cpu import library
from elman.kernels.options import PLAIN
from elman.kernels.selection import forget_selection

FILLED = {"kernels", "ops"}  # the folders whose tests run with uninitialised memory filled


def instruction_sets() -> list[str]:
    """Those of this processor that the native library was built with, the best first."""
    found = []
    for name in library.ISAS if cpu.available() else ():
        try:
            cpu.set_isa(name)
        except ValueError:
            continue
        found.append(name)
    if found:
        cpu.set_isa("")
    return found


ISAS = instruction_sets()


def pytest_report_header() -> str:
    """Which kernels the tests run."""
    native = f"native library {cpu.isa()} of {', '.join(ISAS)}" if ISAS else "no native library"
    return f"elman: {native}; torch {torch.__version__}, {torch.get_num_threads()} threads"


@pytest.fixture(params=ISAS or ["none"])
def isa(request: pytest.FixtureRequest) -> Iterator[str]:
    """Run the test once with each instruction set of this processor."""
    if not ISAS:
        pytest.skip("the native library is not built here")
    cpu.set_isa(request.param)
    yield request.param
    cpu.set_isa("")


@pytest.fixture(params=["reference", *(f"cpu-{name}" for name in ISAS)])
def backend(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Run the test once on the reference, and on the native backend with each instruction set of this processor."""
    name, _, isa = request.param.partition("-")
    monkeypatch.setenv("ELMAN_BACKEND", name)
    forget_selection()
    if isa:
        cpu.set_isa(isa)
    assert select_backend(PLAIN, torch.device("cpu"), torch.float32).name == name
    yield request.param
    if isa:
        cpu.set_isa("")
    forget_selection()


@pytest.fixture(autouse=True)
def _unwritten_memory_shows(request: pytest.FixtureRequest) -> Iterator[None]:
    """In the tests of kernels and ops `torch.empty` is NaN: what is not written shows."""
    if not FILLED.intersection(request.path.parts):
        yield
        return
    assert torch.utils.deterministic.fill_uninitialized_memory
    torch.use_deterministic_algorithms(True, warn_only=True)
    yield
    torch.use_deterministic_algorithms(False)
