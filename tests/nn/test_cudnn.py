"""torch's own operation gives what `torch.nn.RNN` gives: run on the CPU, registered for it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence

import elman
from elman.kernels import cudnn, selection
from elman.kernels.selection import BackendEntry, forget_selection
from elman.nn import rnn as rnn_module
from tests.numerics import assert_close


@pytest.fixture(autouse=True)
def _runs_here(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The backend of cuDNN on the CPU, where torch's operation is the same function; no other road is open."""

    def not_here(*_: Any, **__: Any) -> None:
        raise AssertionError("another road was taken")

    monkeypatch.setattr(rnn_module, "apply_layer", not_here)
    monkeypatch.setattr(rnn_module.RNN, "_directions", not_here)
    monkeypatch.setattr(cudnn, "why_unavailable", lambda device: "")
    entry = BackendEntry("cudnn", "elman.kernels.cudnn", ("cpu",), whole_networks=True)
    others = [other for other in selection.REGISTRY if other.name != "cudnn"]
    monkeypatch.setattr(selection, "REGISTRY", [entry, *others])
    monkeypatch.delenv("ELMAN_BACKEND", raising=False)
    forget_selection()
    yield
    forget_selection()


def pair(**options: Any) -> tuple[nn.RNN, elman.RNN]:
    theirs = nn.RNN(5, 9, **options)
    ours = elman.RNN(5, 9, **options)
    ours.load_state_dict(theirs.state_dict())
    return theirs, ours


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
    for layer, data in ((theirs, x), (ours, x)):
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
        assert_close(got, want, terms=0)


def test_a_learned_state_gets_its_gradient() -> None:
    rnn = elman.RNN(5, 9, learned_h0=True)
    rnn(torch.randn(4, 3, 5))[0].sum().backward()
    assert rnn.initial_state.grad is not None
    assert rnn.initial_state.grad.abs().sum() > 0


def test_what_does_not_fit_raises_as_in_torch() -> None:
    theirs, ours = pair()
    for x, hx in ((torch.randn(4, 3, 6), None), (torch.randn(4, 3, 5), torch.zeros(1, 2, 9))):
        with pytest.raises(RuntimeError) as by_theirs:
            theirs(x, hx)
        with pytest.raises(RuntimeError) as by_ours:
            ours(x, hx)
        assert str(by_ours.value) == str(by_theirs.value)


def test_what_cudnn_has_not_takes_another_road() -> None:
    x = torch.randn(4, 3, 5)
    own: tuple[dict[str, Any], ...] = (
        {"layer_norm": True},
        {"residual": True},
        {"recurrent_dropout": 0.5},
        {"num_layers": 2, "dropout": 0.5, "locked_dropout": True},
    )
    for options in own:
        with pytest.raises(AssertionError, match="another road"):
            elman.RNN(5, 9, **options)(x)
    at_rest = elman.RNN(5, 9).eval()
    with pytest.raises(AssertionError, match="another road"):
        at_rest(x)  # cuDNN has no backward pass there
    with torch.no_grad():
        at_rest(x)
    for others in ({"lengths": [4, 2, 1]}, {"return_all": True}):
        with pytest.raises(AssertionError, match="another road"):
            elman.RNN(5, 9)(x, **others)
    with torch.backends.cudnn.flags(enabled=False), pytest.raises(AssertionError, match="another road"):
        elman.RNN(5, 9)(x)


def test_another_backend_that_is_named_runs_instead(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ELMAN_BACKEND", "reference")
    forget_selection()
    with pytest.raises(AssertionError, match="another road"):
        elman.RNN(5, 9)(torch.randn(4, 3, 5))
