"""Which machine runs, and how a person chooses."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from elman.kernels import describe, reference, select_backend
from elman.kernels.cpu import backend as cpu

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def _fresh_choice(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delenv("ELMAN_BACKEND", raising=False)
    select_backend.cache_clear()
    yield
    select_backend.cache_clear()


def test_the_fused_machine_runs_the_dtypes_it_serves() -> None:
    assert select_backend(CPU, torch.float32) is (cpu if cpu.available() else reference)
    assert select_backend(CPU, torch.bfloat16) is reference
    assert select_backend(torch.device("meta"), torch.float32) is reference


def test_the_environment_forces_the_reference(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ELMAN_BACKEND", "reference")
    assert select_backend(CPU, torch.float32) is reference
    assert describe() == {"machine for cpu": "reference"}


@pytest.mark.parametrize(
    ("wanted", "dtype", "says"),
    [
        ("cuda", torch.float32, "ELMAN_BACKEND is 'cuda'; choose reference, cpu or gpu"),
        ("cpu", torch.bfloat16, "ELMAN_BACKEND is 'cpu', which cannot run torch.bfloat16 tensors on cpu"),
        ("gpu", torch.float32, "ELMAN_BACKEND is 'gpu', which cannot run torch.float32 tensors on cpu"),
    ],
)
def test_a_choice_that_cannot_be_met_is_an_error(
    wanted: str, dtype: torch.dtype, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ELMAN_BACKEND", wanted)
    with pytest.raises(ValueError, match=says):
        select_backend(CPU, dtype)


def test_what_has_never_run_on_its_device_is_used_on_request_only(monkeypatch: pytest.MonkeyPatch) -> None:
    from elman.kernels.triton import backend as gpu

    monkeypatch.setattr(gpu, "serves", lambda dtype: True)
    assert select_backend(torch.device("cuda"), torch.float32) is reference
    select_backend.cache_clear()
    monkeypatch.setenv("ELMAN_BACKEND", "gpu")
    assert select_backend(torch.device("cuda"), torch.float32) is gpu
