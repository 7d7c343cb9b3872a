"""The recurrent part in ONNX: one RNN, LSTM or GRU node a layer, a Scan where ONNX has no such cell.

T steps, B sequences, I inputs, H hidden units, L layers, D directions, G gates.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from elman.errors import UserError
from elman.export.onnx.graph import Graph, Value
from elman.export.onnx.graphs.layers import linear
from elman.kernels.options import NONLINEARITIES
from elman.models.config import RecurrentConfig
from elman.models.recurrent import Recurrent
from elman.nn.registry import BUILT_IN
from elman.nn.rnn import RNN

GATES = {"rnn": (0,), "lstm": (0, 3, 1, 2), "gru": (1, 0, 2)}
"""Where ONNX's gates stand among torch's: i o f c among i f g o, z r h among r z n."""
EPSILON = 1e-5
"""Of layer normalisation, as `torch.nn.functional.layer_norm` has it."""
ANY = np.iinfo(np.int64).max
"""A length that is no limit."""


def check_exportable(module: Recurrent) -> None:
    """Raise a UserError where a recurrent part has no form in ONNX: says which."""
    cell, inner = module.shape.cell, module.layer
    if cell not in BUILT_IN:
        raise UserError(
            f"the recurrent layer (`cell={cell}`) is a cell of your own, which has no form in ONNX; everything around"
            f" it has: train with `cell={'` or `cell='.join(BUILT_IN)}` to export"
        )
    if isinstance(inner, RNN):
        if inner.dynamics is not None or inner.nonlinearity not in NONLINEARITIES or inner.learned_h0:
            raise UserError(
                "the recurrent layer has a leak, noise, a learned first state or another `nonlinearity`, which the"
                " export of a run does not know; export the layer alone by elman.ops.onnx"
            )
    elif not isinstance(inner, nn.LSTM | nn.GRU) or inner.bias is False:
        raise UserError(f"the recurrent layer is a {type(inner).__name__}, which has no form in ONNX here")


def lengths_input(g: Graph, x: Value) -> Value:
    """(B,) the input `lengths`, from 0 to T; sequences are as long as x (T, B, ...) where it is not given."""
    given = g.input("lengths", "int64", ["B or 1"], np.array([ANY]))
    within = g.op("Max", g.op("Min", given, g.shape(x, 0)), [0])
    return g.op("Expand", within, g.shape(x, 1))


def state_inputs(g: Graph, shape: RecurrentConfig, names: tuple[str, ...], prefix: str = "state_") -> list[Value]:
    """The inputs (L, B, H), one for each part of the state; zero where they are not given."""
    rows = shape.layers * (2 if shape.bidirectional else 1)
    zero = np.zeros((rows, 1, shape.hidden_size), np.float32)
    return [g.input(f"{prefix}{name}", "float32", [rows, "B or 1", shape.hidden_size], zero) for name in names]


def widened(g: Graph, state: list[Value], columns: Value) -> list[Value]:
    """States (L, 1, H) or (L, B, H) as (L, B, H); columns: (1,) B."""
    wide = g.join([[1], columns, [1]], 0)
    return [g.op("Expand", part, wide) for part in state]


def recurrent(
    g: Graph, module: Recurrent, x: Value, state: list[Value], lengths: Value | None = None
) -> tuple[Value, list[Value]]:
    """What `Recurrent` computes.

    Arguments:
        x: (T, B, I).
        state: its parts, (L * D, B, H) each; none for zeros.
        lengths: (B,).

    Returns:
        the last layer's states (T, B, D * H), and the parts of the last state.

    Raises:
        UserError: see `check_exportable`.
    """
    check_exportable(module)
    shape = module.shape
    D = 2 if shape.bidirectional else 1
    if not module.kind.takes_lengths and lengths is not None:
        lengths = g.op("Max", lengths, [1])  # a packed sequence has at least one step
    columns = g.shape(x, 1)
    if not state:
        zero = np.zeros((shape.layers * D, 1, shape.hidden_size), np.float32)
        state = [g.value(zero) for _ in module.kind.state]
    state = widened(g, state, columns)
    last: list[list[Value]] = [[] for _ in state]
    for number in range(shape.layers):
        own = [g.slice(part, number * D, (number + 1) * D, 0) if shape.layers > 1 else part for part in state]
        if isinstance(module.layer, RNN) and (module.layer.residual or module.layer.layer_norm):
            x, ends = _scanned(g, module.layer, number, x, own[0], lengths)
        else:
            x, ends = _node(g, module, number, x, own, lengths)
        for part, end in zip(last, ends, strict=True):
            part.append(end)
    return x, [g.join(part, 0) for part in last]


def _node(
    g: Graph, module: Recurrent, number: int, x: Value, state: list[Value], lengths: Value | None
) -> tuple[Value, list[Value]]:
    """One layer as one node: (T, B, D * H) and the parts of its last state (D, B, H)."""
    shape, cell = module.shape, module.shape.cell
    D, H = 2 if shape.bidirectional else 1, shape.hidden_size
    attributes: dict[str, Any] = {"hidden_size": H, "direction": "bidirectional" if D == 2 else "forward"}
    if cell == "rnn":
        attributes["activations"] = ["Relu" if shape.nonlinearity == "relu" else "Tanh"] * D
    elif cell == "gru":
        attributes["linear_before_reset"] = 1
    w_ih, w_hh, biases = _weights(module.layer, number, D, GATES[cell])
    steps = None if lengths is None else g.cast(lengths, "int32")
    given = (x, g.weight(w_ih), g.weight(w_hh), None if biases is None else g.weight(biases), steps)
    y, *last = g.ops(cell.upper(), *given, *state, outputs=1 + len(state), **attributes)
    if D == 1:
        output = g.op("Squeeze", y, [1])
    else:
        output = g.op("Reshape", g.op("Transpose", y, perm=[0, 2, 1, 3]), [0, 0, 2 * H])
    if lengths is not None and module.kind.takes_lengths:  # after no step the state is the one before
        none = g.op("Unsqueeze", g.op("Equal", lengths, 0), [0, 2])
        last = [g.op("Where", none, before, after) for before, after in zip(state, last, strict=True)]
    return output, last


def _weights(
    layer: nn.Module, number: int, D: int, gates: tuple[int, ...]
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32] | None]:
    """W (D, G H, I), R (D, G H, H) and both biases (D, 2 G H), the gates in ONNX's order."""
    found: list[list[NDArray[np.float32]]] = [[], [], []]
    for ending in _endings(number, D):
        parts = [_weight(layer, f"weight_ih{ending}"), _weight(layer, f"weight_hh{ending}")]
        parts += [_weight(layer, f"bias_{kind}{ending}") for kind in ("ih", "hh")] if layer.bias else []
        ordered = [np.concatenate([np.split(part, len(gates))[gate] for gate in gates]) for part in parts]
        found[0].append(ordered[0])
        found[1].append(ordered[1])
        if layer.bias:
            found[2].append(np.concatenate(ordered[2:]))
    w_ih, w_hh, biases = (np.stack(part) if part else None for part in found)
    assert w_ih is not None
    assert w_hh is not None
    return w_ih, w_hh, biases


