"""What the kernels of the general recurrence have in common: where a program is, one step's state, and its adjoint.

The equations and their letters are those of `elman.kernels.general.reference`.
"""

from __future__ import annotations

import triton
import triton.language as tl

from elman.kernels.triton.general.activations import activate, through


@triton.jit
def place(B, H, BLOCK_B: tl.constexpr, cols):
    """Of one program: its network, its rows, which of its (row, column) pairs are inside, and where in (V, B, H) they
    are."""
    tiles = tl.cdiv(B, BLOCK_B)
    v = (tl.program_id(0) // tiles).to(tl.int64)
    rows = (tl.program_id(0) % tiles) * BLOCK_B + tl.arange(0, BLOCK_B)
    inside = (rows < B)[:, None] & (cols < H)[None, :]
    return v, rows, inside, (v * B + rows)[:, None] * H + cols[None, :]


@triton.jit
def there_is(t, T, rows):
    """Whether 0 <= t < T, the same answer for every row: what is a scalar, the interpreter takes for no mask."""
    each = rows * 0 + t
    return (each >= 0) & (each < T)


@triton.jit
def units(pointer, v, cols, H):
    """One number a unit, (1, H), of network v's part of a (V, H)."""
    return tl.load(pointer + v * H + cols, mask=cols < H, other=0.0).to(tl.float32)[None, :]


@triton.jit
def new_state(p, z, a, LEAKY: tl.constexpr, F: tl.constexpr, CURRENT: tl.constexpr, RESIDUAL: tl.constexpr):
    """The new state and what the adjoint needs of it beside h: f(z) of the rate form, the state of the current form."""
    y = z
    if not CURRENT:
        y = activate(z, F)
    new = y
    if RESIDUAL:
        new = p + y
    elif LEAKY:
        new = (1 - a) * p + a * y
    saved = y
    if CURRENT:
        saved = new
    return new, saved


@triton.jit
def reached(c, grad_h, y, at, live, F: tl.constexpr, CURRENT: tl.constexpr):
    """g_t: what reached the state of step t, from h_t and from the steps after it."""
    g = c
    if grad_h is not None:
        from_h = tl.load(grad_h + at, mask=live, other=0.0).to(tl.float32)
        if CURRENT:
            from_h = through(from_h, tl.load(y + at, mask=live, other=0.0).to(tl.float32), F)
        g += from_h
    return g


@triton.jit
def to_drive(g, y, a, at, live, F: tl.constexpr, CURRENT: tl.constexpr):
    """delta_t = dL/dz_t of g_t, zero past a sequence's end."""
    delta = a * g
    if not CURRENT:
        delta = through(delta, tl.load(y + at, mask=live, other=0.0).to(tl.float32), F)
    return tl.where(live, delta, 0.0)


@triton.jit
def to_before(onward, q, at, live, F: tl.constexpr, CURRENT: tl.constexpr):
    """What W_hh^T delta_t, the mask in it, is to the state before: f'(p_t) times it in the current form."""
    if CURRENT:
        onward = through(onward, tl.load(q + at, mask=live, other=0.0).to(tl.float32), F)
    return onward
