"""The computational graph in single numbers: every product, sum and nonlinearity is a node.

Backpropagation in its plainest form (the lecture's "Backpropagation refresher"): a node knows its value and,
for each node it was made from, the local gradient; going backward, each node hands to those its own gradient,
the upstream one, times the local one, and a node that was used several times adds up what it is handed.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Node:
    """One number of the graph.

    Attributes:
        index: its place in the graph; a node comes after those it was made from.
        op: "leaf", "×", "+", "tanh", "relu", "σ" (logistic), "1-", "-", "exp", "log" or "½²" (half the square).
        name: what the number is called, where it has a name: "W_hh[0,1]", "h_2[0]", "C_2".
        value: it.
        gradient: dC with respect to it.
        parents: the nodes it was made from.
        local: for each parent, its own derivative with respect to it.
        step: the step that it belongs to, counted from 1; 0 for what comes before the first; None for a
            weight, which all steps share.
        part: what it helps to work out within its step: "h_2", "y_2".
    """

    index: int
    op: str
    name: str
    value: float
    gradient: float
    parents: tuple[int, ...]
    local: tuple[float, ...]
    step: int | None
    part: str


class Tape:
    """Write a graph down while its values are worked out; nodes are called by their index."""

    def __init__(self) -> None:
        self.ops: list[str] = []
        self.names: list[str] = []
        self.values: list[float] = []
        self.parents: list[tuple[int, ...]] = []
        self.local: list[tuple[float, ...]] = []
        self.steps: list[int | None] = []
        self.parts: list[str] = []
        self.step: int | None = None  # what new nodes belong to
        self.part = ""

    def leaf(self, value: float, name: str) -> int:
        """Write a number that is given, and give its node."""
        return self._add("leaf", value, (), (), name)

    def leaves(self, values: Sequence[float], name: str) -> list[int]:
        """Write numbers that are given, named `name[0]`, `name[1]`, ..., and give their nodes."""
        return [self.leaf(value, f"{name}[{k}]") for k, value in enumerate(values)]

    def times(self, a: int, b: int, name: str = "") -> int:
        """Write a product of two nodes."""
        return self._add("×", self.values[a] * self.values[b], (a, b), (self.values[b], self.values[a]), name)

    def plus(self, terms: Iterable[int], name: str = "") -> int:
        """Write a sum of nodes."""
        terms = tuple(terms)
        return self._add("+", math.fsum(self.values[k] for k in terms), terms, (1.0,) * len(terms), name)

    def tanh(self, a: int, name: str = "") -> int:
        """Write the hyperbolic tangent of a node."""
        value = math.tanh(self.values[a])
        return self._add("tanh", value, (a,), (1 - value * value,), name)

    def relu(self, a: int, name: str = "") -> int:
        """Write the larger of a node and 0."""
        return self._add("relu", max(self.values[a], 0.0), (a,), (float(self.values[a] > 0),), name)

    def sigmoid(self, a: int, name: str = "") -> int:
        """Write the logistic sigmoid of a node."""
        value = 0.5 * (1 + math.tanh(0.5 * self.values[a]))
        return self._add("σ", value, (a,), (value * (1 - value),), name)

    def one_minus(self, a: int) -> int:
        """Write 1 minus a node."""
        return self._add("1-", 1 - self.values[a], (a,), (-1.0,))

    def negative(self, a: int) -> int:
        """Write a node with the other sign."""
        return self._add("-", -self.values[a], (a,), (-1.0,))

    def exp(self, a: int) -> int:
        """Write the exponential of a node."""
        value = math.exp(self.values[a])
        return self._add("exp", value, (a,), (value,))

    def log(self, a: int) -> int:
        """Write the natural logarithm of a node."""
        return self._add("log", math.log(self.values[a]), (a,), (1 / self.values[a],))

    def half_square(self, a: int) -> int:
        """Write half the square of a node."""
        return self._add("½²", 0.5 * self.values[a] ** 2, (a,), (self.values[a],))

    def weighted(
        self, weights: Sequence[int], numbers: Sequence[int], extra: Sequence[int] = (), name: str = ""
    ) -> int:
        """Add up weights times numbers, and `extra`; each product is a node and the sum is one."""
        return self.plus([self.times(w, n) for w, n in zip(weights, numbers, strict=True)] + list(extra), name)

    def _add(self, op: str, value: float, parents: tuple[int, ...], local: tuple[float, ...], name: str = "") -> int:
        self.ops.append(op)
        self.names.append(name)
        self.values.append(value)
        self.parents.append(parents)
        self.local.append(local)
        self.steps.append(self.step)
        self.parts.append(self.part)
        return len(self.ops) - 1

    def backward(self, cost: int) -> tuple[Node, ...]:
        """Go back from `cost` and give all nodes with their gradients."""
        gradients = [0.0] * len(self.ops)
        gradients[cost] = 1.0
        for k in reversed(range(len(self.ops))):
            for parent, local in zip(self.parents[k], self.local[k], strict=True):
                gradients[parent] += local * gradients[k]
        columns = (
            self.ops,
            self.names,
            self.values,
            gradients,
            self.parents,
            self.local,
            self.steps,
            self.parts,
        )
        return tuple(Node(k, *row) for k, row in enumerate(zip(*columns, strict=True)))