def _endings(number: int, D: int) -> list[str]:
    return [f"_l{number}{'_reverse' if direction else ''}" for direction in range(D)]


def _weight(layer: nn.Module, name: str) -> NDArray[np.float32]:
    tensor: Tensor = getattr(layer, name)
    array: NDArray[np.float32] = tensor.detach().to(torch.float32).cpu().numpy()
    return array


def _scanned(
    g: Graph, layer: RNN, number: int, x: Value, state: Value, lengths: Value | None
) -> tuple[Value, list[Value]]:
    """A vanilla layer with the identity connection or layer normalisation, which ONNX's RNN has not, step by step.

    h_t = h_(t-1) + f(a_t), and a_t normalised over the hidden units (Ba, Kiros and Hinton 2016, equation 4).
    """
    D = 2 if layer.bidirectional else 1
    outputs, ends = [], []
    for direction, ending in enumerate(_endings(number, D)):
        bias = None
        if layer.bias:
            bias = _weight(layer, f"bias_ih{ending}") + _weight(layer, f"bias_hh{ending}")
        drive = linear(g, x, getattr(layer, f"weight_ih{ending}"))
        if bias is not None and not layer.layer_norm:
            drive = drive + g.weight(bias)
        scanned = [drive]
        if lengths is not None:
            scanned.append(inside(g, x, lengths))
        columns = g.op("Transpose", g.weight(getattr(layer, f"weight_hh{ending}")), perm=[1, 0])
        before = g.op("Squeeze", g.slice(state, direction, direction + 1, 0), [0])
        with g.block() as block:
            h, *given = (g.inner(name) for name in ("h", "drive", "alive")[: 1 + len(scanned)])
            a = given[0] + g.op("MatMul", h, columns)
            if layer.layer_norm:
                gain = g.weight(_weight(layer, f"layer_norm_weight{ending}"))
                shift = None if bias is None else g.weight(bias)
                a = g.op("LayerNormalization", a, gain, shift, axis=-1, epsilon=EPSILON)
            new = g.op("Relu" if layer.nonlinearity == "relu" else "Tanh", a)
            new = h + new if layer.residual else new
            shown = new
            if lengths is not None:
                new = g.op("Where", given[1], new, h)
                shown = g.op("Where", given[1], new, 0.0)
            body = g.close(block, [h, *given], [new, shown])
        ways = {"scan_input_directions": [direction] * len(scanned), "scan_output_directions": [direction]}
        last, output = g.ops("Scan", before, *scanned, outputs=2, body=body, num_scan_inputs=len(scanned), **ways)
        outputs.append(output)
        ends.append(g.op("Unsqueeze", last, [0]))
    return g.join(outputs, 2), [g.join(ends, 0)]


def inside(g: Graph, x: Value, lengths: Value) -> Value:
    """(T, B, 1) whether a step of x (T, B, ...) belongs to its sequence."""
    T = g.op("Squeeze", g.shape(x, 0), [0])
    steps = g.op("Unsqueeze", g.op("Range", 0, T, 1), [1])
    return g.op("Unsqueeze", g.op("Less", steps, lengths), [2])
