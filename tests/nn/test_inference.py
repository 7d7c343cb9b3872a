"""Without gradients a layer runs by another way, which must give the same bits as the differentiable one."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

import elman
from elman.nn import inference

OPTIONS: tuple[dict[str, Any], ...] = (
    {},
    {"bias": False},
    {"num_layers": 3, "nonlinearity": "relu"},
    {"num_layers": 2, "bidirectional": True},
    {"batch_first": True, "bidirectional": True},
    {"num_layers": 2, "learned_h0": True},
    {"residual": True, "dtype": torch.float64},
)


def layer_and_input(**options: Any) -> tuple[elman.RNN, Tensor]:
    torch.manual_seed(0)
    rnn = elman.RNN(5, 9, **options)
    if rnn.learned_h0:
        nn.init.normal_(rnn.initial_state)
    x = torch.randn(7, 4, 5, dtype=options.get("dtype"))
    return rnn, x.transpose(0, 1) if rnn.batch_first else x


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("lengths", [None, [7, 0, 3, 5]])
@pytest.mark.parametrize("given", [False, True])
def test_the_same_bits_with_and_without_gradients(
    options: dict[str, Any], lengths: list[int] | None, given: bool
) -> None:
    rnn, x = layer_and_input(**options)
    hx = torch.randn(len(rnn._all_weights), 4, 9, dtype=x.dtype) if given else None
    *want, want_all = rnn(x, hx, lengths=lengths, return_all=True)
    with torch.no_grad():
        assert inference.can_run(rnn, x)
        *got, got_all = rnn(x, hx, lengths=lengths, return_all=True)
    for one, other in zip([*got, *got_all], [*want, *want_all], strict=True):
        assert torch.equal(one, other)
    assert not got[0].requires_grad


def test_what_comes_out_shares_no_memory() -> None:
    rnn, x = layer_and_input()
    with torch.no_grad():
        output, h_n = rnn(x)
        before = output.clone()
        h_n.zero_()
    assert torch.equal(output, before)


def test_the_other_way_is_taken_where_something_is_drawn_differentiated_or_watched() -> None:
    rnn, x = layer_and_input(num_layers=2, dropout=0.5)
    assert not inference.can_run(rnn.eval(), x)
    with torch.no_grad():
        assert not inference.can_run(rnn.train(), x)
        assert inference.can_run(rnn.eval(), x)
        assert not inference.can_run(layer_and_input(layer_norm=True)[0], x)
        assert not inference.can_run(rnn, x.to(torch.bfloat16))
        with torch.autocast("cpu", torch.bfloat16):
            assert not inference.can_run(rnn, x)
        want = rnn(x)[0]
        got = torch.func.vmap(lambda sequence: rnn(sequence)[0], in_dims=1, out_dims=1)(x)
        torch.testing.assert_close(got, want)


@pytest.mark.parametrize("lengths", [[7, 8, 3, 1], [7, -1, 3, 1], [7, 3, 1]])
def test_wrong_lengths_raise(lengths: list[int]) -> None:
    rnn, x = layer_and_input()
    with torch.no_grad(), pytest.raises(ValueError, match=r"lengths holds (8|-1), x has 7 steps|lengths has shape"):
        rnn(x, lengths=lengths)


def test_a_weight_of_another_shape_or_dtype_raises() -> None:
    rnn, x = layer_and_input()
    rnn.weight_hh_l0 = nn.Parameter(torch.zeros(8, 8))
    with torch.no_grad(), pytest.raises(ValueError, match="has shape"):
        rnn(x)
    rnn.weight_hh_l0 = nn.Parameter(torch.zeros(9, 9, dtype=torch.float64))
    with torch.no_grad(), pytest.raises(TypeError, match="float64"):
        rnn(x)
