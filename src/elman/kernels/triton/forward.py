"""The recurrence in Triton: `walk` takes all steps with W_hh held on chip, `step` one step of a large layer.

The equations are those of `reference.py`. T steps, B sequences, H hidden units; every tensor is contiguous, and a
pointer that is None is absent. No program reads what another one of the same launch writes.
"""

from __future__ import annotations

import triton
import triton.language as tl


@triton.jit
def tanh(a):
    """tanh in float32: a series near 0, where the exponentials would cancel; NaN passes, infinity gives 1."""
    e = tl.exp(-2 * tl.abs(a))
    far = (1 - e) / (1 + e)
    s = tl.minimum(tl.abs(a), 1.0)
    s = s * s
    near = a * (1 + s * (-1.0 / 3 + s * (2.0 / 15 + s * (-17.0 / 315 + s * (62.0 / 2835)))))
    return tl.where(tl.abs(a) < 0.25, near, tl.where(a < 0, -far, far))


@triton.jit
def squash(a, RELU: tl.constexpr):
    """f(a); relu lets NaN through, as torch's does."""
    if RELU:
        y = tl.where(a <= 0, 0.0, a)
    else:
        y = tanh(a)
    return y


@triton.jit
def walk(
    drive,  # (T, B, H) W_ih x_t + b
    h0,  # (B, H)
    w_hh,  # (H, H)
    lengths,  # (B,) or None
    mask,  # (B, H) or None
    h,  # (T, B, H) written
    T,
    B,
    H,
    BLOCK_B: tl.constexpr,
    BLOCK_H: tl.constexpr,  # at least H: one program has all of W_hh
    RELU: tl.constexpr,
    REVERSE: tl.constexpr,
    RESIDUAL: tl.constexpr,
    PRECISION: tl.constexpr,
):
    """All steps of BLOCK_B sequences, the state in registers."""
    rows = tl.program_id(0) * BLOCK_B + tl.arange(0, BLOCK_B)
    cols = tl.arange(0, BLOCK_H)
    inside = (rows < B)[:, None] & (cols < H)[None, :]
    places = rows.to(tl.int64)[:, None] * H + cols[None, :]
    square = (cols < H)[:, None] & (cols < H)[None, :]
    w = tl.load(w_hh + cols[None, :] * H + cols[:, None], mask=square, other=0.0)  # transposed
    state = tl.load(h0 + places, mask=inside, other=0.0)
    if mask is not None:
        m = tl.load(mask + places, mask=inside, other=0.0)
    if lengths is not None:
        length = tl.load(lengths + rows, mask=rows < B, other=0)
    for s in range(T):
        t = s
        if REVERSE:
            t = T - 1 - s
        live = inside
        if lengths is not None:
            live = inside & (t < length)[:, None]
        at = tl.cast(t, tl.int64) * B * H + places
        entering = state
        if mask is not None:
            entering = (state.to(tl.float32) * m.to(tl.float32)).to(state.dtype)
        a = tl.load(drive + at, mask=live, other=0.0).to(tl.float32)
        a += tl.dot(entering, w, input_precision=PRECISION)
        y = squash(a, RELU)
        if RESIDUAL:
            y += state.to(tl.float32)
        y = tl.where(live, y, 0.0).to(state.dtype)
        tl.store(h + at, y, mask=inside)
        state = tl.where(live, y, state)


@triton.jit(do_not_specialize=["t"])
def step(
    drive,  # (T, B, H)
    h0,  # (B, H)
    w_hh,  # (H, H)
    lengths,  # (B,) or None
    mask,  # (B, H) or None
    h,  # (T, B, H) written at t, read at the step before
    t,
    T,
    B,
    H,
    BLOCK_B: tl.constexpr,
    BLOCK_H: tl.constexpr,
    BLOCK_K: tl.constexpr,
    RELU: tl.constexpr,
    REVERSE: tl.constexpr,
    RESIDUAL: tl.constexpr,
    PRECISION: tl.constexpr,
):
    """One step of one (BLOCK_B, BLOCK_H) tile: the product, the sum with the drive, f, and the end of a sequence."""
    rows = tl.program_id(0) * BLOCK_B + tl.arange(0, BLOCK_B)
    cols = tl.program_id(1) * BLOCK_H + tl.arange(0, BLOCK_H)
    inside = (rows < B)[:, None] & (cols < H)[None, :]
    alive = rows < B
    first = rows < 0  # the step before is h0
    before_t = tl.cast(t, tl.int64) - 1
    if REVERSE:
        before_t = tl.cast(t, tl.int64) + 1
    if lengths is not None:
        length = tl.load(lengths + rows, mask=rows < B, other=0)
        alive = alive & (t < length)
        if REVERSE:
            first = first | (t + 1 >= length)
    if REVERSE:
        first = first | (rows * 0 + t == T - 1)
    else:
        first = first | (rows * 0 + t == 0)
    row_places = rows.to(tl.int64) * H
    before = before_t * B * H + row_places
    from_h = alive & (first == 0)
    acc = tl.zeros((BLOCK_B, BLOCK_H), dtype=tl.float32)
    for k in range(0, H, BLOCK_K):
        ks = k + tl.arange(0, BLOCK_K)
        some = (ks < H)[None, :]
        entering = tl.load(h + before[:, None] + ks[None, :], mask=from_h[:, None] & some, other=0.0)
        start = tl.load(h0 + row_places[:, None] + ks[None, :], mask=(alive & first)[:, None] & some, other=0.0)
        entering = tl.where(first[:, None], start, entering)
        if mask is not None:
            m = tl.load(mask + row_places[:, None] + ks[None, :], mask=alive[:, None] & some, other=0.0)
            entering = (entering.to(tl.float32) * m.to(tl.float32)).to(entering.dtype)
        w_at = w_hh + cols.to(tl.int64)[None, :] * H + ks[:, None]
        w = tl.load(w_at, mask=(ks < H)[:, None] & (cols < H)[None, :], other=0.0)
        acc += tl.dot(entering, w, input_precision=PRECISION)
    at = tl.cast(t, tl.int64) * B * H + row_places[:, None] + cols[None, :]
    live = inside & alive[:, None]
    y = squash(acc + tl.load(drive + at, mask=live, other=0.0).to(tl.float32), RELU)
    if RESIDUAL:
        own = before[:, None] + cols[None, :]
        state = tl.load(h + own, mask=from_h[:, None] & inside, other=0.0)
        start = tl.load(h0 + row_places[:, None] + cols[None, :], mask=live & first[:, None], other=0.0)
        y += tl.where(first[:, None], start, state).to(tl.float32)
    tl.store(h + at, tl.where(live, y, 0.0).to(w_hh.dtype.element_ty), mask=inside)
