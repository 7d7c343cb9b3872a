"""Every recurrent part as a graph: sizes that were never exported, states that are not zero, lengths of 0 and 1."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from elman.errors import UserError
from elman.export.onnx.graphs.recurrent import lengths_input, recurrent, state_inputs
from elman.models.config import RecurrentConfig
from elman.models.recurrent import Recurrent
from elman.nn.registry import register_cell, unregister_cell
from tests.export.onnx.graphs import Graph, Session, assert_near, session
from tests.nn.minimal_gated_unit import KIND

OPTIONS: list[dict[str, Any]] = [
    {},
    {"nonlinearity": "relu"},
    {"layers": 2, "dropout": 0.5, "recurrent_dropout": 0.5},
    {"residual": True},
    {"layer_norm": True},
    {"residual": True, "layer_norm": True, "layers": 2},
    {"cell": "lstm", "layers": 2},
    {"cell": "gru"},
]


def exported(module: Recurrent) -> Session:
    def write(g: Graph) -> None:
        shape = module.shape
        x = g.input("x", "float32", ["T", "B", shape.input_size])
        lengths = lengths_input(g, x)
        output, last = recurrent(g, module, x, state_inputs(g, shape, module.kind.state), lengths)
        g.output(output, "output", "float32", ["T", "B", module.output_size])
        for name, part in zip(module.kind.state, last, strict=True):
            g.output(part, f"next_{name}", "float32", ["L", "B", shape.hidden_size])

    return session(write)


@pytest.mark.parametrize("bidirectional", [False, True], ids=["one-way", "both-ways"])
@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_it_computes_what_the_layer_computes(options: dict[str, Any], bidirectional: bool) -> None:
    torch.manual_seed(0)
    module = Recurrent(RecurrentConfig(input_size=3, hidden_size=5, bidirectional=bidirectional, **options)).eval()
    graph = exported(module)
    names = ["output", *(f"next_{name}" for name in module.kind.state)]
    rows = module.shape.layers * (2 if bidirectional else 1)
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            if "norm" in name:
                parameter.uniform_(0.5, 1.5)
        graph = exported(module)
        for T, B in ((1, 1), (6, 3), (2, 7)):
            x = torch.randn(T, B, 3)
            state = tuple(torch.randn(rows, B, 5) for _ in module.kind.state)
            lengths = torch.tensor([T, 0, 1, T, 0, 1, T][:B])
            given = {f"state_{name}": part for name, part in zip(module.kind.state, state, strict=True)}
            output, last = module(x, state, lengths)
            for got, want in zip(graph(names, x=x, lengths=lengths, **given), (output, *last), strict=True):
                assert_near(got, want)
            output, last = module(x)  # everything that may be left out is
            for got, want in zip(graph(names, x=x), (output, *last), strict=True):
                assert_near(got, want)


def test_lengths_outside_the_sequence_are_its_ends() -> None:
    module = Recurrent(RecurrentConfig(input_size=3, hidden_size=5)).eval()
    x = torch.randn(4, 2, 3)
    beyond, none = exported(module)(["next_h"], x=x, lengths=torch.tensor([99, -3]))[0].unbind(1)
    with torch.no_grad():
        assert_near(beyond, module(x)[1][0][:, 0])
    assert not none.any()


def test_a_cell_of_the_users_own_is_named() -> None:
    register_cell(KIND)
    try:
        with pytest.raises(UserError, match=f"the recurrent layer \\(`cell={KIND.name}`\\) is a cell of your own"):
            exported(Recurrent(RecurrentConfig(input_size=3, hidden_size=5, cell=KIND.name)))
    finally:
        unregister_cell(KIND.name)


def test_a_leak_is_named() -> None:
    module = Recurrent(RecurrentConfig(input_size=3, hidden_size=5))
    module.layer.learned_h0 = True
    with pytest.raises(UserError, match="a learned first state"):
        exported(module)
