"""The noise: Philox's own test vectors, what it depends on, and whether it is normal and independent."""

from __future__ import annotations

import math

import pytest
import torch

from elman.kernels.general.noise import normal, philox

# Random123's known answers for philox4x32-7: counter, key, words
KNOWN = (
    ((0, 0, 0, 0), (0, 0), (0x5F6FB709, 0x0D893F64, 0x4F121F81, 0x4F730A48)),
    (
        (0xFFFFFFFF,) * 4,
        (0xFFFFFFFF,) * 2,
        (0x5207DDC2, 0x45165E59, 0x4D8EE751, 0x8C52F662),
    ),
    (
        (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
        (0xA4093822, 0x299F31D0),
        (0x4DFCCABA, 0x190A87F0, 0xC47362BA, 0xB6B5242A),
    ),
)


@pytest.mark.parametrize(("counter", "key", "words"), KNOWN)
def test_philox_gives_the_known_answers(counter: tuple[int, ...], key: tuple[int, int], words: tuple[int, ...]) -> None:
    a, b, c, d = (torch.tensor([word]) for word in counter)
    assert tuple(word.item() for word in philox((a, b, c, d), key)) == words


def test_a_number_depends_on_its_place_alone() -> None:
    all_of_it = normal(7, 1, 5, 4, 40)
    assert torch.equal(normal(7, 1, 3, 2, 33), all_of_it[:3, :2, :33])
    for other in (normal(8, 1, 5, 4, 40), normal(7, 2, 5, 4, 40), normal(7 + 2**32, 1, 5, 4, 40)):
        assert (other != all_of_it).all()


def test_it_is_normal() -> None:
    drawn = normal(2024, 0, 100, 20, 50).flatten()  # 100,000 numbers
    n = drawn.numel()
    assert abs(drawn.mean().item()) < 4 / math.sqrt(n)
    assert abs(drawn.var().item() - 1) < 4 * math.sqrt(2 / n)
    assert abs((drawn**3).mean().item()) < 4 * math.sqrt(15 / n)
    assert abs((drawn**4).mean().item() - 3) < 4 * math.sqrt(96 / n)
    uniform = torch.special.ndtr(drawn.sort().values)  # Kolmogorov and Smirnov, at 1 in 1,000
    steps = torch.arange(n, dtype=torch.float64) / n
    distance = torch.maximum((uniform - steps).abs().max(), (uniform - steps - 1 / n).abs().max())
    assert distance.item() * math.sqrt(n) < 1.95


@pytest.mark.parametrize("dim", [0, 1, 2], ids=["steps", "sequences", "units"])
def test_neighbours_are_independent(dim: int) -> None:
    drawn = normal(99, 4, 64, 48, 64)
    first, second = drawn.narrow(dim, 0, drawn.shape[dim] - 1), drawn.narrow(dim, 1, drawn.shape[dim] - 1)
    n = first.numel()
    for power in (1, 2):  # the sizes too
        a, b = (each**power - (each**power).mean() for each in (first, second))
        correlation = (a * b).mean() / (a.var() * b.var()).sqrt()
        assert abs(correlation.item()) < 4 / math.sqrt(n)
