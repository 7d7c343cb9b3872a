"""The general recurrence in Triton: `walk` takes all steps with W_hh held on chip, `step` one step of a large layer.

The equations and their letters are those of `elman.kernels.general.reference`. The drive has the noise in it already
(`noise.add_noise`). T steps, B sequences, H hidden units, r the rank of W_hh, V networks; every tensor is contiguous,
and a pointer that is None is absent. No program reads what another one of the same launch writes.
"""

from __future__ import annotations

import triton
import triton.language as tl

from elman.kernels.triton.general.activations import activate
from elman.kernels.triton.general.terms import new_state, place, there_is, units


@triton.jit
def walk(
    drive,  # (V, T, B, H) W_ih x_t + b + s n_t
    h0,  # (V, B, H)
    w_hh,  # (V, H, H), or (V, H, r) with w_in
    w_in,  # (V, H, r) or None
    leak,  # (V, H) or None
    restart,  # (V, H), with reset
    lengths,  # (V, B) or None
    mask,  # (V, B, H) or None
    reset,  # (V, T, B) bytes or None
    h,  # (V, T, B, H) written
    extra,  # likewise, or None
    h_last,  # (V, B, H) written
    T,
    B,
    H,
    r,  # H where there is no w_in
    F: tl.constexpr,
    BLOCK_B: tl.constexpr,
    BLOCK_H: tl.constexpr,  # at least H: one program has all of W_hh
    BLOCK_R: tl.constexpr,  # at least r
    REVERSE: tl.constexpr,
    RESIDUAL: tl.constexpr,
    CURRENT: tl.constexpr,
    PRECISION: tl.constexpr,
):
    """All steps of BLOCK_B sequences of one network, the state in registers."""
    cols, ks = tl.arange(0, BLOCK_H), tl.arange(0, BLOCK_R)
    v, rows, inside, places = place(B, H, BLOCK_B, cols)
    w_at = w_hh + v * H * r + cols[None, :] * r + ks[:, None]
    w = tl.load(w_at, mask=(ks < r)[:, None] & (cols < H)[None, :], other=0.0)  # transposed
    if w_in is not None:
        low_at = w_in + v * H * r + cols[:, None] * r + ks[None, :]
        low = tl.load(low_at, mask=(cols < H)[:, None] & (ks < r)[None, :], other=0.0)
    state = tl.load(h0 + places, mask=inside, other=0.0)
    q = state
    if CURRENT:
        q = activate(state.to(tl.float32), F).to(state.dtype)
    a = 1.0
    if leak is not None:
        a = units(leak, v, cols, H)
    if reset is not None:
        p_cut = units(restart, v, cols, H)
        q_cut = p_cut
        if CURRENT:
            q_cut = activate(p_cut, F)
    if mask is not None:
        m = tl.load(mask + places, mask=inside, other=0.0).to(tl.float32)
    if lengths is not None:
        length = tl.load(lengths + v * B + rows, mask=rows < B, other=0)
    for s in range(T):
        t = s
        if REVERSE:
            t = T - 1 - s
        live = inside
        if lengths is not None:
            live = inside & (t < length)[:, None]
        at = (v * (T - 1) + t) * B * H + places
        p = state.to(tl.float32)
        entering = q.to(tl.float32)
        if reset is not None:
            cut = (tl.load(reset + (v * T + t) * B + rows, mask=rows < B, other=0) != 0)[:, None]
            p = tl.where(cut, p_cut, p)
            entering = tl.where(cut, q_cut, entering)
        if mask is not None:
            entering *= m
        entering = entering.to(state.dtype)
        z = tl.load(drive + at, mask=live, other=0.0).to(tl.float32)
        if w_in is not None:
            entering = tl.dot(entering, low, input_precision=PRECISION).to(state.dtype)
        z += tl.dot(entering, w, input_precision=PRECISION)
        new, saved = new_state(p, z, a, leak is not None, F, CURRENT, RESIDUAL)
        state = tl.where(live, new.to(state.dtype), state)
        q = state
        if CURRENT:
            q = activate(state.to(tl.float32), F).to(state.dtype)
        tl.store(h + at, tl.where(live, q, 0.0).to(state.dtype), mask=inside)
        if extra is not None:
            tl.store(extra + at, tl.where(live, saved, 0.0).to(state.dtype), mask=inside)
    tl.store(h_last + places, state, mask=inside)


