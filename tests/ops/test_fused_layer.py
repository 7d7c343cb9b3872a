"""A layer's directions together give the same bits as one recurrence a direction, forward, backward and twice."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

import elman
from elman.kernels import select_backend
from elman.kernels.cpu import backend as cpu
from elman.kernels.options import PLAIN
from elman.kernels.selection import Backend
from elman.nn import rnn as rnn_module
from elman.ops.fused_layer import apply_layer
from tests.numerics import assert_close

OPTIONS: tuple[dict[str, Any], ...] = (
    {},
    {"bias": False},
    {"num_layers": 3, "nonlinearity": "relu"},
    {"num_layers": 2, "bidirectional": True},
    {"batch_first": True, "bidirectional": True},
    {"num_layers": 2, "learned_h0": True},
    {"residual": True, "dtype": torch.float64},
)
pytestmark = [
    pytest.mark.skipif(not cpu.available(), reason="the native library is not built"),
    pytest.mark.usefixtures("isa"),
]


def backend_for(x: Tensor) -> Backend:
    return select_backend(PLAIN, x.device, x.dtype)


def layer_and_input(**options: Any) -> tuple[elman.RNN, Tensor]:
    torch.manual_seed(0)
    rnn = elman.RNN(5, 9, **options)
    if rnn.learned_h0:
        nn.init.normal_(rnn.initial_state)
    x = torch.randn(7, 4, 5, dtype=options.get("dtype"))
    return rnn, x.transpose(0, 1) if rnn.batch_first else x


def everything(rnn: elman.RNN, x: Tensor, hx: Tensor | None, lengths: list[int] | None) -> list[Tensor | None]:
    """Outputs, and gradients of inputs and parameters."""
    leaves = [leaf.clone().requires_grad_() for leaf in (x, hx) if leaf is not None]
    output, h_n, layers = rnn(*leaves, lengths=lengths, return_all=True)
    weights = torch.linspace(-1, 1, output.numel(), dtype=x.dtype).view(output.shape)
    total = (output * weights).sum() + (h_n * h_n).sum() + layers[0].sin().sum()
    return [output, h_n, *layers, *torch.autograd.grad(total, [*leaves, *rnn.parameters()], allow_unused=True)]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("lengths", [None, [7, 0, 3, 5]])
@pytest.mark.parametrize("given", [False, True])
def test_the_same_as_one_recurrence_a_direction(
    options: dict[str, Any], lengths: list[int] | None, given: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    rnn, x = layer_and_input(**options)
    hx = torch.randn(len(rnn._all_weights), 4, 9, dtype=x.dtype) if given else None
    got = everything(rnn, x, hx, lengths)
    with torch.no_grad():
        *without, without_all = rnn(x, hx, lengths=lengths, return_all=True)
    monkeypatch.setattr(rnn_module, "apply_layer", lambda *_: None)
    want = everything(rnn, x, hx, lengths)
    for one, other in zip(got, want, strict=True):
        if one is None or other is None:
            assert one is other
        else:
            assert_close(one, other)
    for one, other in zip([*without, *without_all], want, strict=False):
        assert other is not None
        assert torch.equal(one, other)
        assert not one.requires_grad


@pytest.mark.parametrize("threads", [1, 2, 4])
def test_both_directions_side_by_side_and_one_after_the_other(threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    rnn = elman.RNN(40, 48, bidirectional=True)  # enough work for two teams
    x, lengths = torch.randn(60, 9, 40), [60, 59, 1, 0, 30, 31, 60, 7, 8]
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        got = everything(rnn, x, None, lengths)
        again = everything(rnn, x, None, lengths)
        monkeypatch.setattr(rnn_module, "apply_layer", lambda *_: None)
        want = everything(rnn, x, None, lengths)
    finally:
        torch.set_num_threads(before)
    for one, other, same in zip(got, want, again, strict=True):
        assert_close(one, other, terms=60 * 88)
        assert_close(one, same, terms=0)


@pytest.mark.parametrize("options", [{}, {"bidirectional": True}, {"bias": False, "residual": True}], ids=str)
def test_first_and_second_derivatives(options: dict[str, Any]) -> None:
    torch.manual_seed(0)
    rnn = elman.RNN(2, 3, dtype=torch.float64, **options)
    x = torch.randn(4, 2, 2, dtype=torch.float64, requires_grad=True)
    hx = torch.randn(len(rnn._all_weights), 2, 3, dtype=torch.float64, requires_grad=True)
    names, parameters = zip(*rnn.named_parameters(), strict=True)
    assert apply_layer(backend_for(x), x, hx, None, PLAIN, 3, len(rnn._all_weights), parameters)

    def run(x: Tensor, hx: Tensor, *values: Tensor) -> tuple[Tensor, ...]:
        for name, value in zip(names, values, strict=True):  # plain tensors in the place of the parameters
            rnn._parameters.pop(name, None)
            rnn.__dict__[name] = value
        found: tuple[Tensor, ...] = rnn(x, hx, lengths=[4, 2])
        return found

    inputs = (x, hx, *(p.detach().clone().requires_grad_() for p in parameters))
    assert torch.autograd.gradcheck(run, inputs)
    assert torch.autograd.gradgradcheck(run, inputs)


def test_weights_and_states_that_are_not_contiguous_are_taken_as_well() -> None:
    rnn, x = layer_and_input(num_layers=2)
    hx = torch.randn(4, 9, 2).permute(2, 0, 1)
    want = everything(rnn, x, hx.contiguous(), None)
    rnn.weight_hh_l0.data = rnn.weight_hh_l0.data.t().contiguous().t()
    assert not rnn.weight_hh_l0.is_contiguous()
    for one, other in zip(everything(rnn, x, hx, None), want, strict=True):
        assert_close(one, other)


def test_what_comes_out_shares_no_memory() -> None:
    rnn, x = layer_and_input()
    with torch.no_grad():
        output, h_n = rnn(x)
        before = output.clone()
        h_n.zero_()
    assert torch.equal(output, before)


def test_another_way_is_taken_where_something_watches_or_does_not_fit() -> None:
    rnn, x = layer_and_input()
    weights = list(rnn.parameters())
    h0, lengths = torch.zeros(1, 4, 9), torch.tensor([7, 0, 3, 5])
    fits: dict[str, Any] = {"x": x, "h0": h0, "lengths": lengths, "options": PLAIN, "H": 9, "D": 1, "weights": weights}
    assert apply_layer(backend_for(x), **fits)
    strange: Tensor = torch.zeros(1, 4, 9).as_subclass(type("Other", (Tensor,), {}))
    sparse = torch.zeros(9, 18)[:, ::2]
    wrong: dict[str, tuple[Any, ...]] = {
        "x": (x.to(torch.bfloat16), x.double(), x[:0], x[..., :4], x.to("meta")),
        "h0": (h0[0], h0.double(), strange, h0.to("meta"), torch.zeros(1, 1, 9).expand(1, 4, 9)),
        "lengths": (lengths[1:], lengths.int(), lengths.to("meta")),
        "H": (8,),
        "weights": ([strange, *weights[1:]], [*weights[:3], weights[3].double()], [weights[0], sparse, *weights[2:]]),
    }
    for name, others in wrong.items():
        for other in others:
            arguments = fits | {name: other}
            assert apply_layer(backend_for(arguments["x"]), **arguments) is None
    with torch.autocast("cpu", torch.bfloat16):
        assert apply_layer(backend_for(x), **fits) is None
    with torch.no_grad():
        want = rnn(x)[0]
        got = torch.func.vmap(lambda sequence: rnn(sequence)[0], in_dims=1, out_dims=1)(x)
    assert_close(got, want)


@pytest.mark.parametrize("lengths", [[7, 8, 3, 1], [7, -1, 3, 1], [7, 3, 1]])
def test_wrong_lengths_raise(lengths: list[int]) -> None:
    rnn, x = layer_and_input(bidirectional=True)
    with pytest.raises(ValueError, match=r"lengths holds (8|-1), x has 7 steps|lengths has shape"):
        rnn(x, lengths=lengths)


def test_a_weight_of_another_shape_or_dtype_raises() -> None:
    rnn, x = layer_and_input()
    rnn.weight_hh_l0 = nn.Parameter(torch.zeros(8, 8))
    with pytest.raises(ValueError, match="has shape"):
        rnn(x)
    rnn.weight_hh_l0 = nn.Parameter(torch.zeros(9, 9, dtype=torch.float64))
    with pytest.raises(TypeError, match="float64"):
        rnn(x)


def test_directions_of_different_sizes_raise() -> None:
    rnn, x = layer_and_input(bidirectional=True, bias=False)
    rnn.weight_ih_l0_reverse = nn.Parameter(torch.zeros(40, 5))
    rnn.weight_hh_l0_reverse = nn.Parameter(torch.zeros(40, 40))
    with pytest.raises(ValueError, match=r"h0 has shape \(4, 9\), but .* w_hh \(40, 40\) ask for \(4, 40\)"):
        rnn(x)


@pytest.mark.parametrize("hx", [torch.zeros(1, 4, 9, dtype=torch.float64), torch.zeros(1, 4, 9, device="meta")])
def test_a_state_of_another_dtype_or_device_raises(hx: Tensor) -> None:
    rnn, x = layer_and_input()
    with pytest.raises((TypeError, ValueError), match="h0 is"):
        rnn(x, hx)
