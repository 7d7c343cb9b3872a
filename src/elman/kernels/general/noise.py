"""Standard normal noise by a counter: the number at a place depends on the place alone.

Philox 4x32-7 (Salmon, Moraes, Dror and Shaw 2011) turns a key, the seed, and a counter, the place, into four words of
32 bits; two of them make two normal numbers (Box and Muller 1958). So the same seed gives the same noise for any number
of threads, in any order, and on every backend, but for the rounding of the logarithm and of the sine.

    key      the seed's lower and upper 32 bits
    counter  (c, b, t, stream): t the step, b the sequence, c = 8 (j / 32) + (j % 16) / 2 for unit j
    words    0 and 1 for even units, 2 and 3 for odd ones
    normal   sqrt(-2 ln u1) cos(2 pi u2) for j % 32 < 16, sin for the others; u1 in (0, 1] and u2 in [0, 1) are the
             words' upper 24 bits, u1 with one added

One counter serves four units. Sixteen neighbours lie in one vector of the widest processors, hence the order of units.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

_MULTIPLY = 0xD2511F53, 0xCD9E8D57
_WEYL = 0x9E3779B9, 0xBB67AE85
_WORD = 0xFFFFFFFF
ROUNDS = 7
"""The fewest that pass all tests of randomness (their table 2); noise is a good part of a step's time."""
UNITS_A_BLOCK, COUNTERS_A_BLOCK = 32, 8


def philox(counter: tuple[Tensor, Tensor, Tensor, Tensor], key: tuple[int, int]) -> tuple[Tensor, ...]:
    """Four words of 32 bits, each in an int64, for every counter of four such words."""
    a, b, c, d = counter
    k, l = key
    for _ in range(ROUNDS):
        first, second = a * _MULTIPLY[0], c * _MULTIPLY[1]  # of 64 bits: what overflows is the sign alone
        a, b, c, d = (
            (second >> 32 & _WORD) ^ b ^ k,
            second & _WORD,
            (first >> 32 & _WORD) ^ d ^ l,
            first & _WORD,
        )
        k, l = k + _WEYL[0] & _WORD, l + _WEYL[1] & _WORD
    return a, b, c, d


def normal(seed: int, stream: int, T: int, B: int, H: int, device: torch.device | None = None) -> Tensor:
    """The noise of one recurrence, (T, B, H), float64: no number of it depends on T, B or H."""
    blocks = (H + UNITS_A_BLOCK - 1) // UNITS_A_BLOCK
    sizes = T, B, blocks * COUNTERS_A_BLOCK

    def axis(dim: int) -> Tensor:
        shape = [1, 1, 1]
        shape[dim] = sizes[dim]
        return torch.arange(sizes[dim], device=device).view(shape)

    counter = axis(2), axis(1), axis(0), torch.tensor(stream & _WORD, device=device)
    words = philox(counter, (seed & _WORD, seed >> 32 & _WORD))
    pairs = torch.stack([word.expand(sizes) for word in words], -1).view(*sizes, 2, 2)  # (T, B, counters, parity, 2)
    u1 = ((pairs[..., 0] >> 8) + 1).double() * 2.0**-24
    angle = (pairs[..., 1] >> 8).double() * (2.0**-24 * 2 * math.pi)
    radius = (-2 * u1.log()).sqrt()
    both = torch.stack([radius * angle.cos(), radius * angle.sin()], 2)  # (T, B, half, counters, parity)
    apart = both.view(T, B, 2, blocks, COUNTERS_A_BLOCK, 2).transpose(2, 3)  # (T, B, blocks, half, 8, parity)
    return apart.reshape(T, B, blocks * UNITS_A_BLOCK)[..., :H]
