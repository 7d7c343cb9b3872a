"""Wrong arguments raise, naming the two facts that disagree; autocast casts once."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from elman.ops import recurrence
from tests.numerics import assert_close

T, B, I, H = 4, 3, 2, 5
WRONG: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"x": torch.zeros(T, I)}, ValueError, "x has 2 dimensions, not 3"),
    ({"w_hh": torch.zeros(H)}, ValueError, "w_hh has 1 dimensions, not 2"),
    ({"x": torch.zeros(T, B, I + 1)}, ValueError, r"w_ih has shape \(5, 2\), but x \(4, 3, 3\) and w_hh"),
    ({"h0": torch.zeros(B + 1, H)}, ValueError, r"h0 has shape \(4, 5\), but .* ask for \(3, 5\)"),
    ({"w_hh": torch.zeros(H, H + 1)}, ValueError, r"w_hh has shape \(5, 6\), but .* ask for \(5, 5\)"),
    ({"bias": torch.zeros(H, 1)}, ValueError, r"bias has shape \(5, 1\), but .* ask for \(5,\)"),
    ({"mask": torch.zeros(1, H)}, ValueError, r"mask has shape \(1, 5\), but .* ask for \(3, 5\)"),
    ({"x": torch.zeros(T, B, I).double()}, TypeError, "h0 is torch.float32, x is torch.float64"),
    ({"w_ih": torch.zeros(H, I).bfloat16()}, TypeError, "w_ih is torch.bfloat16, x is torch.float32"),
    ({"mask": torch.zeros(B, H) > 0}, TypeError, "mask is torch.bool, x is torch.float32"),
    ({"x": torch.zeros(T, B, I, dtype=torch.int64)}, TypeError, "x is torch.int64, not floating point"),
    ({"w_hh": torch.zeros(H, H, device="meta")}, ValueError, "w_hh is on meta, x is on cpu"),
    ({"lengths": torch.tensor([1, 2])}, ValueError, r"lengths has shape \(2,\), x has 3 sequences"),
    ({"lengths": torch.tensor([1, 2, 3], dtype=torch.int32)}, TypeError, "lengths is torch.int32, not torch.int64"),
    ({"lengths": torch.tensor([1, 2, 3], device="meta")}, ValueError, "lengths is on meta, x is on cpu"),
    ({"lengths": torch.tensor([1, 5, 3])}, ValueError, "lengths holds 5, x has 4 steps"),
    ({"lengths": torch.tensor([1, -1, 3])}, ValueError, "lengths holds -1, x has 4 steps"),
    ({"nonlinearity": "gelu"}, ValueError, "nonlinearity is 'gelu'; choose 'tanh', 'relu', "),
]


def arguments() -> dict[str, Any]:
    shapes = {"x": (T, B, I), "h0": (B, H), "w_ih": (H, I), "w_hh": (H, H), "bias": (H,)}
    return {name: torch.zeros(shape) for name, shape in shapes.items()}


@pytest.mark.parametrize(("wrong", "error", "says"), WRONG, ids=[says for _, _, says in WRONG])
def test_what_disagrees_is_named(wrong: dict[str, Any], error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says):
        recurrence(**(arguments() | wrong))


def test_autocast_gives_what_torch_gives() -> None:
    rnn = torch.nn.RNN(I, H)
    x = torch.randn(T, B, I, requires_grad=True)
    h0 = torch.randn(B, H)
    weights = rnn.weight_ih_l0, rnn.weight_hh_l0, rnn.bias_ih_l0 + rnn.bias_hh_l0
    with torch.autocast("cpu", torch.bfloat16):
        h, h_last = recurrence(x, h0, *weights, mask=torch.ones(B, H))
        want, want_last = rnn(x, h0.unsqueeze(0))
    assert (h.dtype, h_last.dtype) == (want.dtype, want_last.dtype) == (torch.bfloat16, torch.bfloat16)
    assert_close(h, want, terms=7, dtype=torch.bfloat16)
    h.sum().backward()
    assert x.grad is not None
    assert x.grad.dtype == torch.float32
    assert rnn.weight_hh_l0.grad is not None
    assert rnn.weight_hh_l0.grad.dtype == torch.float32


def test_autocast_leaves_float64_alone() -> None:
    doubles = {name: tensor.double() for name, tensor in arguments().items()}
    with torch.autocast("cpu", torch.bfloat16):
        h, _ = recurrence(**doubles)
        assert h.dtype == torch.float64
        with pytest.raises(TypeError, match=r"h0 is torch\.float64, x is torch\.float32"):
            recurrence(**(arguments() | {"h0": doubles["h0"]}))
