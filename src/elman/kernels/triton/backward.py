"""The adjoint in Triton: `walk_back` takes all steps with W_hh held on chip, `step_back` one step of a large layer.

Both write delta; the gradients are products of it, outside. T steps, B sequences, H hidden units; every tensor is
contiguous, and a pointer that is None is absent. No program reads what another one of the same launch writes.
"""

from __future__ import annotations

import triton
import triton.language as tl


@triton.jit
def through(g, y, RELU: tl.constexpr):
    """g f'(a), with f' written in y = f(a)."""
    if RELU:
        delta = tl.where(y <= 0, 0.0, g)
    else:
        delta = g * (1 - y * y)
    return delta


@triton.jit
def own_share(h, h0, t, T, length, B, H, places, live, RESIDUAL: tl.constexpr, REVERSE: tl.constexpr):
    """y_t = f(a_t) in float32: h_t itself or, with the identity connection, h_t - h_(t-1)."""
    step = tl.cast(B, tl.int64) * H
    at = tl.cast(t, tl.int64) * step + places
    y = tl.load(h + at, mask=live, other=0.0).to(tl.float32)
    if RESIDUAL:
        if REVERSE:
            first = (t + 1 >= length)[:, None] & live
            past = at + step
        else:
            first = live & (length * 0 + t == 0)[:, None]
            past = at - step
        y -= tl.load(h + past, mask=live & (first == 0), other=0.0).to(tl.float32)
        y -= tl.load(h0 + places, mask=first, other=0.0).to(tl.float32)
    return y


@triton.jit
def walk_back(
    grad_h,  # (T, B, H) or None
    grad_h_last,  # (B, H) or None
    h,  # (T, B, H)
    h0,  # (B, H)
    w_hh,  # (H, H)
    lengths,  # (B,) or None
    mask,  # (B, H) or None
    delta,  # (T, B, H) written
    grad_h0,  # (B, H) written
    T,
    B,
    H,
    BLOCK_B: tl.constexpr,
    BLOCK_H: tl.constexpr,
    RELU: tl.constexpr,
    REVERSE: tl.constexpr,
    RESIDUAL: tl.constexpr,
    PRECISION: tl.constexpr,
):
    """All steps of BLOCK_B sequences, what goes on to the step before in registers, float32."""
    rows = tl.program_id(0) * BLOCK_B + tl.arange(0, BLOCK_B)
    cols = tl.arange(0, BLOCK_H)
    inside = (rows < B)[:, None] & (cols < H)[None, :]
    places = rows.to(tl.int64)[:, None] * H + cols[None, :]
    square = (cols < H)[:, None] & (cols < H)[None, :]
    w = tl.load(w_hh + cols[:, None] * H + cols[None, :], mask=square, other=0.0)
    c = tl.zeros((BLOCK_B, BLOCK_H), dtype=tl.float32)
    if grad_h_last is not None:
        c += tl.load(grad_h_last + places, mask=inside, other=0.0).to(tl.float32)
    if mask is not None:
        m = tl.load(mask + places, mask=inside, other=0.0).to(tl.float32)
    length = tl.zeros((BLOCK_B,), dtype=tl.int64) + T
    if lengths is not None:
        length = tl.load(lengths + rows, mask=rows < B, other=0)
    for s in range(T):
        t = T - 1 - s
        if REVERSE:
            t = s
        live = inside & (t < length)[:, None]
        at = tl.cast(t, tl.int64) * B * H + places
        y = own_share(h, h0, t, T, length, B, H, places, live, RESIDUAL, REVERSE)
        g = c
        if grad_h is not None:
            g += tl.load(grad_h + at, mask=live, other=0.0).to(tl.float32)
        d = tl.where(live, through(g, y, RELU), 0.0).to(w.dtype)
        tl.store(delta + at, d, mask=inside)
        onward = tl.dot(d, w, input_precision=PRECISION)
        if mask is not None:
            onward *= m
        if RESIDUAL:
            onward += g
        c = tl.where(live, onward, c)
    tl.store(grad_h0 + places, c.to(w.dtype), mask=inside)


@triton.jit(do_not_specialize=["t"])
def step_back(
    grad_h,  # (T, B, H) or None
    grad_h_last,  # (B, H) or None
    h,  # (T, B, H)
    h0,  # (B, H)
    w_hh,  # (H, H)
    lengths,  # (B,) or None
    mask,  # (B, H) or None
    delta,  # (T, B, H) written at t, read at the step after it
    g_in,  # (B, H) float32: all that reached h at the step after; None without the identity connection
    g_out,  # (B, H) float32 written, likewise
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
    """delta_t of one (BLOCK_B, BLOCK_H) tile from delta of the step after it."""
    rows = tl.program_id(0) * BLOCK_B + tl.arange(0, BLOCK_B)
    cols = tl.program_id(1) * BLOCK_H + tl.arange(0, BLOCK_H)
    inside = (rows < B)[:, None] & (cols < H)[None, :]
    row_places = rows.to(tl.int64) * H
    places = row_places[:, None] + cols[None, :]
    length = tl.zeros((BLOCK_B,), dtype=tl.int64) + T
    if lengths is not None:
        length = tl.load(lengths + rows, mask=rows < B, other=0)
    live = inside & (t < length)[:, None]
    if REVERSE:
        after_t = tl.cast(t, tl.int64) - 1
        follows = (rows < B) & (t < length) & (length * 0 + t > 0)  # a step of the sequence comes after this one
    else:
        after_t = tl.cast(t, tl.int64) + 1
        follows = (rows < B) & (t + 1 < length)
    after = after_t * B * H + row_places
    acc = tl.zeros((BLOCK_B, BLOCK_H), dtype=tl.float32)
    for k in range(0, H, BLOCK_K):
        ks = k + tl.arange(0, BLOCK_K)
        d = tl.load(delta + after[:, None] + ks[None, :], mask=follows[:, None] & (ks < H)[None, :], other=0.0)
        w_at = w_hh + ks.to(tl.int64)[:, None] * H + cols[None, :]
        w = tl.load(w_at, mask=(ks < H)[:, None] & (cols < H)[None, :], other=0.0)
        acc += tl.dot(d, w, input_precision=PRECISION)
    if mask is not None:
        acc *= tl.load(mask + places, mask=inside, other=0.0).to(tl.float32)
    if RESIDUAL:
        acc += tl.load(g_in + places, mask=inside & follows[:, None], other=0.0)
    if grad_h_last is not None:
        last = inside & (follows == 0)[:, None]
        acc = tl.where(last, tl.load(grad_h_last + places, mask=last, other=0.0).to(tl.float32), acc)
    else:
        acc = tl.where(follows[:, None], acc, 0.0)
    at = tl.cast(t, tl.int64) * B * H + places
    if grad_h is not None:
        acc += tl.load(grad_h + at, mask=live, other=0.0).to(tl.float32)
    y = own_share(h, h0, t, T, length, B, H, places, live, RESIDUAL, REVERSE)
    d_t = tl.where(live, through(acc, y, RELU), 0.0)
    tl.store(delta + at, d_t.to(w_hh.dtype.element_ty), mask=inside)
    if RESIDUAL:
        kept = tl.load(g_in + places, mask=inside & (live == 0), other=0.0)
        tl.store(g_out + places, tl.where(live, acc, kept), mask=inside)
