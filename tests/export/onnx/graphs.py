"""What the tests of the export share: a graph in onnxruntime, and how near its numbers must be."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

pytest.importorskip("onnx", reason="the export to ONNX needs onnx")
pytest.importorskip("onnxruntime", reason="running what was exported needs onnxruntime")

from elman.export.onnx.graph import Graph, Precision
from elman.export.onnx.running.session import Session

APART = 1e-4
"""What a float32 file promises."""


def session(write: Callable[[Graph], Any], precision: Precision = "float32") -> Session:
    """A graph as onnxruntime has it."""
    g = Graph(precision)
    write(g)
    return Session(g.model({}, "0").SerializeToString(), "the graph")


def assert_near(got: torch.Tensor, want: torch.Tensor) -> None:
    """Shapes alike, numbers within what is promised."""
    torch.testing.assert_close(got, want, atol=APART, rtol=APART, equal_nan=True)