@triton.jit(do_not_specialize=["t"])
def step(
    drive,  # (V, T, B, H)
    entering,  # (V, B, K) what W_hh, or of low rank w_hh, multiplies at this step
    w_hh,  # (V, H, K)
    leak,  # (V, H) or None
    restart,  # (V, H), with reset
    lengths,  # (V, B) or None
    mask,  # (V, B, H) or None
    reset,  # (V, T, B) bytes or None
    h,  # (V, T, B, H) written at t
    extra,  # likewise, or None
    state,  # (V, B, H) read and written
    enters_next,  # (V, B, H) written: m * q of the step after this one
    t,
    T,
    B,
    H,
    K,
    F: tl.constexpr,
    BLOCK_B: tl.constexpr,
    BLOCK_H: tl.constexpr,
    BLOCK_K: tl.constexpr,
    REVERSE: tl.constexpr,
    RESIDUAL: tl.constexpr,
    CURRENT: tl.constexpr,
    PRECISION: tl.constexpr,
):
    """One step of one (BLOCK_B, BLOCK_H) tile of one network: the product, the new state, f, and what enters next."""
    cols = tl.program_id(1) * BLOCK_H + tl.arange(0, BLOCK_H)
    v, rows, inside, places = place(B, H, BLOCK_B, cols)
    z = tl.zeros((BLOCK_B, BLOCK_H), dtype=tl.float32)
    for k in range(0, K, BLOCK_K):
        ks = k + tl.arange(0, BLOCK_K)
        e_at = entering + (v * B + rows)[:, None] * K + ks[None, :]
        e = tl.load(e_at, mask=(rows < B)[:, None] & (ks < K)[None, :], other=0.0)
        w_at = w_hh + (v * H + cols)[None, :] * K + ks[:, None]
        w = tl.load(w_at, mask=(ks < K)[:, None] & (cols < H)[None, :], other=0.0)
        z += tl.dot(e, w, input_precision=PRECISION)
    live = inside
    if lengths is not None:
        live = inside & (t < tl.load(lengths + v * B + rows, mask=rows < B, other=0))[:, None]
    at = (v * (T - 1) + t) * B * H + places
    z += tl.load(drive + at, mask=live, other=0.0).to(tl.float32)
    old = tl.load(state + places, mask=inside, other=0.0)
    p = old.to(tl.float32)
    a = 1.0
    if leak is not None:
        a = units(leak, v, cols, H)
    if reset is not None:
        p_cut = units(restart, v, cols, H)
        cut = tl.load(reset + (v * T + t) * B + rows, mask=rows < B, other=0) != 0
        p = tl.where(cut[:, None], p_cut, p)
    new, saved = new_state(p, z, a, leak is not None, F, CURRENT, RESIDUAL)
    new = tl.where(live, new.to(old.dtype), old)
    q = new.to(tl.float32)
    if CURRENT:
        q = activate(q, F)
    tl.store(state + places, new, mask=inside)
    tl.store(h + at, tl.where(live, q, 0.0).to(old.dtype), mask=inside)
    if extra is not None:
        tl.store(extra + at, tl.where(live, saved, 0.0).to(old.dtype), mask=inside)
    if reset is not None:
        t_next = t + 1
        if REVERSE:
            t_next = t - 1
        within = (rows < B) & there_is(t_next, T, rows)
        cut = tl.load(reset + (v * T + t_next) * B + rows, mask=within, other=0) != 0
        q_cut = p_cut
        if CURRENT:
            q_cut = activate(p_cut, F)
        q = tl.where(cut[:, None], q_cut, q)
    if mask is not None:
        q *= tl.load(mask + places, mask=inside, other=0.0).to(tl.float32)
    tl.store(enters_next + places, q.to(old.dtype), mask=inside)
