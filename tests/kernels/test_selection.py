"""Which backend runs, why not another, and how the user or a package of their own changes that."""

from __future__ import annotations

import sys
import types
from collections.abc import Iterator

import pytest
import torch

from elman.errors import UserError
from elman.kernels import (
    RecurrenceInputs,
    RecurrenceOptions,
    describe_backends,
    describe_choices,
    reference,
    register_backend,
    select_backend,
    selection,
)
from elman.kernels.cpu import backend as cpu
from elman.kernels.options import PLAIN
from elman.kernels.selection import forget_selection
from elman.ops import recurrence

CPU, CUDA = torch.device("cpu"), torch.device("cuda")


@pytest.fixture(autouse=True)
def _fresh_choice(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delenv("ELMAN_BACKEND", raising=False)
    monkeypatch.setattr(selection, "REGISTRY", list(selection.REGISTRY))
    forget_selection()
    yield
    forget_selection()


def test_the_fused_backend_runs_the_dtypes_it_computes_in() -> None:
    assert select_backend(PLAIN, CPU, torch.float32).name == ("cpu" if cpu.available() else "reference")
    assert select_backend(PLAIN, CPU, torch.bfloat16).name == select_backend(PLAIN, CPU, torch.float32).name
    other = select_backend(PLAIN, CPU, torch.float8_e5m2)
    assert (other.name, other.module) == ("reference", reference)
    assert other.passed_over["cpu"] == "it runs float32, float64, bfloat16 and float16, not torch.float8_e5m2"
    assert other.passed_over["triton"] == "it runs on cuda, not on cpu"
    assert select_backend(PLAIN, torch.device("meta"), torch.float32).name == "reference"


def test_the_environment_forces_the_reference(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ELMAN_BACKEND", "reference")
    backend = select_backend(PLAIN, CPU, torch.float32)
    assert backend.name == "reference"
    assert backend.passed_over["cpu"] == "ELMAN_BACKEND is 'reference'"
    assert describe_choices()["cpu, float32"] == "reference; not cpu: ELMAN_BACKEND is 'reference'"


def test_the_variable_of_version_0_1_still_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ELMAN_MACHINE", "reference")
    assert select_backend(PLAIN, CPU, torch.float32).name == "reference"
    forget_selection()
    monkeypatch.setenv("ELMAN_MACHINE", "gpu")
    with pytest.raises(UserError, match="'triton', which cannot run"):
        select_backend(PLAIN, CPU, torch.float32)


@pytest.mark.parametrize(
    ("wanted", "dtype", "says"),
    [
        ("cuda", torch.float32, "ELMAN_BACKEND is 'cuda'; choose cpu, triton, cudnn or reference"),
        ("cpu", torch.float8_e5m2, "'cpu', which cannot run torch.float8_e5m2 tensors on cpu: it runs float32"),
        ("triton", torch.float32, "'triton', which cannot run torch.float32 tensors on cpu: it runs on cuda"),
        ("cudnn", torch.float32, "'cudnn', which cannot run torch.float32 tensors on cpu: it runs on cuda"),
    ],
)
def test_a_choice_that_cannot_be_met_is_an_error(
    wanted: str, dtype: torch.dtype, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ELMAN_BACKEND", wanted)
    with pytest.raises(UserError, match=says):
        select_backend(PLAIN, CPU, dtype)
    shown = describe_choices().get(f"cpu, {str(dtype).removeprefix('torch.')}")
    assert shown is None or says.partition("; ")[0] in shown


def test_on_a_gpu_cudnn_comes_first_and_triton_waits_to_be_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    from elman.kernels import cudnn
    from elman.kernels.triton import backend as triton

    monkeypatch.setattr(triton, "why_unavailable", lambda device: "")
    monkeypatch.setattr(cudnn, "why_unavailable", lambda device: "")
    backend = select_backend(PLAIN, CUDA, torch.float32)
    assert (backend.name, backend.network) == ("reference", cudnn)
    assert backend.passed_over["triton"] == "it has not been measured on a GPU; ELMAN_BACKEND=triton tries it"
    own = select_backend(RecurrenceOptions(residual=True), CUDA, torch.float32)
    assert own.network is None
    assert own.passed_over["cudnn"] == "cuDNN has no identity connection"
    for wanted, name, network in (("triton", "triton", None), ("cudnn", "reference", cudnn)):
        forget_selection()
        monkeypatch.setenv("ELMAN_BACKEND", wanted)
        backend = select_backend(PLAIN, CUDA, torch.float32)
        assert (backend.name, backend.network) == (name, network)
        assert backend.general is (triton.GENERAL if name == "triton" else None)


def test_a_missing_library_is_said_once_and_the_reference_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cpu, "why_unavailable", lambda device: "the library is gone")
    with pytest.warns(RuntimeWarning, match="the library is gone; recurrences on cpu are several times slower") as said:
        backends = [select_backend(PLAIN, CPU, dtype) for dtype in (torch.float32, torch.float64)]
    assert [backend.name for backend in backends] == ["reference", "reference"]
    assert len(said) == 1
    assert describe_backends()["cpu"] == "not used: the library is gone"


def test_a_backend_of_ones_own_is_one_package_and_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def forward(inputs: RecurrenceInputs, options: RecurrenceOptions) -> tuple[torch.Tensor, torch.Tensor]:
        calls.append(options)
        return reference.forward(inputs, options)

    package = types.ModuleType("own_backend")
    package.__dict__.update(
        why_unavailable=lambda device: "",
        why_unsupported=lambda options, dtype: "it has no relu" if options.nonlinearity == "relu" else "",
        detail=lambda: "a dummy",
        forward=forward,
        backward=reference.backward,
    )
    monkeypatch.setitem(sys.modules, "own_backend", package)
    register_backend("own", "own_backend", devices=("cpu",))

    assert select_backend(PLAIN, CPU, torch.float32).name == "own"
    tensors = [torch.randn(shape, requires_grad=True) for shape in ((5, 2, 3), (2, 4), (4, 3), (4, 4))]
    h, _ = recurrence(*tensors, None, residual=True)
    h.sum().backward()
    assert calls == [RecurrenceOptions(residual=True)]
    relu = select_backend(RecurrenceOptions("relu"), CPU, torch.float32)
    assert relu.name != "own"
    assert relu.passed_over["own"] == "it has no relu"
    assert describe_backends()["own"] == "a dummy"
    with pytest.raises(ValueError, match="a backend 'own' already"):
        register_backend("own", "own_backend")
