"""The adjoint in Triton: `walk_back` takes all steps with W_hh held on chip, `step_back` one step of a large layer.

The equations and their letters are those of `elman.kernels.general.reference`. What a step's state was before it is a
whole tensor, made outside (`products.States`), so a program reads at the step it is at. T steps, B sequences, H hidden
units, r the rank of W_hh, V networks; every tensor is contiguous, and a pointer that is None is absent. No program
reads what another one of the same launch writes.
"""

from __future__ import annotations

import triton
import triton.language as tl

from elman.kernels.triton.general.terms import place, reached, there_is, to_before, to_drive, units


@triton.jit
def walk_back(
    grad_h,  # (V, T, B, H) or None
    grad_h_last,  # (V, B, H) or None
    y,  # (V, T, B, H) f(z_t), of the current form h_t
    q,  # (V, T, B, H) f(p_t) of the current form
    moved,  # (V, T, B, H) dh_t/da, or dv_t/da times a; None where nobody asks for a's gradient
    w_hh,  # (V, H, H), or (V, H, r) with w_in
    w_in,  # (V, H, r) or None
    leak,  # (V, H) or None
    lengths,  # (V, B) or None
    mask,  # (V, B, H) or None
    reset,  # (V, T, B) bytes or None
    delta,  # (V, T, B, H) written
    grad_h0,  # (V, B, H) written
    leak_sums,  # (V, B, H) float32 written: sum_t g_t * moved_t; or None
    restart_sums,  # (V, B, H) float32 written: what went to the restart state; or None
    T,
    B,
    H,
    r,  # H where there is no w_in
    F: tl.constexpr,
    BLOCK_B: tl.constexpr,
    BLOCK_H: tl.constexpr,
    BLOCK_R: tl.constexpr,
    REVERSE: tl.constexpr,
    RESIDUAL: tl.constexpr,
    CURRENT: tl.constexpr,
    PRECISION: tl.constexpr,
):
    """All steps of BLOCK_B sequences of one network; what goes on to the step before in registers, float32."""
    cols, ks = tl.arange(0, BLOCK_H), tl.arange(0, BLOCK_R)
    v, rows, inside, places = place(B, H, BLOCK_B, cols)
    some = (cols < H)[:, None] & (ks < r)[None, :]
    w = tl.load(w_hh + v * H * r + cols[:, None] * r + ks[None, :], mask=some, other=0.0)
    if w_in is not None:
        low_at = w_in + v * H * r + cols[None, :] * r + ks[:, None]
        low = tl.load(low_at, mask=(ks < r)[:, None] & (cols < H)[None, :], other=0.0)  # transposed
    c = tl.zeros((BLOCK_B, BLOCK_H), dtype=tl.float32)
    leak_sum, restart_sum = c, c
    if grad_h_last is not None:
        c += tl.load(grad_h_last + places, mask=inside, other=0.0).to(tl.float32)
    a = 1.0
    if leak is not None:
        a = units(leak, v, cols, H)
    if mask is not None:
        m = tl.load(mask + places, mask=inside, other=0.0).to(tl.float32)
    if lengths is not None:
        length = tl.load(lengths + v * B + rows, mask=rows < B, other=0)
    for s in range(T):
        t = T - 1 - s
        if REVERSE:
            t = s
        live = inside
        if lengths is not None:
            live = inside & (t < length)[:, None]
        at = (v * (T - 1) + t) * B * H + places
        g = reached(c, grad_h, y, at, live, F, CURRENT)
        d = to_drive(g, y, a, at, live, F, CURRENT).to(w.dtype)
        tl.store(delta + at, d, mask=inside)
        if moved is not None:
            leak_sum += tl.where(live, g * tl.load(moved + at, mask=live, other=0.0).to(tl.float32), 0.0)
        onward = tl.dot(d, w, input_precision=PRECISION)
        if w_in is not None:
            onward = tl.dot(onward.to(w.dtype), low, input_precision=PRECISION)
        if mask is not None:
            onward *= m
        onward = to_before(onward, q, at, live, F, CURRENT)
        if RESIDUAL:
            onward += g
        elif leak is not None:
            onward += (1 - a) * g
        if reset is not None:
            cut = (tl.load(reset + (v * T + t) * B + rows, mask=rows < B, other=0) != 0)[:, None]
            if restart_sums is not None:
                restart_sum += tl.where(live & cut, onward, 0.0)
            onward = tl.where(cut, 0.0, onward)
        c = tl.where(live, onward, c)
    tl.store(grad_h0 + places, c.to(w.dtype), mask=inside)
    if leak_sums is not None:
        tl.store(leak_sums + places, leak_sum, mask=inside)
    if restart_sums is not None:
        tl.store(restart_sums + places, restart_sum, mask=inside)


