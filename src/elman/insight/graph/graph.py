"""The computational graph of a small recurrent layer over a few steps, every product and sum a node."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from elman.errors import UserError
from elman.insight.cell_jacobians import Cell
from elman.insight.graph.tape import Node, Tape
from elman.insight.recording import cells, is_recurrent, recurrent_layers

if TYPE_CHECKING:
    from rich.table import Table

MOST = 20_000  # nodes: more than that nobody reads
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
        UserError: not such a layer, shapes that do not fit, or more nodes than anyone can read.
    """
    rows = _rows(layer)
    outputs = readout.out_features if readout is not None else rows[-1].hidden_size
    if x.dim() != 2 or x.shape[1] != rows[0].w_ih.shape[1] or not len(x):
        raise UserError(f"x has shape {tuple(x.shape)}; the graph takes one sequence, (T, {rows[0].w_ih.shape[1]})")
    wanted = _wanted(target, len(x), outputs)
    size = len(x) * sum(2 * (r.w_ih.numel() + r.w_hh.numel()) for r in rows)
    if size > MOST:
        raise UserError(
            f"the graph would have about {size} nodes, more than {MOST}: give fewer steps or a smaller layer"
        )
    writer = _Writer(rows, readout)
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
    if not is_recurrent(layer):
        raise UserError(f"{type(layer).__name__} is no recurrent layer: give an elman.RNN, torch.nn.RNN, LSTM or GRU")
    recurrent_layers(layer)
    rows = cells(type(layer).__name__, layer)
    if len(rows[0]) > 1 or rows[0][0].gain is not None:
        raise UserError("the graph is drawn for layers in one direction, without normalisation")
    return [row[0] for row in rows]


class _Writer:
    """Write the steps of the layers on a tape."""

    def __init__(self, rows: list[Cell], readout: nn.Linear | None) -> None:
        self.tape, self.rows, self.readout = Tape(), rows, readout
        marks = [""] if len(rows) == 1 else [f"^{k}" for k in range(len(rows))]
        self.marks = marks
        self.w_ih = [self._matrix(r.w_ih, f"W_ih{m}") for r, m in zip(rows, marks, strict=True)]
        self.w_hh = [self._matrix(r.w_hh, f"W_hh{m}") for r, m in zip(rows, marks, strict=True)]
        self.b_ih = [self.tape.leaves(r.b_ih.tolist(), f"b_ih{m}") for r, m in zip(rows, marks, strict=True)]
        self.b_hh = [self.tape.leaves(r.b_hh.tolist(), f"b_hh{m}") for r, m in zip(rows, marks, strict=True)]
        if readout is not None:
            self.w_hy = self._matrix(readout.weight.detach(), "W_hy")
            zero = torch.zeros(readout.out_features)
            self.b_y = self.tape.leaves((zero if readout.bias is None else readout.bias).tolist(), "b_y")

    def _matrix(self, weight: Tensor, name: str) -> list[list[int]]:
        rows: list[list[float]] = weight.tolist()
        return [[self.tape.leaf(v, f"{name}[{i},{j}]") for j, v in enumerate(row)] for i, row in enumerate(rows)]

    def begin(self, h0: Tensor) -> None:
        self.tape.step = 0
        named = list(zip(self.rows, self.marks, h0.tolist(), strict=True))
        self.h = [self.tape.leaves(values, f"h{mark}_0") for _, mark, values in named]
        self.c = [self.tape.leaves([0.0] * len(v), f"c{m}_0") if r.kind == "LSTM" else [] for r, m, v in named]

    def step(self, t: int, numbers: list[float], answers: bool) -> list[int]:
        """Write step t and give the nodes of y_t, or of h_t where nobody asks for an answer."""
        self.tape.step = t
        y: list[int] = []
        for k, row in enumerate(self.rows):
            self.tape.part = f"h{self.marks[k]}_{t}"
            y = y or self.tape.leaves(numbers, f"x_{t}")
            write = {"LSTM": self._lstm, "GRU": self._gru}.get(row.kind, self._vanilla)
            self.h[k] = write(k, y, f"{self.marks[k]}_{t}")
            y = self.h[k]
        self.tape.part = f"y_{t}"
        if self.readout is None or not answers:
            return y
        rows = enumerate(zip(self.w_hy, self.b_y, strict=True))
        return [self.tape.weighted(weights, y, [bias], f"y_{t}[{i}]") for i, (weights, bias) in rows]

    def cost(self, t: int, y: list[int], target: list[float] | int) -> int:
        tape = self.tape
        if isinstance(target, int):
            total = tape.log(tape.plus([tape.exp(n) for n in y]))
            return tape.plus((total, tape.negative(y[target])), f"C_{t}")
        wrong = [
            tape.plus((n, tape.leaf(-g, f"-target_{t}[{i}]"))) for i, (n, g) in enumerate(zip(y, target, strict=True))
        ]
        return tape.plus([tape.half_square(n) for n in wrong], f"C_{t}")

    def _vanilla(self, k: int, x: list[int], mark: str) -> list[int]:
        tape, row, new = self.tape, self.rows[k], []
        for i, h in enumerate(self.h[k]):
            name, squash = f"h{mark}[{i}]", tape.relu if row.kind == "relu" else tape.tanh
            f = squash(self._sum(k, i, x, f"a{mark}[{i}]"), "" if row.residual else name)
            new.append(tape.plus((h, f), name) if row.residual else f)
        return new

    def _lstm(self, k: int, x: list[int], mark: str) -> list[int]:
        tape, size, new, memory = self.tape, len(self.h[k]), [], []
        for j, c in enumerate(self.c[k]):
            sums = [self._sum(k, g * size + j, x) for g in range(4)]
            i, f, o = (tape.sigmoid(sums[g], f"{n}{mark}[{j}]") for g, n in ((0, "i"), (1, "f"), (3, "o")))
            g = tape.tanh(sums[2], f"g{mark}[{j}]")
            memory.append(tape.plus((tape.times(f, c), tape.times(i, g)), f"c{mark}[{j}]"))
            new.append(tape.times(o, tape.tanh(memory[-1]), f"h{mark}[{j}]"))
        self.c[k] = memory
        return new

    def _gru(self, k: int, x: list[int], mark: str) -> list[int]:
        tape, size, new = self.tape, len(self.h[k]), []
        for j, h in enumerate(self.h[k]):
            r, z = (tape.sigmoid(self._sum(k, g * size + j, x), f"{n}{mark}[{j}]") for g, n in ((0, "r"), (1, "z")))
            at = 2 * size + j
            past = tape.weighted(self.w_hh[k][at], self.h[k], [self.b_hh[k][at]])
            n = tape.tanh(tape.weighted(self.w_ih[k][at], x, [self.b_ih[k][at], tape.times(r, past)]), f"n{mark}[{j}]")
            new.append(tape.plus((tape.times(tape.one_minus(z), n), tape.times(z, h)), f"h{mark}[{j}]"))
        return new

    def _sum(self, k: int, i: int, x: list[int], name: str = "") -> int:
        """Write W_ih x_t + b_ih + W_hh h_(t-1) + b_hh, row i: each product a node, the sum one."""
        tape = self.tape
        products = [tape.times(w, n) for w, n in zip(self.w_ih[k][i], x, strict=True)]
        products += [tape.times(w, n) for w, n in zip(self.w_hh[k][i], self.h[k], strict=True)]
        biases = (self.b_ih[k][i], self.b_hh[k][i])
        return tape.plus((*products, *biases), name)
