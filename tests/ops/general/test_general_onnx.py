"""Exported to ONNX, a layer with a leak, resets or other functions computes the same in another runtime."""

from __future__ import annotations

import io
from typing import Any

import pytest
import torch

import elman
from elman.nn.parametrizations import LowRank, constrain
from tests.numerics import assert_close
from tests.ops.test_onnx import export

onnxruntime = pytest.importorskip("onnxruntime", reason="running what was exported needs onnxruntime")
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore:# The axis name:UserWarning"),
]
CASES: tuple[tuple[dict[str, Any], tuple[str, ...], str], ...] = (
    ({"nonlinearity": "softplus", "bidirectional": True}, ("lengths",), "RNN"),
    ({"nonlinearity": "leaky_relu"}, (), "RNN"),
    ({"leak": 0.3, "noise": 0.5, "learned_h0": True, "bidirectional": True}, ("lengths", "reset"), "Scan"),
    ({"leak": 0.3, "form": "current", "nonlinearity": "rectified_tanh"}, ("reset",), "Scan"),
)


@pytest.mark.parametrize(("options", "more", "node"), CASES, ids=lambda value: str(value)[:40])
def test_another_runtime_computes_the_same(options: dict[str, Any], more: tuple[str, ...], node: str) -> None:
    torch.manual_seed(0)
    rnn = elman.RNN(3, 4, **options).eval()

    def inputs(T: int, B: int) -> dict[str, torch.Tensor]:
        given = {"input": torch.randn(T, B, 3)}
        if "lengths" in more:
            given["lengths"] = torch.tensor([T, 1, 2, 3, 2])[:B]
        if "reset" in more:
            given["reset"] = torch.rand(T, B) > 0.6
        return given

    sizes: dict[str, Any] = {"input": {0: "T", 1: "B"}, "lengths": {0: "B"}, "reset": {0: "T", 1: "B"}}
    program = export(rnn, inputs(5, 5), {name: sizes[name] for name in ("input", *more)})
    kinds = [n.op_type for n in program.model.graph]
    assert kinds.count(node) == rnn.num_layers * (2 if rnn.bidirectional else 1)
    file = io.BytesIO()
    program.save(file)
    session = onnxruntime.InferenceSession(file.getvalue(), providers=["CPUExecutionProvider"])
    for T, B in ((5, 5), (9, 2)):
        fed = inputs(T, B)
        got = session.run(None, {name: tensor.numpy() for name, tensor in fed.items()})
        with torch.no_grad():
            want = rnn(**fed)
        assert_close([torch.from_numpy(part) for part in got], list(want), terms=200)


def test_what_has_no_form_in_onnx_is_said() -> None:
    x = torch.randn(3, 2, 3)
    for model, message in (
        (elman.RNN(3, 4, noise=0.5, noise_in_eval=True), "export in evaluation mode"),
        (elman.nn.stack([elman.RNN(3, 4)] * 2), "export each of them"),
    ):
        with pytest.raises(torch.onnx.OnnxExporterError) as got:
            export(model, {"input": x}, {"input": {0: "T"}})
        assert message in str(got.value)


def test_a_weight_of_low_rank_stays_two_factors() -> None:
    rnn = constrain(elman.RNN(3, 4), LowRank(1))
    program = export(rnn, {"input": torch.randn(5, 2, 3)}, {"input": {0: "T"}})
    assert [n.op_type for n in program.model.graph].count("Scan") == 1
