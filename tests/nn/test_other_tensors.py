"""Tensors that are no plain arrays in memory: torch's values, or one sentence that says what they are."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch._subclasses import FakeTensor, FakeTensorMode

import elman
from tests.numerics import assert_close


class Own(Tensor):
    """A subclass without rules of its own."""


def pair(**options: bool) -> tuple[torch.nn.RNN, elman.RNN]:
    torch.manual_seed(1)
    theirs, ours = torch.nn.RNN(3, 5, **options), elman.RNN(3, 5, **options)  # type: ignore[arg-type]
    ours.load_state_dict(theirs.state_dict())
    return theirs, ours


REFUSED: dict[str, tuple[Callable[[Tensor], Tensor], str]] = {
    "coo": (lambda t: t.to_sparse(), r"laid out as sparse_coo; give \w+\.to_dense\(\)"),
    "nested": (lambda t: torch.nested.nested_tensor(list(t)), "is a nested tensor; pad it"),
    "quantised": (lambda t: torch.quantize_per_tensor(t, 0.1, 0, torch.qint8), "is quantised"),
    "mkldnn": (lambda t: t.to_mkldnn(), "laid out as mkldnn"),
}


@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors", "ignore:.*quantiz")
@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_no_array_is_named(kind: str) -> None:
    make, said = REFUSED[kind]
    _, ours = pair()
    x, hx = torch.randn(7, 4, 3), torch.randn(1, 4, 5)
    for given in ((make(x),), (x, make(hx))):
        with pytest.raises(TypeError, match=said):
            ours(*given)
    if kind != "nested":
        with pytest.raises(TypeError, match=said):
            torch.func.functional_call(ours, {"weight_hh_l0": make(ours.weight_hh_l0.detach())}, (x,))
    if kind != "mkldnn":
        cell = elman.RNNCell(3, 5)
        for given in ((make(x[0]),), (x[0], make(hx[0]))):
            with pytest.raises(TypeError, match=said):
                cell(*given)


@pytest.mark.filterwarnings("ignore:Sparse CSR")
def test_a_compressed_input_is_named() -> None:
    with pytest.raises(TypeError, match="sparse_csr"):
        elman.RNN(3, 5)(torch.randn(7, 3).to_sparse_csr())


@pytest.mark.parametrize("gradients", [False, True])
@pytest.mark.parametrize("bidirectional", [False, True])
def test_subclasses_keep_their_type_wherever_they_stand(bidirectional: bool, gradients: bool) -> None:
    theirs, ours = pair(bidirectional=bidirectional)
    x, hx = torch.randn(7, 4, 3), torch.randn(2 if bidirectional else 1, 4, 5)
    own = ours.weight_hh_l0.detach().as_subclass(Own)
    with torch.set_grad_enabled(gradients):
        for given in ((x.as_subclass(Own), hx), (x, hx.as_subclass(Own))):
            want, got = theirs(*given), ours(*given)
            assert [type(part) for part in got] == [type(part) for part in want]
            assert_close([part.as_subclass(Tensor) for part in got], [part.as_subclass(Tensor) for part in want])
        got = torch.func.functional_call(ours, {"weight_hh_l0": own}, (x, hx))
        assert type(got[0]) is Own
        assert_close(got[0].as_subclass(Tensor), ours(x, hx)[0])


@pytest.mark.filterwarnings("ignore:The .grad attribute")  # of torch's own, around a fake tensor
def test_fake_tensors_stay_fake() -> None:
    _, ours = pair()
    mode = FakeTensorMode(allow_non_fake_inputs=True)
    x, hx = torch.randn(7, 4, 3), torch.randn(1, 4, 5)
    for given in ((mode.from_tensor(x), hx), (x, mode.from_tensor(hx))):
        output, h_n = ours(*given)
        assert isinstance(output, FakeTensor)
        assert (output.shape, h_n.shape) == ((7, 4, 5), (1, 4, 5))


def test_functional_tensors_have_their_values() -> None:
    theirs, ours = pair()
    x, hx = torch.randn(7, 4, 3), torch.randn(1, 4, 5)
    want = theirs(x, hx)[0]
    for i in range(2):
        given = [x, hx]
        given[i] = torch._to_functional_tensor(given[i])
        output = ours(*given)[0]
        torch._sync(output)
        assert_close(torch._from_functional_tensor(output), want)
    assert_close(torch.func.functionalize(lambda x, hx: ours(x, hx)[0])(x, hx), want)
    with pytest.raises(NotImplementedError, match="functionalize"):
        torch.func.functionalize(torch.func.grad(lambda x: ours(x, hx)[0].square().sum()))(x)


def test_all_on_the_meta_device() -> None:
    with torch.device("meta"):
        layer, x = elman.RNN(3, 5), torch.randn(7, 4, 3)
        output, h_n = layer(x, lengths=[7, 1, 2, 0])
        assert output.is_meta
        assert (output.shape, h_n.shape) == ((7, 4, 5), (1, 4, 5))
        assert layer.step(x[0])[0].is_meta
