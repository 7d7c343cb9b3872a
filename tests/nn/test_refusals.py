"""Errors by the types that torch's users catch, and what torch's tools see of the layers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.profiler import ProfilerActivity, profile

import elman
from tests.numerics import assert_close

X = torch.zeros(7, 4, 3)
RAISES: dict[str, tuple[type[Exception], str, Callable[[], Any]]] = {
    "proj_size": (ValueError, "proj_size", lambda: elman.RNN(3, 5, proj_size=2)),
    "device": (RuntimeError, "meta", lambda: elman.RNN(3, 5)(X.to("meta"))),
    "device of hx": (RuntimeError, "meta", lambda: elman.RNN(3, 5)(X, torch.zeros(1, 4, 5, device="meta"))),
    "device of weights": (RuntimeError, "meta", lambda: elman.RNN(3, 5, device="meta")(X)),
    "dtype of hx": (RuntimeError, "float64", lambda: elman.RNN(3, 5)(X, torch.zeros(1, 4, 5).double())),
    "cell dtype": (RuntimeError, "float64", lambda: elman.RNNCell(3, 5)(X[0].double())),
    "cell integers": (RuntimeError, "int64", lambda: elman.RNNCell(3, 5)(X[0].long())),
    "cell dtype of h": (RuntimeError, "float64", lambda: elman.RNNCell(3, 5)(X[0], torch.zeros(4, 5).double())),
    "cell device": (RuntimeError, "meta", lambda: elman.RNNCell(3, 5)(X[0].to("meta"))),
    "complex": (TypeError, "complex64", lambda: elman.RNN(3, 5, dtype=torch.complex64)),
    "complex cell": (TypeError, "complex128", lambda: elman.RNNCell(3, 5, dtype=torch.complex128)),
    "complex input": (RuntimeError, "complex64", lambda: elman.RNN(3, 5).to(torch.complex64)(X.to(torch.complex64))),
    "script": (NotImplementedError, "TorchScript", lambda: torch.jit.script(elman.RNN(3, 5))),
    "script of a cell": (NotImplementedError, "TorchScript", lambda: torch.jit.script(elman.RNNCell(3, 5))),
    "script of a model": (
        NotImplementedError,
        "restore",
        lambda: torch.jit.script(torch.nn.Sequential(elman.RNNCell(3, 5))),
    ),
    "lengths on meta": (
        ValueError,
        "lengths is on meta",
        lambda: elman.RNN(3, 5)(X, lengths=torch.ones(4, dtype=torch.int64, device="meta")),
    ),
}


@pytest.mark.filterwarnings("ignore:`torch.jit", "ignore:Complex modules", "ignore:The sub-package")
@pytest.mark.parametrize("what", RAISES)
def test_raises_what_torchs_users_catch(what: str) -> None:
    kind, said, call = RAISES[what]
    with pytest.raises(kind, match=said) as raised:
        call()
    assert "\n" not in str(raised.value).strip()


@pytest.mark.parametrize("layer", [elman.RNN(3, 5), elman.RNN(3, 5, recurrent_dropout=0.5), elman.RNNCell(3, 5)])
def test_batched_gradients_are_refused_and_the_other_way_is_named(layer: torch.nn.Module) -> None:
    x = (X[0] if isinstance(layer, elman.RNNCell) else X).clone().requires_grad_()
    found = layer(x)
    output = found if isinstance(found, torch.Tensor) else found[0]
    with pytest.raises(NotImplementedError, match=r"torch\.func\.vmap"):
        torch.autograd.grad(output, x, torch.ones(2, *output.shape), is_grads_batched=True)


def test_lengths_under_another_default_device() -> None:
    rnn, x, lengths = elman.RNN(3, 5), torch.randn(7, 4, 3), [7, 3, 0, 1]
    with torch.device("meta"):
        got = rnn(x, lengths=lengths)
    assert_close(got, rnn(x, lengths=torch.tensor(lengths)))


def test_layers_are_leaves_of_a_symbolic_trace() -> None:
    class Model(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.rnn, self.cell = elman.RNN(3, 5), elman.RNNCell(5, 5)

        def forward(self, x: torch.Tensor, hx: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
            output, h_n = self.rnn(x, hx, lengths=lengths)
            found: torch.Tensor = self.cell(output[0], h_n[0])
            return found

    model, given = Model(), (torch.randn(7, 4, 3), torch.randn(1, 4, 5), torch.tensor([7, 0, 1, 3]))
    traced = torch.fx.symbolic_trace(model)
    assert [node.target for node in traced.graph.nodes if node.op == "call_module"] == ["rnn", "cell"]
    assert_close(traced(*given), model(*given))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("layer", [elman.RNN(3, 5), elman.RNN(3, 5, batch_first=True), elman.RNNCell(3, 5)], ids=repr)
def test_the_old_exporter_of_a_bare_layer_is_refused(layer: torch.nn.Module, tmp_path: Path) -> None:
    x = X[0] if isinstance(layer, elman.RNNCell) else X
    with pytest.raises(RuntimeError, match="dynamo=True"):
        torch.onnx.export(layer, (x,), tmp_path / "layer.onnx", dynamo=False)


@pytest.mark.parametrize("options", [{}, {"num_layers": 2, "bidirectional": True}], ids=str)
def test_operations_are_counted_as_torchs_are(options: dict[str, Any]) -> None:
    from torch.utils.flop_counter import FlopCounterMode

    totals = []
    for rnn in (torch.nn.RNN(3, 5, **options), elman.RNN(3, 5, **options)):
        with FlopCounterMode(display=False) as counter:
            rnn(X)[0].sum().backward()
        totals.append(counter.get_total_flops())
    assert totals[1] == totals[0] > 0


def test_the_profiler_names_the_layer() -> None:
    rnn, cell = elman.RNN(3, 5), elman.RNNCell(3, 5)
    for gradients, names in ((True, {"ElmanLayer", "ElmanRecurrence"}), (False, {"elman::layer", "elman::recurrence"})):
        with torch.set_grad_enabled(gradients), profile(activities=[ProfilerActivity.CPU]) as seen:
            rnn(X), cell(X[0])
        assert names <= {event.key for event in seen.key_averages()}


def test_lengths_resets_and_steps_of_another_kind_are_refused() -> None:
    rnn, x = elman.RNN(2, 3), torch.randn(5, 2, 2)
    with pytest.raises(ValueError, match=r"lengths holds 1\.5"):
        rnn(x, lengths=torch.tensor([1.5, 2]))
    assert torch.equal(rnn(x, lengths=torch.tensor([1.0, 2.0]))[0], rnn(x, lengths=[1, 2])[0])
    many = elman.nn.stack([rnn])
    with pytest.raises(ValueError, match=r"lengths holds 1\.5"):
        many(x, lengths=[1.5, 2])
    packed: Any = torch.nn.utils.rnn.pack_sequence([x[:, 0], x[:3, 1]])
    given: list[Callable[[Any], Any]] = [
        lambda reset: rnn(x, reset=reset),
        lambda reset: rnn(packed, reset=reset),
        lambda reset: rnn.step(x[0], reset=reset),
        lambda reset: many(x, reset=reset),
    ]
    for call in given:
        with pytest.raises(TypeError, match="reset is a list"):
            call([True])
        with pytest.raises(TypeError, match=r"reset is torch\.float32"):
            call(torch.zeros(5, 2))
    with pytest.raises(TypeError, match="x is a NoneType"):
        rnn.step(None)
    with pytest.raises(TypeError, match="state is a list"):
        rnn.step(x[0], [1])
