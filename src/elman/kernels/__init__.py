"""One recurrence, several machines: modules with the same two functions, `forward` and `backward`.

`reference` is the equations in plain torch, the specification of the others. Which machine runs is decided here,
once, by `select_backend`.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import cache
from importlib import import_module
from typing import Any, Protocol, cast

import torch
from torch import Tensor


class Backend(Protocol):
    """What a machine's module offers; `reference` explains the arguments."""

    def forward(
        self,
        x: Tensor,
        h0: Tensor,
        w_ih: Tensor,
        w_hh: Tensor,
        bias: Tensor | None,
        lengths: Tensor | None,
        nonlinearity: str,
        reverse: bool,
        residual: bool,
        mask: Tensor | None,
    ) -> tuple[Tensor, Tensor]: ...

    def backward(
        self,
        grad_h: Tensor | None,
        grad_h_last: Tensor | None,
        x: Tensor,
        h0: Tensor,
        w_ih: Tensor,
        w_hh: Tensor,
        bias: Tensor | None,
        h: Tensor,
        lengths: Tensor | None,
        nonlinearity: str,
        reverse: bool,
        residual: bool,
        mask: Tensor | None,
        needs: Sequence[bool],
    ) -> tuple[Tensor | None, Tensor | None, Tensor | None, Tensor | None, Tensor | None]: ...


_FUSED = {"cpu": "cpu", "cuda": "gpu"}  # device type -> the module that was written for it
_MODULES = {"cpu": "elman.kernels.cpu.backend", "gpu": "elman.kernels.triton.backend"}
_ON_REQUEST = {"gpu"}  # until it has been run, and measured, on a GPU


@cache
def select_backend(device: torch.device, dtype: torch.dtype) -> Backend:
    """The machine that runs tensors of this device and dtype.

    The fused one that was written for the device, where it is built and `serves` the dtype, else the reference. The
    environment variable ELMAN_BACKEND (reference, cpu or gpu; read at the first use) forces one; gpu runs only so.

    Raises:
        ValueError: ELMAN_BACKEND names no machine, or one that cannot run this device and dtype.
    """
    wanted = _wanted()
    if wanted not in ("", "reference", *_FUSED.values()):
        raise ValueError(f"ELMAN_BACKEND is {wanted!r}; choose reference, cpu or gpu")
    name = _FUSED.get(device.type, "reference")
    asked = wanted == name or (wanted == "" and name not in _ON_REQUEST)
    if asked and name in _MODULES:
        fused: Any = import_module(_MODULES[name])
        if fused.serves(dtype):
            return cast(Backend, fused)
    if wanted not in ("", "reference"):
        raise ValueError(f"ELMAN_BACKEND is {wanted!r}, which cannot run {dtype} tensors on {device.type} here")
    return cast(Backend, import_module("elman.kernels.reference"))


def _wanted() -> str:
    """The backend that the environment asks for; ELMAN_MACHINE is the variable's name in version 0.1."""
    return os.environ.get("ELMAN_BACKEND", os.environ.get("ELMAN_MACHINE", ""))


def cudnn_serves(x: Tensor) -> bool:
    """Whether torch's own recurrent operation goes before the reference: cuDNN's, on a GPU, if no machine was named."""
    acceptable: Any = torch.backends.cudnn.is_acceptable
    return x.is_cuda and _wanted() == "" and bool(acceptable(x))


def describe() -> dict[str, str]:
    """What runs each dtype here, for a person to read: device -> machine, and why where it is not the fused one."""
    from elman.kernels.triton import backend as gpu

    named = {"machine for cpu": _named(torch.device("cpu"), torch.float32)}
    if not torch.cuda.is_available():
        return named
    device = torch.device("cuda")
    for dtype in (*gpu.DTYPES, torch.float64):
        name = _named(device, dtype)
        if name == "reference":
            by_cudnn = cudnn_serves(torch.empty(0, dtype=dtype, device=device))
            first = "cuDNN for what torch.nn.RNN does, else " if by_cudnn else ""
            name = f"{first}reference (plain torch), because {_why_reference(dtype)}"
        elif name.startswith("gpu"):
            name += f", one launch up to H={gpu.widest(dtype)}, one a step above"
        named[f"machine for cuda, {str(dtype).removeprefix('torch.')}"] = name
    return named


def _named(device: torch.device, dtype: torch.dtype) -> str:
    backend: Any = select_backend(device, dtype)
    name = next((name for name, module in _MODULES.items() if module == backend.__name__), "reference")
    return f"{name} ({backend.isa()})" if hasattr(backend, "isa") else name


def _why_reference(dtype: torch.dtype) -> str:
    from elman.kernels.triton import backend as gpu

    wanted = _wanted()
    if wanted == "reference":
        return "ELMAN_BACKEND=reference asks for it"
    if wanted == "" and dtype in gpu.DTYPES:
        return "the Triton kernels have not been measured yet; ELMAN_BACKEND=gpu tries them"
    return gpu.why_not() or f"the kernels do not compute in {dtype}"
