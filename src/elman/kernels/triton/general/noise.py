"""The noise of `elman.kernels.general.noise` in Triton, added to the drive before the recurrence and drawn again after.

A number depends on its place alone, so it needs no step before it: all steps are drawn side by side, and the kernels
that go from step to step know nothing of noise. A program has BLOCK_R rows, (step, sequence) pairs, and BLOCK_C
counters, each of which serves the units `at`, `at + 1`, `at + 16` and `at + 17`. T steps, B sequences, H hidden units,
V networks, N = T * B rows.
"""

from __future__ import annotations

import triton
import triton.language as tl


@triton.jit
def words(seeds, v, c, b, t):
    """Philox 4x32-7 of network v's seed and stream: four words of 32 bits for each counter c, sequence b and step t."""
    seed = tl.load(seeds + 2 * v)
    stream = tl.load(seeds + 2 * v + 1).to(tl.uint32)
    return tl.philox(seed, c.to(tl.uint32), b.to(tl.uint32), t.to(tl.uint32), stream, 7)


@triton.jit
def box_muller(first, second):
    """Two normal numbers of two words: radius times cosine, radius times sine; without an angle's large multiples of
    pi / 2, in which a float would lose the digits that count."""
    u = ((first >> 8).to(tl.int32) + 1).to(tl.float32) * 5.9604644775390625e-08  # 2^-24
    radius = tl.sqrt(-2 * tl.log(u))
    turn = (second >> 8).to(tl.int32)  # in 2^24ths
    quarter = (turn + (1 << 21)) >> 22
    a = (turn - (quarter << 22)).to(tl.float32) * 3.7450702829238594e-07  # 2 pi / 2^24; |a| <= pi / 4
    s = a * a
    sine = a * (1 + s * (-1.0 / 6 + s * (1.0 / 120 + s * (-1.0 / 5040 + s * (1.0 / 362880)))))
    cosine = 1 + s * (-0.5 + s * (1.0 / 24 + s * (-1.0 / 720 + s * (1.0 / 40320 + s * (-1.0 / 3628800)))))
    odd = (quarter & 1) != 0
    by_cos, by_sin = tl.where(odd, sine, cosine), tl.where(odd, cosine, sine)
    by_cos = tl.where(((quarter + 1) & 2) != 0, -by_cos, by_cos)
    by_sin = tl.where((quarter & 2) != 0, -by_sin, by_sin)
    return radius * by_cos, radius * by_sin


@triton.jit
def normal(seeds, v, c, rows, B):
    """The noise of four units for every counter c (1, C) and row (R, 1): those of `at`, `at + 1`, and 16 after each."""
    w0, w1, w2, w3 = words(seeds, v, c, rows % B, rows // B)
    even, even_after = box_muller(w0, w1)
    odd, odd_after = box_muller(w2, w3)
    return even, odd, even_after, odd_after


@triton.jit
def add_to(drive, size, n, start, unit, H, live):
    """drive += size * n of the units `unit` (1, C)."""
    here = live & (unit < H)
    s = tl.load(size + unit, mask=unit < H, other=0.0).to(tl.float32)
    z = tl.load(drive + start + unit, mask=here, other=0.0).to(tl.float32)
    tl.store(drive + start + unit, (z + s * n).to(drive.dtype.element_ty), mask=here)


@triton.jit
def add_noise(
    drive,  # (V, N, H) read and written
    noise,  # (V, H) its size
    seeds,  # (V, 2) int64: seed and stream
    N,
    B,
    H,
    BLOCK_R: tl.constexpr,
    BLOCK_C: tl.constexpr,
):
    """drive += s * n of one tile of rows and counters."""
    tiles = tl.cdiv(N, BLOCK_R)
    v = (tl.program_id(0) // tiles).to(tl.int64)
    rows = (tl.program_id(0) % tiles) * BLOCK_R + tl.arange(0, BLOCK_R)[:, None]
    c = tl.program_id(1) * BLOCK_C + tl.arange(0, BLOCK_C)[None, :]
    at = c // 8 * 32 + c % 8 * 2
    even, odd, even_after, odd_after = normal(seeds, v, c, rows, B)
    start, live, size = (v * N + rows) * H, rows < N, noise + v * H
    add_to(drive, size, even, start, at, H, live)
    add_to(drive, size, odd, start, at + 1, H, live)
    add_to(drive, size, even_after, start, at + 16, H, live)
    add_to(drive, size, odd_after, start, at + 17, H, live)


@triton.jit
def sum_of(delta, n, start, unit, H, live):
    """The sum over the rows of delta * n, (1, C)."""
    d = tl.load(delta + start + unit, mask=live & (unit < H), other=0.0).to(tl.float32)
    return tl.sum(d * n, 0, keep_dims=True)


@triton.jit
def noise_gradient(
    delta,  # (V, N, H)
    seeds,  # (V, 2) int64
    partial,  # (V, P, H) float32 written, of P programs each
    N,
    B,
    H,
    P,
    TILES: tl.constexpr,  # of rows, that a program takes one after the other
    BLOCK_R: tl.constexpr,
    BLOCK_C: tl.constexpr,
):
    """delta * n, summed over TILES * BLOCK_R rows."""
    v = (tl.program_id(0) // P).to(tl.int64)
    p = tl.program_id(0) % P
    c = tl.program_id(1) * BLOCK_C + tl.arange(0, BLOCK_C)[None, :]
    at = c // 8 * 32 + c % 8 * 2
    s0 = tl.zeros((1, BLOCK_C), dtype=tl.float32)
    s1, s2, s3 = s0, s0, s0
    for i in range(TILES):
        rows = (p * TILES + i) * BLOCK_R + tl.arange(0, BLOCK_R)[:, None]
        even, odd, even_after, odd_after = normal(seeds, v, c, rows, B)
        start, live = (v * N + rows) * H, rows < N
        s0 += sum_of(delta, even, start, at, H, live)
        s1 += sum_of(delta, odd, start, at + 1, H, live)
        s2 += sum_of(delta, even_after, start, at + 16, H, live)
        s3 += sum_of(delta, odd_after, start, at + 17, H, live)
    to = partial + (v * P + p) * H + at
    tl.store(to, s0, mask=at < H)
    tl.store(to + 1, s1, mask=at + 1 < H)
    tl.store(to + 16, s2, mask=at + 16 < H)
    tl.store(to + 17, s3, mask=at + 17 < H)
