"""Noise and functions of the general recurrence by themselves: what `test_backend` runs with TRITON_INTERPRET=1."""

from __future__ import annotations

import math

import numpy as np
import torch
import triton
import triton.language as tl
from tests.kernels.general.test_noise import KNOWN
from torch import Tensor

from elman.kernels.general import activations as reference
from elman.kernels.general.noise import normal
from elman.kernels.triton.general import activations, noise
from elman.kernels.triton.general.noise_launch import add_noise, noise_gradient, seeds_on
from elman.kernels.triton.launch import launch

EPS = torch.finfo(torch.float32).eps


@triton.jit
def words_of(seeds, places, out):
    """The words of network 0's counter (c, b, t)."""
    one = tl.arange(0, 1)
    w0, w1, w2, w3 = noise.words(seeds, 0, tl.load(places + one), tl.load(places + 1 + one), tl.load(places + 2 + one))
    tl.store(out + one, w0.to(tl.int64))
    tl.store(out + 1 + one, w1.to(tl.int64))
    tl.store(out + 2 + one, w2.to(tl.int64))
    tl.store(out + 3 + one, w3.to(tl.int64))


@triton.jit
def apply_function(a, g, y, d, N, F: tl.constexpr, BLOCK: tl.constexpr):
    """y = f(a) and d = g f'(a), given that y."""
    at = tl.arange(0, BLOCK)
    f = activations.activate(tl.load(a + at, mask=at < N, other=0.0), F)
    tl.store(y + at, f, mask=at < N)
    tl.store(d + at, activations.through(tl.load(g + at, mask=at < N, other=0.0), f, F), mask=at < N)


def philox_gives_the_known_answers() -> None:
    for (c, b, t, stream), (low, high), words in KNOWN:
        key = low | high << 32
        seeds = torch.tensor([[key - (1 << 64) if key >> 63 else key, stream]])
        out = torch.zeros(4, dtype=torch.int64)
        launch(words_of, (1,), seeds, torch.tensor([c, b, t]), out)
        assert tuple(word & 0xFFFFFFFF for word in out.tolist()) == words


def noise_is_that_of_the_reference() -> None:
    """Of two networks with seeds of their own; every number within the roundings of its radius and its angle."""
    T, B, H = 5, 7, 70
    seed = torch.tensor([[2**62 + 12345, 3], [-7, 2**31]])
    assert torch.equal(seeds_on(torch.device("cpu"), seed), seed)
    got, size = torch.zeros(2, T, B, H), torch.tensor([[1.0], [-2.0]]).repeat(1, H)
    add_noise(got, size, seed)
    delta = torch.randn(2, T, B, H, generator=torch.Generator().manual_seed(0))
    of_size = noise_gradient(delta, seed)
    for v, (number, stream) in enumerate(seed.tolist()):
        true = normal(number, stream, T, B, H)
        largest = true.abs().max().item()
        assert (got[v].double() - size[v, 0].item() * true).abs().max().item() <= 8 * EPS * largest
        want = (delta[v].double() * true).sum((0, 1))
        assert (of_size[v].double() - want).abs().max().item() <= T * B * EPS * largest


def functions_are_those_of_the_reference() -> None:
    """Each relative to its own size, so that what is small is right too."""
    near = torch.cat([torch.logspace(-30, 2, 1000), torch.tensor([1.0, 20.0, 40.0, math.inf])])
    a = torch.cat([near, -near, torch.tensor([0.0, -0.0, math.nan])])
    g = torch.linspace(0.5, 2, a.numel())
    for name, f in reference.FUNCTIONS.items():
        y, d = torch.empty_like(a), torch.empty_like(a)
        with np.errstate(all="ignore"):
            launch(apply_function, (1,), a, g, y, d, a.numel(), F=name, BLOCK=4096)
        assert_relative(name, y, f(a.double()))
        finite = a.isfinite() | a.isnan()
        cancels = 2 * EPS if "tanh" in name and name != "hardtanh" else 0.0  # 1 - y^2 is a difference with 1
        assert_relative(f"{name}'", d[finite], reference.through(name, g.double(), y.double())[finite], cancels)


def assert_relative(name: str, got: Tensor, true: Tensor, absolute: float = 0) -> None:
    """Within eight roundings of the number itself; two infinities are equal, and so are two NaN."""
    allowed = 8 * EPS * true.abs() + absolute + torch.finfo(torch.float32).tiny
    off = (got.double() - true).abs()
    wrong = ~((off <= allowed) | (got.double() == true) | (got.isnan() & true.isnan()))
    assert not wrong.any(), f"{name}: {got[wrong][:5].tolist()}, not {true[wrong][:5].tolist()}"


def main() -> None:
    philox_gives_the_known_answers()
    noise_is_that_of_the_reference()
    functions_are_those_of_the_reference()
    print("checked noise and functions")


if __name__ == "__main__":
    main()
