"""The one place where a backend is chosen.

A backend is a package with the functions of `elman.kernels.protocols`, and one line in `REGISTRY`, or one call of
`register_backend`. They are tried in order; the first that can run what is asked for runs it.
"""

from __future__ import annotations

import os
import warnings
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from itertools import product
from types import MappingProxyType
from typing import Any

import torch

from elman.errors import UserError
from elman.kernels.decoder import Stack, StackWeights
from elman.kernels.options import NONLINEARITIES, PLAIN, RecurrenceOptions, options_for
from elman.kernels.protocols import (
    GeneralForm,
    LayerForm,
    LayerFunction,
    NetworkForm,
    RecurrenceModule,
    StepForm,
    StepFunction,
)


@dataclass(frozen=True)
class BackendEntry:
    """A line of the registry.

    Attributes:
        name: what ELMAN_BACKEND says to force it.
        module: where it is; imported when it is first considered.
        devices: the types of the devices that it runs on; empty for all.
        on_request: why it runs only where ELMAN_BACKEND names it; empty where it runs by itself.
        whole_networks: it is a `NetworkForm` alone, and leaves the rest to the backends after it.
    """

    name: str
    module: str
    devices: tuple[str, ...] = ()
    on_request: str = ""
    whole_networks: bool = False


REGISTRY = [
    BackendEntry("cpu", "elman.kernels.cpu.backend", ("cpu",)),
    BackendEntry("triton", "elman.kernels.triton.backend", ("cuda",), on_request="it has not been measured on a GPU"),
    BackendEntry("cudnn", "elman.kernels.cudnn", ("cuda",), whole_networks=True),
    BackendEntry("reference", "elman.kernels.reference"),
]
"""In the order in which they are tried."""

_OLD_NAMES = {"gpu": "triton"}  # ELMAN_MACHINE=gpu in version 0.1


@dataclass(frozen=True, eq=False)
class Backend:
    """A backend that was selected, by the forms that it has.

    Attributes:
        name: its name in the registry.
        module: `forward` and `backward` of one recurrence.
        layer: all directions of a layer in one call, or None.
        run_layer: its `LayerFunction` for these options, or None.
        network: a stack of layers in one call, or None; maybe another backend's, tried first.
        stack: its class for single steps (`make_stack`), or None.
        step: a step in one call by the weights where they lie, or None.
        general: the general recurrence, or None: it then runs by the reference.
        passed_over: the backends that came before it -> why they do not run this.
    """

    name: str
    module: RecurrenceModule
    layer: LayerForm | None
    run_layer: LayerFunction | None
    network: NetworkForm | None
    stack: type[Stack] | None
    step: StepForm | None
    general: GeneralForm | None
    passed_over: MappingProxyType[str, str]


def register_backend(
    name: str, module: str, devices: tuple[str, ...] = (), *, on_request: str = "", whole_networks: bool = False
) -> None:
    """Add a backend, to be tried before those that are there already; see `BackendEntry`.

    Raises:
        ValueError: there is one of this name.
    """
    if any(entry.name == name for entry in REGISTRY):
        raise ValueError(f"there is a backend {name!r} already")
    REGISTRY.insert(0, BackendEntry(name, module, devices, on_request, whole_networks))
    forget_selection()


def forget_selection() -> None:
    """Select anew from now on: the registry, the environment or what is installed has changed."""
    select_backend.cache_clear()
    select_step.cache_clear()


@cache
def select_backend(options: RecurrenceOptions, device: torch.device, dtype: torch.dtype) -> Backend:
    """The backend that runs this recurrence on tensors of this device and dtype.

    The environment variable ELMAN_BACKEND (read at the first use) forces one; ELMAN_MACHINE is its name in version 0.1.
    Warns, once, where a backend was made for the device and this installation or device lacks what it needs.

    Raises:
        UserError: ELMAN_BACKEND names no backend, or one that cannot run this.
    """
    return _select(options, device, dtype)


@cache
def select_step(nonlinearity: str, residual: bool) -> StepFunction | None:
    """The `StepFunction` of the backend that runs such steps on the CPU, whatever their dtype, if it has one.

    Its arguments hash without Python, and nothing of the tensors is asked for: around a step of two microseconds both
    would show.
    """
    if nonlinearity not in NONLINEARITIES:
        return None
    options = options_for(nonlinearity, False, bool(residual))
    try:  # nothing is said of what is missing: x may be on another device, where it is not missed
        backends = [_select(options, torch.device("cpu"), dtype, say=False) for dtype in (torch.float32, torch.float64)]
    except UserError:
        return None
    step = backends[0].step
    make = getattr(step, "step_function", None) if backends[1].step is step else None
    return make(nonlinearity, bool(residual)) if make is not None else None


