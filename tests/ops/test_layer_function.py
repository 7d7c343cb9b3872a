"""A layer by the builtin function is that by `forward_layer`, bit for bit; what it does not take goes there."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

import elman
from elman.kernels.cpu import backend as cpu
from elman.kernels.cpu.builtin import layer_function
from elman.kernels.options import PLAIN, RecurrenceOptions
from elman.kernels.protocols import LayerFunction

pytestmark = pytest.mark.skipif(
    not cpu.available() or layer_function(PLAIN) is None, reason="this interpreter, torch or build has no such function"
)


def function_for(options: RecurrenceOptions = PLAIN) -> LayerFunction:
    function = layer_function(options)
    assert function is not None
    return function


def weights_of(I: int, H: int, D: int, biases: int, dtype: torch.dtype) -> list[Tensor]:
    shapes = [(H, I), (H, H), *[(H,)] * biases] * D
    return [torch.randn(shape, dtype=dtype) / H**0.5 for shape in shapes]


def laid_out(T: int, B: int, I: int, how: str, dtype: torch.dtype) -> Tensor:
    if how == "by steps":
        return torch.randn(T, B, I, dtype=dtype)
    if how == "by sequences":
        return torch.randn(B, T, I, dtype=dtype).transpose(0, 1)
    return torch.randn(T, B, 2 * I, dtype=dtype)[..., ::2]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("how", ["by steps", "by sequences", "with gaps"])
@pytest.mark.parametrize("D", [1, 2])
@pytest.mark.parametrize("options", [PLAIN, RecurrenceOptions("relu", True, True)], ids=["plain", "other"])
def test_bit_for_bit(options: RecurrenceOptions, D: int, how: str, dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    function = function_for(options)
    for T, B, I, H, biases in ((1, 1, 3, 5, 2), (7, 4, 3, 17, 1), (3, 16, 5, 8, 0), (40, 5, 30, 64, 2)):
        x, weights = laid_out(T, B, I, how, dtype), weights_of(I, H, D, biases, dtype)
        for h0 in (None, torch.randn(D, B, H, dtype=dtype)):
            for lengths in (None, torch.randint(0, T + 1, (B,))):
                for time_first in (False, True):
                    pointers = cpu.addresses(x, h0, lengths, H, D, weights)
                    assert pointers is not None
                    want = cpu.forward_layer(x, h0, lengths, options, H, D, pointers, time_first=time_first)
                    got = function(x, h0, lengths, weights, H, D, time_first)
                    assert got is not None
                    for one, other in zip(got, want, strict=True):
                        assert torch.equal(one, other)
                        assert (one.shape, one.stride(), one.dtype) == (other.shape, other.stride(), other.dtype)


def own(tensor: Tensor) -> Tensor:
    class Own(Tensor):
        pass

    return tensor.as_subclass(Own)


REFUSED: dict[str, Callable[[Tensor], Any]] = {
    "negated": lambda tensor: torch._neg_view(tensor),
    "zeros": lambda tensor: torch._efficientzerotensor(tensor.shape),
    "a view of zeros": lambda tensor: torch._efficientzerotensor((2, *tensor.shape))[1],
    "a subclass": own,
    "another dtype": lambda tensor: tensor.half(),
    "meta": lambda tensor: tensor.to("meta"),
    "sparse": lambda tensor: tensor.to_sparse(),
    "another rank": lambda tensor: tensor[0],
    "no tensor": lambda tensor: tensor.tolist(),
}


@pytest.mark.parametrize("place", range(6))
@pytest.mark.parametrize("kind", REFUSED)
def test_what_does_not_fit(kind: str, place: int) -> None:
    function, x, h0 = function_for(), torch.randn(6, 4, 3), torch.randn(1, 4, 5)
    given = [x, h0, *weights_of(3, 5, 1, 2, torch.float32)]
    assert function(given[0], given[1], None, given[2:], 5, 1, False) is not None
    given[place] = REFUSED[kind](given[place])
    assert function(given[0], given[1], None, given[2:], 5, 1, False) is None


@pytest.mark.parametrize("place", range(1, 6))
def test_only_x_may_have_gaps(place: int) -> None:
    given = [torch.randn(6, 4, 3), torch.randn(1, 4, 5), *weights_of(3, 5, 1, 2, torch.float32)]
    given[place] = torch.stack([given[place]] * 2, -1)[..., 0]
    assert function_for()(given[0], given[1], None, given[2:], 5, 1, False) is None


def test_arguments_that_make_no_sense() -> None:
    function, x, weights = function_for(), torch.randn(6, 4, 3), weights_of(3, 5, 1, 2, torch.float32)
    assert function(x, None, None, weights, 5, 1, False) is not None
    lengths: list[Any] = [[6] * 4, torch.full((4,), 7), torch.full((4,), -1), torch.ones(5, dtype=torch.int64)]
    lengths += [torch.ones(4, dtype=torch.int32), torch.ones(4), torch.ones(4, dtype=torch.uint64)]
    for wrong in lengths:
        assert function(x, None, wrong, weights, 5, 1, False) is None
    for H, D in ((6, 1), (5, 2), (5, 0), (5, 3), (-5, 1), (2**80, 1), ("5", 1)):
        assert function(x, None, None, weights, H, D, False) is None  # type: ignore[arg-type]
    for few in ([], weights[:1], weights * 2, tuple(weights), None):
        assert function(x, None, None, few, 5, 1, False) is None  # type: ignore[arg-type]
    for empty in (x[:0], x[:, :0], x[..., :0]):
        assert function(empty, None, None, weights, 5, 1, False) is None
    assert function() is None  # type: ignore[call-arg]


def test_the_layer_says_what_is_wrong_with_lengths() -> None:
    for gradients in (False, True):
        with torch.set_grad_enabled(gradients), pytest.raises(ValueError, match="lengths holds 7, x has 6 steps"):
            elman.RNN(3, 5)(torch.randn(6, 4, 3), lengths=[7, 1, 1, 1])


def test_nothing_is_kept() -> None:
    layer, x = elman.RNN(3, 5), torch.randn(6, 4, 3)
    h0 = torch.zeros(1, 4, 5)
    kept = [x, h0, *layer.parameters(), layer._all_weights]

    def calls(n: int) -> None:
        for number in range(n):
            with torch.set_grad_enabled(number % 2 == 1):
                layer(x, h0)

    calls(100)
    before, nones = [sys.getrefcount(one) for one in kept], sys.getrefcount(None)
    calls(5000)
    assert [sys.getrefcount(one) for one in kept] == before
    assert abs(sys.getrefcount(None) - nones) < 100


def test_states_go_with_the_last_reference() -> None:
    """The derivative's node does not keep what keeps it."""
    import gc
    import weakref

    gc.disable()
    try:
        h, h_n = elman.RNN(3, 5)(torch.randn(6, 4, 3))
        watched = weakref.ref(h), weakref.ref(h_n)
        del h, h_n
        assert [ref() for ref in watched] == [None, None]
    finally:
        gc.enable()


def test_threads_at_once() -> None:
    layer, xs = elman.RNN(30, 100), [torch.randn(20, 8, 30) for _ in range(4)]
    with torch.no_grad():
        wanted = [layer(x)[0] for x in xs]
    wrong: list[int] = []

    def calls(which: int) -> None:
        for _ in range(50):
            with torch.no_grad():
                if not torch.equal(layer(xs[which])[0], wanted[which]):
                    wrong.append(which)

    threads = [threading.Thread(target=calls, args=(which,)) for which in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
