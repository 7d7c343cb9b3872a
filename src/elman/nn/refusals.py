"""What the layers refuse, and take as a whole: dtypes, TorchScript, and symbolic tracing."""

from __future__ import annotations

from typing import Any, NoReturn

import torch
from torch import Tensor, nn

from elman.ops.validation import check_layout


def check_dtype(dtype: torch.dtype | None) -> None:
    """Raise TypeError where parameters would be complex."""
    if dtype is not None and dtype.is_complex:
        raise TypeError(f"dtype is {dtype}; elman's layers compute with real numbers")


def refuse_script(layer: nn.Module) -> NoReturn:
    """What `torch.jit.script` meets.

    Raises:
        NotImplementedError: always.
    """
    raise NotImplementedError(
        f"TorchScript does not compile elman.{type(layer).__name__}; use torch.jit.trace or torch.export, "
        "or put torch's own layer back with elman.restore(model)"
    )


def check_reset(reset: Any) -> None:
    """Raise TypeError where `reset` is no tensor of bool."""
    if not isinstance(reset, Tensor):
        raise TypeError(f"reset is a {type(reset).__name__}; give a tensor of bool")
    if reset.dtype != torch.bool:
        raise TypeError(f"reset is {reset.dtype}, not torch.bool")


def is_ordinary(tensor: Tensor | None) -> bool:
    """Whether it needs no look by `take_other`: an array of numbers, if anything."""
    return tensor is None or (tensor.layout is torch.strided and not tensor.is_nested and not tensor.is_quantized)


def take_other(layer: nn.Module, tensors: dict[str, Any], **more: Any) -> Any:
    """What a call gives where an argument is no ordinary tensor: a node of a symbolic trace, or an error.

    Arguments:
        tensors: the arguments by name, in their order; None, at the end, where not given.
        more: those that have a name only.

    Raises:
        TypeError: a tensor is sparse, nested or quantised.
    """
    for tensor in tensors.values():
        if isinstance(tensor, torch.fx.Proxy):
            target = tensor.tracer.path_of_module(layer)  # type: ignore[attr-defined]  # a tracer of modules has it
            args = tuple(tensor for tensor in tensors.values() if tensor is not None)
            return tensor.tracer.create_proxy("call_module", target, args, more)
    for name, tensor in tensors.items():
        if tensor is not None:
            check_layout(name, tensor)
    raise AssertionError("every argument is ordinary")
