"""Every private name of torch that kernels and ops use: the one module to look at when a new torch comes out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from importlib import import_module
from typing import Any

import torch
from torch import Tensor

from elman.kernels.options import PLAIN_TYPES

NAMES = {
    "are_transforms_active": "torch._C:_are_functorch_transforms_active",
    "is_any_autocast_enabled": "torch._C:_is_any_autocast_enabled",
    "is_in_dispatch_mode": "torch.utils._python_dispatch:is_in_torch_dispatch_mode",
    "dispatch_modes": "torch.utils._python_dispatch:_get_current_dispatch_mode_stack",
    "is_legacy_batched": "torch._C._functorch:is_legacy_batchedtensor",
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
is_compiling = torch.compiler.is_compiling
is_tracing: Callable[[], Any] = torch._C._get_tracing_state  # None outside torch.jit.trace
are_transforms_active: Callable[[], bool] = torch._C._are_functorch_transforms_active
is_any_autocast_enabled: Callable[[], bool] = torch._C._is_any_autocast_enabled
is_in_dispatch_mode: Callable[[], bool] = _find(NAMES["is_in_dispatch_mode"])
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


def is_untransformed() -> bool:
    """Whether no compiler, transform, mode or forward differentiation wants to see an operation."""
    return not (
        is_compiling()
        or are_transforms_active()
        or is_in_dispatch_mode()
        or forward_ad._current_level >= 0
        or is_tracing() is not None
    )


def is_plain_eager() -> bool:
    """Whether none of these, nor autocast, wants to see an operation."""
    return not is_any_autocast_enabled() and is_untransformed()


def unchecked_apply(function: type[torch.autograd.Function]) -> Callable[..., Any]:
    """`function.apply` without its look at the signature, which costs more at every call than a short sequence does.

    It is right wherever no transform of `torch.func` is active.
    """
    apply: Callable[..., Any] = super(torch.autograd.Function, function).apply  # type: ignore[misc]
    return apply
