"""The computational graph of a small recurrent layer over a few steps, every product and sum a node."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from elman.errors import UserError, optional_imports
from elman.insight.graph.tape import Node
from elman.insight.graph.writer import STEPS, GraphWriter
from elman.insight.jacobians.cell import Cell, cells
from elman.insight.recording import recurrent_layers
from elman.nn.registry import kind_of

if TYPE_CHECKING:
    from rich.table import Table

MOST = 20_000  # nodes: a larger graph cannot be read
NO_TARGET = -100  # as torch's cross_entropy has it


@dataclass(frozen=True)
class Graph:
    """A computational graph, its values and its gradients.

    Attributes:
        nodes: in an order in which each comes after those it was made from; the last is the cost C.
        steps: T.
    """

    nodes: tuple[Node, ...]
    steps: int

    @property
    def cost(self) -> Node:
        """C."""
        return self.nodes[-1]

    def __getitem__(self, name: str) -> Node:
        """Find a node by its name: `graph["W_hh[0,1]"]`."""
        for node in self.nodes:
            if node.name == name:
                return node
        names = ", ".join(node.name for node in self.nodes[:12] if node.name)
        raise KeyError(f"no node is called {name!r}; there are {names}, ...")

    def of_step(self, step: int | None) -> Iterator[Node]:
        """Give the nodes of one step (from 1; 0 for the first state; None for the shared weights)."""
        return (node for node in self.nodes if node.step == step)

    def label(self, index: int) -> str:
        """Give the name of a node, or its number where it has none."""
        return self.nodes[index].name or f"#{index}"

    def table(self, steps: tuple[int | None, ...] | None = None) -> Table:
        """Show the nodes of some steps, or of all, in the terminal."""
        with optional_imports():
            from rich.table import Table

        table = Table(title="Each node hands back: its own gradient (upstream) × the local one")
        for heading in ("step", "node", "made as", "value", "gradient", "hands back"):
            table.add_column(heading, justify="right" if heading in ("value", "gradient") else "left")
        for node in self.nodes:
            if steps is None or node.step in steps:
                where = "all" if node.step is None else str(node.step)
                back = "\n".join(
                    f"to {self.label(p)}: {node.gradient:.4g} × {local:.4g} = {node.gradient * local + 0.0:.4g}"
                    for p, local in zip(node.parents, node.local, strict=True)
                )
                row = (
                    self.label(node.index),
                    self._made(node),
                    f"{node.value + 0.0:.4g}",
                    f"{node.gradient + 0.0:.4g}",
                    back,
                )
                table.add_row(where, *row)
        return table

    def _made(self, node: Node) -> str:
        if not node.parents:
            return "shared by all steps" if node.step is None else "given"
        parts = [self.label(k) for k in node.parents]
        return f" {node.op} ".join(parts) if len(parts) > 1 else f"{node.op} {parts[0]}"


def computational_graph(
    layer: nn.Module,
    x: Tensor,
    target: Tensor | None = None,
    *,
    h0: Tensor | None = None,
    readout: nn.Linear | None = None,
) -> Graph:
    """Write out the computational graph of one sequence through a small layer.

    The cost is C = C_1 + ... + C_T with C_t = ½ ‖y_t - target_t‖², or log Σ exp y_t - y_t[target_t] (cross-entropy)
    where the targets are whole numbers; y_t = h_t or what `readout` makes of it. Without a target C is the sum of
    the numbers in y_T.

    Arguments:
        layer: an elman.RNN, torch.nn.RNN, LSTM or GRU, in one direction, without normalisation.
        x: (T, I) the input.
        target: (T, O) what y_t should be, or (T,) whole numbers, -100 for none; with one row in place of T it
            is meant for the last step.
        h0: (L, H) the state before the first step; zero if not given. (The LSTM's c_0 is zero.)
        readout: y_t = W_hy h_t + b_y.

    Raises:
        UserError: not such a layer, shapes that do not fit, or more nodes than a reader can follow.
    """
    rows = _rows(layer)
    outputs = readout.out_features if readout is not None else rows[-1].hidden_size
    if x.dim() != 2 or x.shape[1] != rows[0].input_size or not len(x):
        raise UserError(f"x has shape {tuple(x.shape)}; the graph takes one sequence, (T, {rows[0].input_size})")
    wanted = _wanted(target, len(x), outputs)
    size = len(x) * sum(2 * (r.weights["weight_ih"].numel() + r.weights["weight_hh"].numel()) for r in rows)
    if size > MOST:
        raise UserError(
            f"the graph would have about {size} nodes, more than {MOST}: give fewer steps or a smaller layer"
        )
    writer = GraphWriter(rows, readout)
    writer.begin(torch.zeros(len(rows), rows[0].hidden_size) if h0 is None else h0.reshape(len(rows), -1))
    costs: list[int] = []
    y: list[int] = []
    for t, numbers in enumerate(x.tolist(), 1):
        goal = wanted.get(t)
        y = writer.step(t, numbers, answers=goal is not None or (target is None and t == len(x)))
        if goal is not None:
            costs.append(writer.cost(t, y, goal))
    return Graph(writer.tape.backward(writer.tape.plus(costs or y, "C")), len(x))


def _wanted(target: Tensor | None, steps: int, outputs: int) -> dict[int, list[float] | int]:
    """Give what y_t should be, by the steps (from 1) that have a cost."""
    if target is None:
        return {}
    row = (outputs,) if target.is_floating_point() else ()
    if len(target) not in (1, steps) or target.shape[1:] != row:
        raise UserError(f"target has shape {tuple(target.shape)}, but y has ({steps}, {outputs})")
    found = {steps - len(target) + t: goal for t, goal in enumerate(target.tolist(), 1) if goal != NO_TARGET}
    if any(isinstance(goal, int) and not 0 <= goal < outputs for goal in found.values()):
        raise UserError(f"a target lies outside 0 to {outputs - 1}: there are {outputs} outputs")
    if not found:
        raise UserError("no step has a target: give at least one")
    return found


def _rows(layer: nn.Module) -> list[Cell]:
    kind = kind_of(layer)
    if kind is None or kind.name not in STEPS:
        raise UserError(
            f"the graph is drawn for layers of the kinds {', '.join(STEPS)}, and {type(layer).__name__} is none of them"
        )
    recurrent_layers(layer)
    rows = cells(type(layer).__name__, layer, kind)
    if len(rows[0]) > 1 or "layer_norm_weight" in rows[0][0].weights:
        raise UserError("the graph is drawn for layers in one direction, without normalisation")
    return [row[0] for row in rows]
