"""torch's own operation gives what `torch.nn.RNN` gives: run on the CPU, by tensors that say they are on a GPU."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence

import elman
from elman.kernels import cudnn_serves
from elman.nn import cudnn
from elman.nn import rnn as rnn_module
from tests.numerics import assert_close


class Pretends(Tensor):
    """A tensor on the CPU that says it is on a GPU."""

    is_cuda = property(lambda self: True)  # type: ignore[assignment]


@pytest.fixture(autouse=True)
def _runs_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cudnn, "PLAIN", (Tensor, Pretends))
    monkeypatch.setattr(cudnn, "cudnn_serves", lambda x: isinstance(x, Pretends))

    def not_here(*_: Any, **__: Any) -> None:
        raise AssertionError("another way was taken")

    monkeypatch.setattr(rnn_module, "apply_layer", not_here)
    monkeypatch.setattr(rnn_module.RNN, "_directions", not_here)


def pair(**options: Any) -> tuple[nn.RNN, elman.RNN]:
    theirs = nn.RNN(5, 9, **options)
    ours = elman.RNN(5, 9, **options)
    ours.load_state_dict(theirs.state_dict())
    return theirs, ours


def pretending(x: Tensor) -> Tensor:
    return x.as_subclass(Pretends)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"bias": False, "nonlinearity": "relu"},
        {"num_layers": 2, "bidirectional": True, "dropout": 0.5},
        {"batch_first": True},
    ],
    ids=str,
)
@pytest.mark.parametrize("form", ["batch", "one", "packed"])
@pytest.mark.parametrize("given", [False, True])
def test_the_same_as_torch(options: dict[str, Any], form: str, given: bool) -> None:
    torch.manual_seed(0)
    theirs, ours = pair(**options)
    x = torch.randn(4, 4, 5)[:, 0] if form == "one" else torch.randn(4, 4, 5)
    layers = len(ours._all_weights)
    hx = (torch.randn(layers, 9) if form == "one" else torch.randn(layers, 4, 9)) if given else None
    results = []
    for layer, data in ((theirs, x), (ours, pretending(x))):
        layer.zero_grad()
        torch.manual_seed(1)
        if form == "packed":
            packed = pack_padded_sequence(data, torch.tensor([2, 4, 3, 1]), theirs.batch_first, enforce_sorted=False)
            output, h_n = layer(packed, hx)
            assert isinstance(output, PackedSequence)
            output = output.data
        else:
            output, h_n = layer(data, hx)
        (output.sum() + (h_n * h_n).sum()).backward()
        results.append([output, h_n, *(p.grad for p in layer.parameters())])
    for want, got in zip(*results, strict=True):
        assert_close(got.as_subclass(Tensor), want, terms=0)


def test_a_learned_state_gets_its_gradient() -> None:
    rnn = elman.RNN(5, 9, learned_h0=True)
    rnn(pretending(torch.randn(4, 3, 5)))[0].sum().backward()
    assert rnn.initial_state.grad is not None
    assert rnn.initial_state.grad.abs().sum() > 0


def test_what_does_not_fit_raises_as_in_torch() -> None:
    theirs, ours = pair()
    for x, hx in ((torch.randn(4, 3, 6), None), (torch.randn(4, 3, 5), torch.zeros(1, 2, 9))):
        with pytest.raises(RuntimeError) as by_theirs:
            theirs(x, hx)
        with pytest.raises(RuntimeError) as by_ours:
            ours(pretending(x), hx)
        assert str(by_ours.value) == str(by_theirs.value)


def test_what_cudnn_has_not_goes_another_way() -> None:
    x = pretending(torch.randn(4, 3, 5))
    assert cudnn.can_run(elman.RNN(5, 9), x)
    own: tuple[dict[str, Any], ...] = (
        {"layer_norm": True},
        {"residual": True},
        {"recurrent_dropout": 0.5},
        {"num_layers": 2, "dropout": 0.5, "locked_dropout": True},
    )
    for options in own:
        assert not cudnn.can_run(elman.RNN(5, 9, **options), x)
    at_rest = elman.RNN(5, 9).eval()
    assert not cudnn.can_run(at_rest, x)  # it has no backward pass there
    with torch.no_grad():
        assert cudnn.can_run(at_rest, x)
    for others in ({"lengths": [4, 2, 1]}, {"return_all": True}):
        with pytest.raises(AssertionError, match="another way"):
            elman.RNN(5, 9)(x, **others)


def test_it_serves_a_gpu_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ELMAN_BACKEND", raising=False)
    monkeypatch.setattr(torch.backends.cudnn, "is_acceptable", lambda x: True)
    assert cudnn_serves(pretending(torch.zeros(1)))
    assert not cudnn_serves(torch.zeros(1))
    monkeypatch.setenv("ELMAN_BACKEND", "reference")
    assert not cudnn_serves(pretending(torch.zeros(1)))
