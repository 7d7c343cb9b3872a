"""Exported to ONNX, the layer is one RNN node a direction, and another runtime computes the same."""

from __future__ import annotations

import io
from typing import Any

import pytest
import torch

import elman
from elman.ops.onnx import translations
from tests.numerics import assert_close

pytest.importorskip("onnxscript", reason="the export to ONNX needs onnxscript")
onnxruntime = pytest.importorskip("onnxruntime", reason="running what was exported needs onnxruntime")
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # of the exporter about torch, and of torch about itself
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore:# The axis name:UserWarning"),  # that lengths has as many as there are sequences
]
T, B = {0: "T", 1: "B"}, {0: "B"}


def export(model: torch.nn.Module, inputs: dict[str, torch.Tensor], sizes: dict[str, Any]) -> Any:
    return torch.onnx.export(
        model.eval(),
        kwargs=inputs,
        dynamo=True,
        custom_translation_table=translations(),
        dynamic_shapes=sizes,
        verbose=False,
    )


@pytest.mark.parametrize(
    ("options", "ragged"),
    [
        ({"num_layers": 2, "bidirectional": True, "recurrent_dropout": 0.5, "dropout": 0.5}, False),
        ({"nonlinearity": "relu", "bias": False, "batch_first": True, "learned_h0": True}, True),
    ],
    ids=["tanh", "relu-lengths"],
)
def test_another_runtime_computes_the_same(options: dict[str, Any], ragged: bool) -> None:
    rnn = elman.RNN(3, 4, **options)
    batch_dim = 0 if rnn.batch_first else 1
    open_sizes = {batch_dim: "B", 1 - batch_dim: "T"}
    inputs, sizes = {"input": torch.randn(5, 5, 3)}, {"input": open_sizes}
    if ragged:
        inputs["lengths"], sizes["lengths"] = torch.tensor([5, 1, 3, 2, 5]), {0: "B"}
    program = export(rnn, inputs, sizes)
    nodes = [node.op_type for node in program.model.graph]
    assert nodes.count("RNN") == rnn.num_layers * (2 if rnn.bidirectional else 1)
    file = io.BytesIO()
    program.save(file)
    session = onnxruntime.InferenceSession(file.getvalue(), providers=["CPUExecutionProvider"])
    for batch, steps in ((5, 5), (2, 9)):
        shape = (batch, steps) if rnn.batch_first else (steps, batch)
        fed = {"input": torch.randn(*shape, 3)}
        if ragged:
            fed["lengths"] = torch.tensor([steps, 0] + [1] * (batch - 2))
        outputs = session.run(None, {name: value.numpy() for name, value in fed.items()})
        for got, want in zip(outputs, rnn(**fed), strict=True):
            assert_close(torch.from_numpy(got), want)


@pytest.mark.parametrize("options", [{}, {"bidirectional": True, "num_layers": 2}, {"nonlinearity": "relu"}], ids=str)
def test_a_sequence_without_steps_keeps_its_state(options: dict[str, Any]) -> None:
    rnn = elman.RNN(3, 4, **options)
    states = rnn.num_layers * (2 if rnn.bidirectional else 1)
    inputs = {"input": torch.randn(6, 3, 3), "hx": torch.randn(states, 3, 4), "lengths": torch.tensor([6, 0, 1])}
    program = export(rnn, inputs, {"input": {0: "T", 1: "B"}, "hx": {1: "B"}, "lengths": {0: "B"}})
    file = io.BytesIO()
    program.save(file)
    session = onnxruntime.InferenceSession(file.getvalue(), providers=["CPUExecutionProvider"])
    outputs = session.run(None, {name: value.numpy() for name, value in inputs.items()})
    assert_close(torch.from_numpy(outputs[1])[:, 1], inputs["hx"][:, 1])
    for got, want in zip(outputs, rnn(**inputs), strict=True):
        assert_close(torch.from_numpy(got), want)


def test_what_onnx_has_not_is_named() -> None:
    with pytest.raises(torch.onnx.OnnxExporterError) as failed:
        export(elman.RNN(3, 4, residual=True), {"input": torch.randn(5, 2, 3)}, {"input": T})
    causes, error = [], failed.value
    while error is not None:
        causes.append(str(error))
        error = error.__cause__  # type: ignore[assignment]
    assert any("ONNX's RNN has no identity connection" in cause for cause in causes)
