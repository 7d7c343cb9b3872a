"""How much memory a model may take: what its weights file holds, or what the computer has; asked before it is taken."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import nn
from torch.overrides import TorchFunctionMode

from elman.data.io.files import check_file, path_kind
from elman.errors import UserError
from elman.training.tensor_files import naming_damage

NAMES = ("hidden_size", "embedding_size", "head")
"""Settings that are the size of some weight."""
TEMPORARY = 8
"""How many times larger than the weights what an initialiser needs for a moment may be."""
SMALL = 1 << 22
"""Numbers that are never too many: 16 MiB of float32."""
_MAKERS = {torch.empty, torch.zeros, torch.ones, torch.rand, torch.randn, torch.full}
TRAINED = 4
"""Copies of a weight in training: itself, its gradient, and two moments of AdamW."""


def check_sizes(settings: Any, path: Path) -> None:
    """Compare the sizes in settings with those in the header of a file of weights, before anything is allocated.

    Raises:
        UserError: a size that no weight of the file has, or more layers than it has weights.
    """
    shapes = shapes_in(path)
    largest = max((size for shape in shapes for size in shape), default=0)
    for name in NAMES if shapes else ():  # a file that is missing or empty is told of where it is read
        value = getattr(settings, name, 0)
        if value > largest:
            has = f"`{name}` is {value}, its weights have {largest}"
            raise UserError(f"{path} does not fit the settings beside it: {has}")
    if shapes and getattr(settings, "layers", 0) > len(shapes):
        raise UserError(f"{path} does not fit the settings beside it: `layers` is {settings.layers}, too many for it")


def shapes_in(path: Path) -> list[list[int]]:
    """The shapes of all tensors of a file; none where there is no regular file.

    Raises:
        UserError: its header is damaged, or it is larger than any file that is read.
    """
    if path_kind(path) != "file":
        return []
    check_file(path)
    with naming_damage(path), safe_open(path, framework="pt") as file:
        return [file.get_slice(name).get_shape() for name in file.keys()]  # noqa: SIM118  (not a dict)


def build_like(build: Callable[[], nn.Module], path: Path) -> nn.Module:
    """A model that takes no more memory than weights of a file can fill.

    Raises:
        UserError: the settings ask for a larger one.
    """
    shapes = shapes_in(path)
    most = max((math.prod(shape) for shape in shapes), default=0) if shapes else 1 << 62
    with _AllocationLimit(max(SMALL, TEMPORARY * most), f"{path} does not fit the settings beside it"):
        return build()


def build_to_train(build: Callable[[], nn.Module]) -> nn.Module:
    """A new model that can be trained in the memory of this computer.

    Raises:
        UserError: it cannot.
    """
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") if hasattr(os, "sysconf") else 1 << 62
    said = f"the model is too large for the {memory / 2**30:.1f} GiB of memory here; lower `hidden_size` or `layers`"
    with _AllocationLimit(memory // (4 * TRAINED), said, total=True):
        return build()


class _AllocationLimit(TorchFunctionMode):
    """Refuse to make a tensor of more than `most` numbers, or all together of more where `total` counts."""

    def __init__(self, most: int, message: str, *, total: bool = False) -> None:
        super().__init__()
        self.left = most
        self.message = message
        self.total = total

    def __torch_function__(
        self, function: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if function in _MAKERS and args:
            sizes = args[0] if isinstance(args[0], list | tuple) else [one for one in args if isinstance(one, int)]
            count = math.prod(sizes)
            if count > self.left:
                raise UserError(f"{self.message}: one of its weights would have {count:,} numbers")
            self.left -= count if self.total else 0
        return function(*args, **(kwargs or {}))
