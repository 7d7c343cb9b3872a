"""Every private name of torch that kernels and ops use: the one module to look at when a new torch comes out."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterable, Mapping
from importlib import import_module
from typing import Any

import torch
from torch import Tensor

from elman.kernels.options import PLAIN_TYPES

NAMES = {
    "are_transforms_active": "torch._C:_are_functorch_transforms_active",
    "is_any_autocast_enabled": "torch._C:_is_any_autocast_enabled",
    "has_bfloat16": "torch.cpu:_is_avx512_bf16_supported",
    "is_compiling": "torch.compiler:_is_compiling_flag",
    "is_in_dispatch_mode": "torch.utils._python_dispatch:_is_in_torch_dispatch_mode",
    "dispatch_modes": "torch.utils._python_dispatch:_get_current_dispatch_mode_stack",
    "is_legacy_batched": "torch._C._functorch:is_legacy_batchedtensor",
    "is_zero_tensor": "torch:Tensor._is_zerotensor",
    "is_profiling": "torch._C._autograd:_profiler_enabled",
    "is_tracing": "torch._C:_get_tracing_state",
    "transforms": "torch._C._functorch:get_interpreter_stack",
    "functionalize": "torch._C._functorch:TransformType.Functionalize",
    "forward_ad_level": "torch.autograd.forward_ad:_current_level",
    "function_base": "torch._C:_FunctionBase.apply",
    "rnn_tanh": "torch._VF:rnn_tanh",
    "rnn_relu": "torch._VF:rnn_relu",
}
"""What it is for -> module:name in torch."""

RNN_BASE = ("_all_weights", "_update_flat_weights")
"""Private attributes of `torch.nn.RNNBase` that `elman.nn.RNN` uses."""


def missing(names: Mapping[str, str] = NAMES) -> list[str]:
    """The names that the installed torch lacks."""
    return [place for place in names.values() if _find(place) is None]


def _find(place: str) -> Any:
    module, _, path = place.partition(":")
    try:
        # torch._VF is an attribute that takes the place of its module
        found: Any = torch._VF if module == "torch._VF" else import_module(module)
        for name in path.split("."):
            found = getattr(found, name)
    except (ImportError, AttributeError):
        return None
    return found


def check(names: Mapping[str, str] = NAMES) -> None:
    """Raise ImportError where the installed torch lacks one of the names."""
    lacking = missing(names)
    if lacking:
        listed = ", ".join(place.replace(":", ".") for place in lacking)
        raise ImportError(f"torch {torch.__version__} lacks {listed}, which this version of elman needs")


check()
forward_ad = torch.autograd.forward_ad
python_dispatch: Any = import_module("torch.utils._python_dispatch")
compiler: Any = torch.compiler
is_compiling = torch.compiler.is_compiling
is_dynamo_compiling = torch.compiler.is_dynamo_compiling
is_zero_tensor: Callable[[Tensor], bool] = _find(NAMES["is_zero_tensor"])
is_tracing: Callable[[], Any] = torch._C._get_tracing_state  # None outside torch.jit.trace
are_transforms_active: Callable[[], bool] = torch._C._are_functorch_transforms_active
is_any_autocast_enabled: Callable[[], bool] = torch._C._is_any_autocast_enabled
has_bfloat16: Callable[[], bool] = _find(NAMES["has_bfloat16"])  # of x86-64
dispatch_modes: Callable[[], list[Any]] = _find(NAMES["dispatch_modes"])
is_profiling: Callable[[], bool] = _find(NAMES["is_profiling"])
_is_legacy_batched: Callable[[Tensor], bool] = _find(NAMES["is_legacy_batched"])
rnn_tanh: Callable[..., Any] = _find(NAMES["rnn_tanh"])
rnn_relu: Callable[..., Any] = _find(NAMES["rnn_relu"])
_transforms: Callable[[], Any] = _find(NAMES["transforms"])
_FUNCTIONALIZE: Any = _find(NAMES["functionalize"])


def is_forward_ad() -> bool:
    """Whether forward-mode derivatives are being taken."""
    return forward_ad._current_level >= 0


def is_functionalizing() -> bool:
    """Whether `torch.func.functionalize` is the active transform.

    Raises:
        NotImplementedError: it is one of several.
    """
    levels = [level.key() == _FUNCTIONALIZE for level in _transforms() or ()]
    if any(levels) and not all(levels):
        raise NotImplementedError("the recurrence runs under functionalize, or under other transforms, but not both")
    return any(levels)


def are_plain(tensors: Iterable[Tensor | None]) -> bool:
    """Whether the tensors' memory may be taken: none is of a subclass, which has rules of its own, or a wrapper."""
    return all(tensor is None or (type(tensor) in PLAIN_TYPES and has_numbers(tensor)) for tensor in tensors)


