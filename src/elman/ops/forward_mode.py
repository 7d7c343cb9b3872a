"""Forward-mode derivatives, `torch.func.jvp` and `jacfwd`: by way of the reference, whose operations all have them.

Nothing in it is written in place, so that any of the arguments may carry a tangent.
"""

from __future__ import annotations

import warnings
from functools import cache

from torch import Tensor

from elman.kernels.general import one_by_one, reference
from elman.kernels.general.options import GeneralInputs, GeneralOptions
from elman.kernels.options import RecurrenceInputs, RecurrenceOptions
from elman.ops.vmap import networks_options


def run_with_tangents(inputs: RecurrenceInputs, options: RecurrenceOptions) -> tuple[Tensor, Tensor]:
    """h (T, B, H) and h_last (B, H) with the tangents of what has some."""
    _say_once()
    x, h0, w_ih, w_hh, bias, lengths, mask = inputs
    given = GeneralInputs(x, h0, w_ih, w_hh, bias, lengths=lengths, mask=mask)
    return reference.forward(given, networks_options(options))[:2]


def run_many_with_tangents(inputs: GeneralInputs, options: GeneralOptions) -> tuple[Tensor, Tensor, Tensor]:
    """h (V, T, B, H), the last states (V, B, H), and what an adjoint needs, with the tangents of what has some."""
    _say_once()
    h, h_last, extra = one_by_one.forward_many(inputs, options, True)
    return h, h_last, h.new_empty(h.shape[0], 0) if extra is None else extra


@cache
def _say_once() -> None:
    text = "forward-mode derivatives of the recurrence take the reference's way, step by step, which is slower"
    warnings.warn(text, RuntimeWarning, stacklevel=4)
