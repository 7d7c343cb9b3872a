"""Which machine runs, and how a person chooses."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from elman.kernels import describe, machine_for, reference
from elman.kernels.cpu import backend as cpu

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def _fresh_choice(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delenv("ELMAN_MACHINE", raising=False)
    machine_for.cache_clear()
    yield
    machine_for.cache_clear()


def test_the_fused_machine_runs_the_dtypes_it_serves() -> None:
    assert machine_for(CPU, torch.float32) is (cpu if cpu.available() else reference)
    assert machine_for(CPU, torch.bfloat16) is reference
    assert machine_for(torch.device("meta"), torch.float32) is reference


def test_the_environment_forces_the_reference(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ELMAN_MACHINE", "reference")
    assert machine_for(CPU, torch.float32) is reference
    assert describe() == {"machine for cpu": "reference"}


@pytest.mark.parametrize(
    ("wanted", "dtype", "says"),
    [
        ("cuda", torch.float32, "ELMAN_MACHINE is 'cuda'; choose reference, cpu or gpu"),
        ("cpu", torch.bfloat16, "ELMAN_MACHINE is 'cpu', which cannot run torch.bfloat16 tensors on cpu"),
        ("gpu", torch.float32, "ELMAN_MACHINE is 'gpu', which cannot run torch.float32 tensors on cpu"),
    ],
)
def test_a_choice_that_cannot_be_met_is_an_error(
    wanted: str, dtype: torch.dtype, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ELMAN_MACHINE", wanted)
    with pytest.raises(ValueError, match=says):
        machine_for(CPU, dtype)


def test_what_has_never_run_on_its_device_is_used_on_request_only(monkeypatch: pytest.MonkeyPatch) -> None:
    from elman.kernels.triton import backend as gpu

    monkeypatch.setattr(gpu, "serves", lambda dtype: True)
    assert machine_for(torch.device("cuda"), torch.float32) is reference
    machine_for.cache_clear()
    monkeypatch.setenv("ELMAN_MACHINE", "gpu")
    assert machine_for(torch.device("cuda"), torch.float32) is gpu
