"""The general recurrence with a function f of the user's own: a plain loop, differentiated by autograd.

T steps, B sequences, I inputs, H hidden units.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import cache

import torch
from torch import Tensor
from torch.nn import functional as F

from elman.kernels.general.noise import normal
from elman.kernels.general.options import GeneralInputs, GeneralOptions
from elman.kernels.general.reference import without_unconnected


def looped_recurrence(
    inputs: GeneralInputs,
    options: GeneralOptions,  # its nonlinearity is not looked at
    f: Callable[[Tensor], Tensor],
) -> tuple[Tensor, Tensor]:
    """h (T, B, H) and the last state (B, H): what `elman.kernels.general.reference` says, with f in its place.

    Steps past a sequence's end are computed and thrown away. Warns, once, that no fused kernel runs it.
    """
    _say_once()
    x, h0, w_ih, w_hh, bias, leak, noise, restart, w_in, lengths, mask, reset, seed, _ = without_unconnected(inputs)
    T, B, _ = x.shape
    alive = None
    if lengths is not None:
        alive = (lengths > torch.arange(T, device=x.device).unsqueeze(1)).unsqueeze(2)  # (T, B, 1)
        x = torch.where(alive, x, 0)  # what lies in the padding reaches neither a state nor a gradient
    drive = F.linear(x, w_ih, bias)
    if noise is not None and seed is not None:
        number, stream = seed.tolist()
        drive = drive + noise * normal(number, stream, T, B, w_ih.shape[0], x.device).to(x.dtype)
    state = h0.to(drive.dtype)
    other = torch.zeros_like(state) if restart is None else restart
    outputs = [state] * T
    for t in reversed(range(T)) if options.reverse else range(T):
        p = state if reset is None else torch.where(reset[t].unsqueeze(1), other, state)
        q = f(p) if options.current else p
        entering = q if mask is None else mask * q
        z = drive[t] + F.linear(entering if w_in is None else entering @ w_in, w_hh)
        new = z if options.current else f(z)
        if options.residual:
            new = p + new
        elif leak is not None:
            new = (1 - leak) * p + leak * new
        state = new if alive is None else torch.where(alive[t], new, state)
        h = f(state) if options.current else state
        outputs[t] = h if alive is None else torch.where(alive[t], h, 0)
    return (torch.stack(outputs) if T else drive), state


@cache
def _say_once() -> None:
    text = "a nonlinearity of your own runs as a plain loop of torch operations, many times slower than one by name"
    warnings.warn(text, RuntimeWarning, stacklevel=6)
