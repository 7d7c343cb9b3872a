"""What autocast does to a recurrence: it casts the arguments once, and so the states.

A CPU computes in float32 and rounds the states at the end: few processors multiply bfloat16 at all, on the others its
products take several times as long, and the sums are float32 in any case. On those few the plain recurrence of
large weights gets its tensors in bfloat16.
"""

from __future__ import annotations

import platform

import torch
from torch import Tensor

from elman.errors import UserError
from elman.kernels.cpu.library import available, isa
from elman.kernels.torch_private import has_bfloat16, is_any_autocast_enabled

# found once: a compiler that looks into `multiplies` cannot look for them
_X86 = platform.machine().lower() in ("x86_64", "amd64")
_BFLOAT16 = has_bfloat16()
_SMALL_BYTES = 32 * 1024  # fused_weights_bytes in kernels/native/runtime/thresholds.h


def _library_multiplies() -> bool:
    try:
        return _X86 and _BFLOAT16 and available() and isa() == "avx512bf16"
    except (OSError, UserError):  # a library that does not load says so where it is used
        return False


_LIBRARY_MULTIPLIES = _library_multiplies()


def autocast_dtype(x: Tensor) -> torch.dtype | None:
    """The dtype that autocast asks for where x lies; None where it is off, or x is float64, which it leaves alone."""
    if not is_any_autocast_enabled():
        return None
    kind = x.device.type
    return torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) and x.dtype != torch.float64 else None


def computed_in(dtype: torch.dtype, device: torch.device, weights: int = 0, *, exact: bool = False) -> torch.dtype:
    """What the recurrence computes in where autocast asks for `dtype`.

    Arguments:
        weights: how many there are of one direction, (I + H) H; a CPU multiplies small ones in float32 in any case.
        exact: a CPU's kernels would multiply float32, or rounded states would not do: the identity connection's adjoint
            takes f(a) from the difference of two of them.
    """
    if device.type != "cpu":
        return dtype
    multiplied = not exact and _LIBRARY_MULTIPLIES and dtype == torch.bfloat16 and 4 * weights > _SMALL_BYTES
    return dtype if multiplied else torch.float32


def multiplies(dtype: torch.dtype) -> bool:
    """Whether torch's products of this dtype are as fast as those of float32 on this processor, as far as one knows."""
    return not _X86 or (dtype == torch.bfloat16 and _BFLOAT16)