def has_numbers(tensor: Tensor) -> bool:
    """Whether the numbers are the tensor's own: in its memory, or zeros that need none.

    The wrappers of functionalisation have none, nor have those that `is_grads_batched=True` puts around gradients.

    Raises:
        NotImplementedError: for the latter.
    """
    try:
        return tensor.data_ptr() != 0 or tensor.numel() == 0 or tensor._is_zerotensor()
    except RuntimeError as error:  # without storage
        if _is_legacy_batched(tensor):
            raise NotImplementedError(
                "the recurrence has no batched gradients (is_grads_batched=True, vectorize=True); "
                "use torch.func.vmap over torch.func.vjp, or torch.func.jacrev"
            ) from error
        return False


def is_in_dispatch_mode() -> bool:
    """Whether a `TorchDispatchMode` is active."""
    return bool(python_dispatch._is_in_torch_dispatch_mode)


def is_untransformed() -> bool:
    """Whether no compiler, transform, mode or forward differentiation wants to see an operation.

    The flags are those that torch's functions return; to call these takes three times as long.
    """
    return not (
        is_dynamo_compiling()  # which dynamo knows to be true; the flag is set by torch.export
        or compiler._is_compiling_flag
        or are_transforms_active()
        or python_dispatch._is_in_torch_dispatch_mode
        or forward_ad._current_level >= 0
        or is_tracing() is not None
    )


def native_interface() -> dict[str, Any] | None:
    """Where the functions of torch lie by which native code borrows and makes tensors; None where one is missing.

    The first is torch's table for DLPack. The next three, and the numbers, are of the C interface for compiled models.
    The last makes a tensor's Python object; it has the name that compilers for Linux and macOS give to a C++ function.
    """
    capsule = getattr(Tensor, "__dlpack_c_exchange_api__", None)
    try:
        core = ctypes.CDLL(torch._C.__file__)
        wrap = core._Z16THPVariable_WrapRKN2at10TensorBaseE
        functions = [core.aoti_torch_empty_strided, core.aoti_torch_get_data_ptr, core.aoti_torch_delete_tensor_object]
        numbers = [core.aoti_torch_dtype_float32(), core.aoti_torch_dtype_float64(), core.aoti_torch_device_type_cpu()]
        pointer = ctypes.pythonapi.PyCapsule_GetPointer
    except (AttributeError, OSError):
        return None
    pointer.restype, pointer.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    if capsule is None or ctypes.c_uint32.from_address(exchange := pointer(capsule, b"dlpack_exchange_api")).value != 1:
        return None
    names = "empty_strided", "get_data_ptr", "delete_tensor", "wrap"
    found: dict[str, Any] = {"exchange": exchange, "dtypes": (numbers[0], numbers[1]), "cpu": numbers[2]}
    for name, function in zip(names, (*functions, wrap), strict=True):
        found[name] = ctypes.cast(function, ctypes.c_void_p)
    return found


def is_plain_eager() -> bool:
    """Whether none of these, nor autocast, wants to see an operation."""
    return not is_any_autocast_enabled() and is_untransformed()


def unchecked_apply(function: type[torch.autograd.Function]) -> Callable[..., Any]:
    """`function.apply` without its look at the signature, which costs more at every call than a short sequence does.

    It is right wherever no transform of `torch.func` is active.
    """
    apply: Callable[..., Any] = super(torch.autograd.Function, function).apply  # type: ignore[misc]
    return apply
