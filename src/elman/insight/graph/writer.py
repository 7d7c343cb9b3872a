"""Write the steps of small recurrent layers on a tape, every product and sum a node."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from elman.insight.graph.tape import Tape
from elman.insight.jacobians.cell import Cell


class GraphWriter:
    """Writes the steps of layers on a tape.

    Arguments:
        rows: the layers, from the lowest, in one direction.
        readout: y_t = W_hy h_t + b_y; None where y_t is h_t.
    """

    def __init__(self, rows: list[Cell], readout: nn.Linear | None) -> None:
        self.tape, self.rows, self.readout = Tape(), rows, readout
        self.marks = [""] if len(rows) == 1 else [f"^{k}" for k in range(len(rows))]
        named = list(zip(rows, self.marks, strict=True))
        self.w_ih = [self._matrix(row.weights["weight_ih"], f"W_ih{mark}") for row, mark in named]
        self.w_hh = [self._matrix(row.weights["weight_hh"], f"W_hh{mark}") for row, mark in named]
        self.b_ih = [self._bias(row, "bias_ih", f"b_ih{mark}") for row, mark in named]
        self.b_hh = [self._bias(row, "bias_hh", f"b_hh{mark}") for row, mark in named]
        if readout is not None:
            self.w_hy = self._matrix(readout.weight.detach(), "W_hy")
            zero = torch.zeros(readout.out_features)
            self.b_y = self.tape.leaves((zero if readout.bias is None else readout.bias).tolist(), "b_y")

    def _matrix(self, weight: Tensor, name: str) -> list[list[int]]:
        rows: list[list[float]] = weight.tolist()
        return [[self.tape.leaf(v, f"{name}[{i},{j}]") for j, v in enumerate(row)] for i, row in enumerate(rows)]

    def _bias(self, row: Cell, weight: str, name: str) -> list[int]:
        zeros = torch.zeros(len(row.weights["weight_hh"]))
        return self.tape.leaves(row.weights.get(weight, zeros).tolist(), name)

    def begin(self, h0: Tensor) -> None:
        """Write the state before the first step: h0 (L, H); an LSTM's c_0 is zero."""
        self.tape.step = 0
        named = list(zip(self.rows, self.marks, h0.tolist(), strict=True))
        self.h = [self.tape.leaves(values, f"h{mark}_0") for _, mark, values in named]
        self.c = [self.tape.leaves([0.0] * len(v), f"c{m}_0") if "c" in r.kind.state else [] for r, m, v in named]

    def step(self, t: int, numbers: list[float], answers: bool) -> list[int]:
        """Write step t and give the nodes of y_t, or of h_t where the step has no cost."""
        self.tape.step = t
        y: list[int] = []
        for k, row in enumerate(self.rows):
            self.tape.part = f"h{self.marks[k]}_{t}"
            y = y or self.tape.leaves(numbers, f"x_{t}")
            self.h[k] = STEPS[row.kind.name](self, k, y, f"{self.marks[k]}_{t}")
            y = self.h[k]
        self.tape.part = f"y_{t}"
        if self.readout is None or not answers:
            return y
        rows = enumerate(zip(self.w_hy, self.b_y, strict=True))
        return [self.tape.weighted(weights, y, [bias], f"y_{t}[{i}]") for i, (weights, bias) in rows]

    def cost(self, t: int, y: list[int], target: list[float] | int) -> int:
        """Write C_t of the nodes y: cross-entropy for a whole number, else half the squared distance."""
        tape = self.tape
        if isinstance(target, int):
            total = tape.log(tape.plus([tape.exp(n) for n in y]))
            return tape.plus((total, tape.negative(y[target])), f"C_{t}")
        wrong = [
            tape.plus((n, tape.leaf(-g, f"-target_{t}[{i}]"))) for i, (n, g) in enumerate(zip(y, target, strict=True))
        ]
        return tape.plus([tape.half_square(n) for n in wrong], f"C_{t}")

    def vanilla(self, k: int, x: list[int], mark: str) -> list[int]:
        """Write a step of layer k, h_t = f(a_t), for the input's nodes x, and give the nodes of h_t."""
        tape, options, new = self.tape, self.rows[k].map.options, []
        squash = tape.relu if options["nonlinearity"] == "relu" else tape.tanh
        for i, h in enumerate(self.h[k]):
            name = f"h{mark}[{i}]"
            f = squash(self._sum(k, i, x, f"a{mark}[{i}]"), "" if options["residual"] else name)
            new.append(tape.plus((h, f), name) if options["residual"] else f)
        return new

    def lstm(self, k: int, x: list[int], mark: str) -> list[int]:
        """Write a step of layer k, an LSTM, for the input's nodes x, and give the nodes of h_t."""
        tape, size, new, memory = self.tape, len(self.h[k]), [], []
        for j, c in enumerate(self.c[k]):
            sums = [self._sum(k, g * size + j, x) for g in range(4)]
            i, f, o = (tape.sigmoid(sums[g], f"{n}{mark}[{j}]") for g, n in ((0, "i"), (1, "f"), (3, "o")))
            g = tape.tanh(sums[2], f"g{mark}[{j}]")
            memory.append(tape.plus((tape.times(f, c), tape.times(i, g)), f"c{mark}[{j}]"))
            new.append(tape.times(o, tape.tanh(memory[-1]), f"h{mark}[{j}]"))
        self.c[k] = memory
        return new

    def gru(self, k: int, x: list[int], mark: str) -> list[int]:
        """Write a step of layer k, a GRU, for the input's nodes x, and give the nodes of h_t."""
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


STEPS: dict[str, Callable[[GraphWriter, int, list[int], str], list[int]]] = {
    "rnn": GraphWriter.vanilla,
    "lstm": GraphWriter.lstm,
    "gru": GraphWriter.gru,
}
"""How a step of each kind of cell is written."""
