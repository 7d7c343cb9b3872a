"""The functions f of `elman.kernels.general.activations` and their derivatives in Triton, in float32.

F is f's name, known when a kernel is compiled.
"""

from __future__ import annotations

import triton
import triton.language as tl

from elman.kernels.general import options
from elman.kernels.triton.forward import tanh

LEAKY_SLOPE = tl.constexpr(options.LEAKY_SLOPE)


@triton.jit
def log1p(e):
    """log(1 + e) of 0 <= e <= 1: what rounding adds to e is divided away again."""
    u = 1 + e
    near = u == 1
    return tl.where(near, e, tl.log(u) * (e / tl.where(near, 1.0, u - 1)))


@triton.jit
def activate(a, F: tl.constexpr):
    """f(a); NaN passes, as in torch."""
    if F == "tanh":
        y = tanh(a)
    elif F == "relu":
        y = tl.where(a <= 0, 0.0, a)
    elif F == "sigmoid":
        y = 1 / (1 + tl.exp(-a))
    elif F == "softplus":
        y = tl.where(a > 0, a, 0.0) + log1p(tl.exp(-tl.abs(a)))
    elif F == "hardtanh":
        y = tl.where(a > 1, 1.0, tl.where(a < -1, -1.0, a))
    elif F == "rectified_tanh":
        y = tl.where(a <= 0, 0.0, tanh(a))
    elif F == "leaky_relu":
        y = tl.where(a > 0, a, a * LEAKY_SLOPE)
    else:
        tl.static_assert(F == "identity")
        y = a
    return y


@triton.jit
def through(g, y, F: tl.constexpr):
    """g f'(a), given y = f(a)."""
    if F == "tanh":
        d = g * (1 - y * y)
    elif F == "relu":
        d = tl.where(y <= 0, 0.0, g)
    elif F == "sigmoid":
        d = g * (y * (1 - y))
    elif F == "softplus":
        half = tanh(0.5 * y)  # 1 - e^-y without the difference, which would cancel near 0
        d = g * (2 * half / (1 + half))
    elif F == "hardtanh":
        d = tl.where(tl.abs(y) >= 1, 0.0, g)
    elif F == "rectified_tanh":
        d = tl.where(y <= 0, 0.0, g * (1 - y * y))
    elif F == "leaky_relu":
        d = tl.where(y > 0, g, g * LEAKY_SLOPE)
    else:
        tl.static_assert(F == "identity")
        d = g
    return d
