"""A graph of ONNX while it is written: values with arithmetic, blocks, weights in the precision that was asked for.

What is written stands in the innermost open block: the body of a Scan, a branch of an If, or the graph itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from elman.errors import optional_imports

with optional_imports():
    import onnx
    from onnx import TensorProto, helper, numpy_helper

Precision = Literal["float32", "float16", "int8"]
OPSET = 18
IR_VERSION = 9
"""Of the oldest runtimes that know the opset."""
PRODUCER = "elman"
FEW = 1024
"""Weights of fewer numbers stay float32: they take no room, and rounding them brings nothing."""
LEVELS = 127
"""Of an int8 weight on either side of 0."""
SHIFT = 128
"""Products of int8 take uint8 on both sides: signed weights overflow 16 bits on processors without VNNI."""

Dim = int | str
TYPES = {
    "float32": TensorProto.FLOAT,
    "float64": TensorProto.DOUBLE,
    "int64": TensorProto.INT64,
    "int32": TensorProto.INT32,
    "uint8": TensorProto.UINT8,
    "bool": TensorProto.BOOL,
}


@dataclass(frozen=True)
class Value:
    """A value of the graph by its name; `+ - * /` with another one or a number write a node."""

    graph: Graph
    name: str

    def __add__(self, other: Any) -> Value:
        return self.graph.op("Add", self, other)

    def __sub__(self, other: Any) -> Value:
        return self.graph.op("Sub", self, other)

    def __mul__(self, other: Any) -> Value:
        return self.graph.op("Mul", self, other)

    def __truediv__(self, other: Any) -> Value:
        return self.graph.op("Div", self, other)


@dataclass
class Block:
    """The nodes of a body or a branch, and after its end the graph that they make."""

    nodes: list[onnx.NodeProto] = field(default_factory=list)
    graph: onnx.GraphProto | None = None


class Graph:
    """Nodes, inputs, outputs and weights.

    Arguments:
        precision: how weights of more than `FEW` numbers are stored. float16: they are rounded, and computed with as
            float32. int8: a scale for each row; products outside the recurrence are of integers, with inputs quantised
            as they come.
    """

    def __init__(self, precision: Precision = "float32") -> None:
        self.precision = precision
        self._blocks = [Block()]
        self._inputs: list[onnx.ValueInfoProto] = []
        self._outputs: list[onnx.ValueInfoProto] = []
        self._initializers: list[onnx.TensorProto] = []
        self._stored: dict[Any, Value] = {}
        self._kept: list[Any] = []  # what the keys of `_stored` are made of must live as long as they do
        self._names = 0

    def op(self, kind: str, *inputs: Any, **attributes: Any) -> Value:
        """The output of a node; inputs are values, arrays, numbers, or None for one that is left out."""
        return self.ops(kind, *inputs, outputs=1, **attributes)[0]

    def ops(self, kind: str, *inputs: Any, outputs: int, **attributes: Any) -> tuple[Value, ...]:
        """The outputs of a node that has several."""
        given = ["" if one is None else self.value(one).name for one in inputs]
        while given and not given[-1]:
            given.pop()
        names = [self._name(kind.lower()) for _ in range(outputs)]
        self._blocks[-1].nodes.append(helper.make_node(kind, given, names, **attributes))
        return tuple(Value(self, name) for name in names)

    def value(self, given: Any) -> Value:
        """A value as it is; a number or an array as a constant: whole numbers are int64, others float32."""
        if isinstance(given, Value):
            return given
        array = np.asarray(given)
        if not isinstance(given, np.ndarray | np.generic):
            array = array.astype(np.float32 if array.dtype.kind == "f" else np.int64)
        key = (array.dtype.str, array.shape, array.tobytes())
        if key not in self._stored:
            self._stored[key] = self._initializer(array, "constant")
        return self._stored[key]

    def weight(self, tensor: Tensor | NDArray[np.float32]) -> Value:
        """A weight (..., n) as float32, stored in the graph's precision; one that is used twice is stored once."""
        stored, scale = self.packed(tensor)
        if stored is not None and scale is not None:
            return self.cast(stored, "float32") * scale
        assert stored is not None
        return self.cast(stored, "float32") if self._is_packed(tensor) else stored

    def packed(self, tensor: Tensor | NDArray[np.float32]) -> tuple[Value, Value | None]:
        """A weight as it is stored, and for int8 the scale (..., 1) of its rows."""
        key, keep = _identity(tensor)
        if (key, "scale") not in self._stored:
            array = _array(tensor)
            scale: NDArray[np.float32] | None = None
            if self._is_packed(tensor) and self.precision == "int8":
                scale = np.maximum(np.abs(array).max(axis=-1, keepdims=True) / LEVELS, np.finfo(np.float32).tiny)
                array = np.rint(array / scale).astype(np.int8)
            elif self._is_packed(tensor):
                with np.errstate(over="ignore"):  # to infinity, which the measure of the loss refuses
                    array = array.astype(np.float16)
            self._kept.append(keep)
            self._stored[key, "value"] = self._initializer(array, "weight")
            none = Value(self, "")
            self._stored[key, "scale"] = none if scale is None else self._initializer(scale, "scale")
        found = self._stored[key, "scale"]
        return self._stored[key, "value"], found if found.name else None

    def _is_packed(self, tensor: Tensor | NDArray[np.float32]) -> bool:
        size = int(np.prod(tensor.shape))
        return self.precision != "float32" and len(tensor.shape) > 1 and size > FEW

    def cast(self, value: Value, kind: str) -> Value:
        """The same numbers in another type."""
        return self.op("Cast", value, to=TYPES[kind])

    def shape(self, value: Value, axis: int) -> Value:
        """(1,) how long a value is along an axis."""
        return self.op("Shape", value, start=axis, end=axis + 1)

    def join(self, values: Sequence[Any], axis: int) -> Value:
        """Values one after the other along an axis."""
        return self.value(values[0]) if len(values) == 1 else self.op("Concat", *values, axis=axis)

    def slice(self, value: Value, start: Any, end: Any, axis: int) -> Value:
        """The part of a value from `start` to `end`, (1,) values or whole numbers, along an axis."""
        first, last = (one if isinstance(one, Value) else [one] for one in (start, end))
        return self.op("Slice", value, first, last, [axis])

    def input(self, name: str, kind: str, shape: Sequence[Dim], default: NDArray[Any] | None = None) -> Value:
        """An input of the graph.

        Arguments:
            shape: numbers, and names for what is open.
            default: what stands in where it is not given.
        """
        self._inputs.append(helper.make_tensor_value_info(name, TYPES[kind], list(shape)))
        if default is not None:
            self._initializers.append(numpy_helper.from_array(np.ascontiguousarray(default), name))
        return Value(self, name)

    def output(self, value: Value, name: str, kind: str, shape: Sequence[Dim]) -> None:
        """Make a value an output of the graph."""
        self._blocks[0].nodes.append(helper.make_node("Identity", [value.name], [name]))
        self._outputs.append(helper.make_tensor_value_info(name, TYPES[kind], list(shape)))

    @contextmanager
    def block(self) -> Iterator[Block]:
        """What is written inside stands in the body of a Scan or a branch of an If."""
        self._blocks.append(Block())
        yield self._blocks[-1]
        self._blocks.pop()

    def close(self, block: Block, inputs: Sequence[Value], outputs: Sequence[Value]) -> onnx.GraphProto:
        """The graph of a block, to be called at the end of its `with`; outputs are values of their own."""
        own = [self.op("Identity", value) for value in outputs]
        given, made = ([_untyped(one.name) for one in values] for values in (inputs, own))
        return helper.make_graph(block.nodes, self._name("block"), given, made)

    def inner(self, name: str) -> Value:
        """An input of the open block."""
        return Value(self, self._name(name))

    def model(self, metadata: dict[str, str], version: str) -> onnx.ModelProto:
        """The whole, checked.

        Raises:
            onnx.checker.ValidationError: a node is not as ONNX wants it, which is a mistake of elman's.
        """
        nodes = self._blocks[0].nodes
        graph = helper.make_graph(nodes, PRODUCER, self._inputs, self._outputs, self._initializers)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
        model.producer_name, model.producer_version = PRODUCER, version
        helper.set_model_props(model, metadata)
        onnx.checker.check_model(model)
        return model

    def _initializer(self, array: NDArray[Any], what: str) -> Value:
        name = self._name(what)
        self._initializers.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return Value(self, name)

    def _name(self, what: str) -> str:
        self._names += 1
        return f"{what}_{self._names}"


def _untyped(name: str) -> onnx.ValueInfoProto:
    info = onnx.ValueInfoProto()
    info.name = name
    return info


def _identity(tensor: Tensor | NDArray[np.float32]) -> tuple[Any, Any]:
    """What tells a weight from all others, and what must be kept for that."""
    if isinstance(tensor, Tensor):
        return (tensor.data_ptr(), tuple(tensor.shape), tuple(tensor.stride())), tensor
    return (tensor.dtype.str, tensor.shape, tensor.tobytes()), None


def _array(tensor: Tensor | NDArray[np.float32]) -> NDArray[Any]:
    array = tensor.detach().cpu().numpy() if isinstance(tensor, Tensor) else tensor
    return array.astype(np.float32)
