"""What autocast does to a recurrence: it casts the arguments once, and so the states.

A CPU computes in float32 and rounds the states at the end: few processors multiply bfloat16 at all, on the others its
products take several times as long, and the sums are float32 in any case. On those few the plain recurrence gets its
tensors in bfloat16.
"""

from __future__ import annotations

import platform

import torch
from torch import Tensor

from elman.kernels.torch_private import has_bfloat16, is_any_autocast_enabled

# found once: a compiler that looks into `multiplies` cannot look for them
_X86 = platform.machine().lower() in ("x86_64", "amd64")
_BFLOAT16 = has_bfloat16()


def autocast_dtype(x: Tensor) -> torch.dtype | None:
    """The dtype that autocast asks for where x lies; None where it is off, or x is float64, which it leaves alone."""
    if not is_any_autocast_enabled():
        return None
    kind = x.device.type
    return torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) and x.dtype != torch.float64 else None


def computed_in(dtype: torch.dtype, device: torch.device, *, general: bool = False) -> torch.dtype:
    """What the recurrence, plain or `general`, computes in where autocast asks for `dtype`."""
    if device.type != "cpu" or (not general and _X86 and _BFLOAT16 and dtype == torch.bfloat16):
        return dtype
    return torch.float32


def multiplies(dtype: torch.dtype) -> bool:
    """Whether torch's products of this dtype are as fast as those of float32 on this processor, as far as one knows."""
    return not _X86 or (dtype == torch.bfloat16 and _BFLOAT16)