@triton.jit(do_not_specialize=["t", "after"])
def step_back(
    grad_h,  # (V, T, B, H) or None
    y,  # (V, T, B, H)
    q,  # (V, T, B, H)
    moved,  # (V, T, B, H) or None
    entered,  # network v's (B, K) begins at v * stride: delta of the step `after`, or of low rank its product with w_hh
    w,  # network v's (K, H) begins at v * H * K; its (k, unit) is at k * stride_k + unit * stride_h
    leak,  # (V, H) or None
    lengths,  # (V, B) or None
    mask,  # (V, B, H) or None
    reset,  # (V, T, B) bytes or None
    delta,  # (V, T, B, H) written at t
    c,  # (V, B, H) float32 read and written: what goes on to the state, but for what goes by W_hh
    leak_sums,  # (V, B, H) float32 read and written, or None
    restart_sums,  # likewise
    t,
    after,  # the step after t, whose adjoint is finished here; outside 0..T-1 where there is none
    T,
    B,
    H,
    K,
    stride,
    stride_k,
    stride_h,
    F: tl.constexpr,
    BLOCK_B: tl.constexpr,
    BLOCK_H: tl.constexpr,
    BLOCK_K: tl.constexpr,
    RESIDUAL: tl.constexpr,
    CURRENT: tl.constexpr,
    PRECISION: tl.constexpr,
):
    """What one (BLOCK_B, BLOCK_H) tile of the step `after` sends before it, then delta_t; t outside 0..T-1 has none."""
    cols = tl.program_id(1) * BLOCK_H + tl.arange(0, BLOCK_H)
    v, rows, inside, places = place(B, H, BLOCK_B, cols)
    length = tl.zeros((BLOCK_B,), dtype=tl.int64) + T
    if lengths is not None:
        length = tl.minimum(tl.load(lengths + v * B + rows, mask=rows < B, other=0), T)
    follows = (rows < B) & there_is(after, T, rows) & (after < length)
    onward = tl.zeros((BLOCK_B, BLOCK_H), dtype=tl.float32)
    for k in range(0, K, BLOCK_K):
        ks = (k + tl.arange(0, BLOCK_K)).to(tl.int64)
        d_at = entered + v * stride + rows.to(tl.int64)[:, None] * K + ks[None, :]
        d = tl.load(d_at, mask=follows[:, None] & (ks < K)[None, :], other=0.0)
        w_at = w + v * H * K + ks[:, None] * stride_k + cols[None, :] * stride_h
        onward += tl.dot(
            d, tl.load(w_at, mask=(ks < K)[:, None] & (cols < H)[None, :], other=0.0), input_precision=PRECISION
        )
    finished = inside & follows[:, None]
    if mask is not None:
        onward *= tl.load(mask + places, mask=finished, other=0.0).to(tl.float32)
    onward = to_before(onward, q, (v * (T - 1) + after) * B * H + places, finished, F, CURRENT)
    old = tl.load(c + places, mask=inside, other=0.0)
    onward += old
    if reset is not None:
        cut = (tl.load(reset + (v * T + after) * B + rows, mask=follows, other=0) != 0)[:, None]
        if restart_sums is not None:
            kept = tl.load(restart_sums + places, mask=finished & cut, other=0.0)
            tl.store(restart_sums + places, kept + onward, mask=finished & cut)
        onward = tl.where(cut, 0.0, onward)
    onward = tl.where(finished, onward, old)  # zero times an infinite weight is NaN, which must not get elsewhere

    now = there_is(t, T, rows)
    live = inside & (now & (t < length))[:, None]
    at = (v * (T - 1) + t) * B * H + places
    a = 1.0
    if leak is not None:
        a = units(leak, v, cols, H)
    g = reached(onward, grad_h, y, at, live, F, CURRENT)
    d = to_drive(g, y, a, at, live, F, CURRENT).to(delta.dtype.element_ty)
    tl.store(delta + at, d, mask=inside & now[:, None])
    if moved is not None:
        some = g * tl.load(moved + at, mask=live, other=0.0).to(tl.float32)
        kept = tl.load(leak_sums + places, mask=live, other=0.0)
        tl.store(leak_sums + places, kept + some, mask=live)
    goes = tl.zeros((BLOCK_B, BLOCK_H), dtype=tl.float32)
    if RESIDUAL:
        goes = g
    elif leak is not None:
        goes = (1 - a) * g
    tl.store(c + places, tl.where(live, goes, onward), mask=inside)