def _select(options: RecurrenceOptions, device: torch.device, dtype: torch.dtype, *, say: bool = True) -> Backend:
    wanted = _wanted()
    network: NetworkForm | None = None
    passed_over: dict[str, str] = {}
    for entry in REGISTRY:
        why = _why_not(entry, options, device, dtype, wanted, say)
        if why:
            passed_over[entry.name] = why
            continue
        module: Any = import_module(entry.module)
        if entry.whole_networks:
            network = network or module
            continue
        if wanted and entry.name != wanted and wanted in passed_over:
            break
        layer = module if hasattr(module, "forward_layer") else None
        run_layer = module.layer_function(options) if hasattr(module, "layer_function") else None
        stack = getattr(module, "STACK", None)
        step = module if hasattr(module, "step_layers") else None
        general = getattr(module, "GENERAL", None)
        passed = MappingProxyType(passed_over)
        return Backend(entry.name, module, layer, run_layer, network, stack, step, general, passed)
    raise UserError(
        f"ELMAN_BACKEND is {wanted!r}, which cannot run {dtype} tensors on {device.type}: {passed_over[wanted]}"
    )


def _wanted() -> str:
    """The backend that the environment asks for, or nothing."""
    said = os.environ.get("ELMAN_BACKEND", os.environ.get("ELMAN_MACHINE", ""))
    wanted = _OLD_NAMES.get(said, said)
    names = [entry.name for entry in REGISTRY]
    if wanted and wanted not in names:
        raise UserError(f"ELMAN_BACKEND is {said!r}; choose {', '.join(names[:-1])} or {names[-1]}")
    return wanted


def _why_not(
    entry: BackendEntry, options: RecurrenceOptions, device: torch.device, dtype: torch.dtype, wanted: str, say: bool
) -> str:
    """Why a backend does not run this; empty where it does."""
    if entry.devices and device.type not in entry.devices:
        return f"it runs on {' and '.join(entry.devices)}, not on {device.type}"
    if wanted and entry.name != wanted and not (entry.name == "reference" and _leaves_the_rest(wanted)):
        return f"ELMAN_BACKEND is {wanted!r}"
    if not wanted and entry.on_request:
        return f"{entry.on_request}; ELMAN_BACKEND={entry.name} tries it"
    module: Any = import_module(entry.module)
    unsupported: str = module.why_unsupported(options, dtype)
    if unsupported:
        return unsupported
    unavailable: str = module.why_unavailable(device)
    if unavailable and not wanted and say:
        _warn(f"{unavailable}; recurrences on {device.type} are several times slower")
    return unavailable


def _leaves_the_rest(name: str) -> bool:
    return any(entry.name == name and entry.whole_networks for entry in REGISTRY)


@cache
def _warn(text: str) -> None:
    warnings.warn(text, RuntimeWarning, stacklevel=4)


def make_stack(weights: StackWeights, options: RecurrenceOptions = PLAIN, *, bfloat16: bool = False) -> Stack:
    """The selected backend's stack for single steps, or the plain one.

    Arguments:
        weights: of the layers, and of what reads and writes tokens.
        options: of every layer.
        bfloat16: round the weights to bfloat16; sums stay in their own dtype.
    """
    w_hh = weights.layers[0].w_hh
    kind = select_backend(options, w_hh.device, w_hh.dtype).stack
    if kind is None or w_hh.dtype not in kind.dtypes:
        kind = Stack
    return kind(weights, options, bfloat16=bfloat16)


def describe_backends() -> dict[str, str]:
    """What each backend is, or why it does not run here, by name; for the user to read."""
    described = {}
    for entry in REGISTRY:
        module: Any = import_module(entry.module)
        why = module.why_unavailable(torch.device(entry.devices[0] if entry.devices else "cpu"))
        if entry.on_request and not why and _wanted() != entry.name:
            why = f"{entry.on_request}; ELMAN_BACKEND={entry.name} tries it"
        described[entry.name] = f"not used: {why}" if why else module.detail()
    return described


def describe_choices() -> dict[str, str]:
    """Which backend runs each dtype on the devices here, and why those made for the device were passed over."""
    devices = [torch.device("cpu"), *([torch.device("cuda")] if torch.cuda.is_available() else [])]
    dtypes = (torch.float32, torch.float64, torch.bfloat16, torch.float16)
    named = {}
    for device, dtype in product(devices, dtypes):
        what = f"{device.type}, {str(dtype).removeprefix('torch.')}"
        try:
            backend = select_backend(PLAIN, device, dtype)
        except UserError as error:
            named[what] = f"none: {error}"
            continue
        shown = backend.name
        if backend.network is not None:
            shown = f"{backend.network.detail()} for what torch.nn.RNN does, else {shown}"
        made_for_it = {entry.name for entry in REGISTRY if device.type in entry.devices}
        reasons = (f"not {name}: {why}" for name, why in backend.passed_over.items() if name in made_for_it)
        named[what] = "; ".join([shown, *reasons])
    return named
