"""A picture of a computational graph: every product, sum and nonlinearity a box, one step below the other."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

from elman.errors import UserError, optional_imports
from elman.insight.graph.graph import Graph
from elman.insight.graph.tape import Node
from elman.plotting.mpl import Axes, FancyBboxPatch, Figure, Line2D
from elman.plotting.palette import BLUE, GREEN, GREY, INK, ORANGE, VERMILLION, WHITE
from elman.plotting.style import blank_figure, plain, styled

with optional_imports():
    import networkx as nx

_ROW = 0.44  # inches that a box takes
_TALLEST = 200.0  # inches: 20,000 pixels


@styled
def plot_computation(graph: Graph, steps: Sequence[int] | None = None, gradients: bool = True) -> Figure:
    """Draw the graph from left to right, with each number's value and its gradient.

    A step has a band for the state (one for each layer) and one for the output and its cost. Weights, which
    all steps share, stand in every band, with dashed lines.

    Arguments:
        steps: the steps to draw, from 1; all if not given.
        gradients: also write the gradients; without them it is the forward pass.

    Raises:
        UserError: no such step, or a picture that would be too tall.
    """
    chosen = list(range(1, graph.steps + 1)) if steps is None else list(steps)
    if not chosen or not all(1 <= t <= graph.steps for t in chosen):
        raise UserError(f"the graph has steps 1 to {graph.steps}; asked for {chosen}")
    parts = dict.fromkeys(node.part for t in chosen for node in graph.of_step(t))
    bands = [_Band(graph, part) for part in parts]
    heights = [band.rows * _ROW + 0.3 for band in bands]
    if sum(heights) > _TALLEST:
        raise UserError("the picture would be too tall: draw fewer steps at once, or a smaller layer")
    title = f"C = {graph.cost.value:.4g} from {len(graph.nodes)} numbers over {graph.steps} steps"
    title += "; each gradient is upstream × local, summed over all uses" if gradients else ", going forward"
    figure = blank_figure(title, height=sum(heights) + 1.2)
    axes = figure.subplots(len(bands), 1, squeeze=False, height_ratios=heights)[:, 0]
    for band, ax in zip(bands, axes, strict=True):
        band.draw(ax, gradients)
    figure.legend(handles=_legend(gradients), loc="outside lower center", ncols=4)
    return figure


class _Band:
    """The nodes of one part of one step, what they were made from, and where to draw them."""

    def __init__(self, graph: Graph, part: str) -> None:
        self.nodes, self.part = graph.nodes, part
        self.net = nx.DiGraph()
        for node in graph.nodes:
            if node.part == part:
                self.net.add_node(node.index)
                self.net.add_edges_from((parent, node.index) for parent in node.parents)
        self.inner = [k for k in sorted(self.net) if self.net.in_degree(k)]
        # what comes from elsewhere stands in the first column, a weight beside the product it is used in
        self.carried = [k for k in sorted(self.net) if k not in self.inner and not self._is_weight(k)]
        self._rows()
        self._columns()

    def _is_weight(self, k: int) -> bool:
        return self.nodes[k].step is None

    def _rows(self) -> None:
        """Give a row of its own to each product and bias, in the order of the sums that they go into."""
        free = iter(range(10**9))

        @cache
        def row(k: int) -> float:
            made = [p for p in self.net.predecessors(k) if p not in self.carried]
            if not made or all(self._is_weight(p) and self.nodes[k].op == "×" for p in made):
                return float(next(free))
            places = [row(p) for p in made]
            return sum(places) / len(places)

        ends = [k for k in self.inner if not self.net.out_degree(k)]
        self.row = {k: row(k) for end in ends for k in (*sorted(nx.ancestors(self.net, end)), end) if k in self.inner}
        for k in self.net:
            if self._is_weight(k):
                child = next(iter(self.net.successors(k)))
                self.row[k] = row(child) if self.nodes[child].op == "×" else row(k)
        self.rows = max(next(free), len(self.carried), 1)
        spread = (self.rows - len(self.carried)) / 2
        self.row.update({k: spread + n for n, k in enumerate(self.carried)})

    def _columns(self) -> None:
        self.column = dict.fromkeys(self.carried, 0)
        for k in nx.topological_sort(self.net):
            if k in self.inner:
                before = [self.column[p] for p in self.net.predecessors(k) if p in self.column]
                weights = self.nodes[k].op == "×" and any(map(self._is_weight, self.net.predecessors(k)))
                self.column[k] = max(before, default=0) + 1 + weights
        for k in self.net:
            if self._is_weight(k):
                self.column[k] = min(self.column[c] for c in self.net.successors(k)) - 1
        self.columns = max(self.column.values()) + 1
        self._apart()

    def _apart(self) -> None:
        """Move boxes of a column that would overlap one below the other."""
        for column in range(self.columns):
            below = -1.0
            for k in sorted((k for k in self.net if self.column[k] == column), key=lambda k: (self.row[k], k)):
                self.row[k] = below = max(self.row[k], below + 1)
        self.rows = max(self.rows, int(max(self.row.values())) + 1)

    def draw(self, axes: Axes, gradients: bool) -> None:
        axes.set(xlim=(-0.5, max(self.columns, 6) - 0.5), ylim=(self.rows - 0.4, -0.6))
        axes.set_title(f"towards {self.part}", fontweight="bold")
        axes.axis("off")
        for a, b in self.net.edges:
            start, end = (self.column[a] + 0.44, self.row[a]), (self.column[b] - 0.44, self.row[b])
            dash = "dashed" if self._is_weight(a) else "-"
            axes.plot(*zip(start, end, strict=True), color=GREY, linestyle=dash, linewidth=0.8, zorder=1)
        for k in self.net:
            _box(axes, self.nodes[k], self.column[k], self.row[k], gradients)


def _box(axes: Axes, node: Node, x: float, y: float, gradients: bool) -> None:
    axes.add_patch(
        FancyBboxPatch(
            (x - 0.44, y - 0.38),
            0.88,
            0.76,
            boxstyle="round,pad=0,rounding_size=0.06",
            facecolor=WHITE,
            edgecolor=_colour(node),
            linestyle="dashed" if node.step is None else "-",
            linewidth=1.5,
            zorder=2,
        )
    )
    name = node.name if node.op == "leaf" else f"{node.name} = {node.op}" if node.name else node.op
    text: dict[str, Any] = {"va": "center", "fontsize": 8.5}
    axes.text(x, y - 0.17, plain(name), ha="center", color=INK, **text)
    axes.text(x - 0.4, y + 0.19, f"{node.value + 0.0:.2g}", ha="left", color=INK, **text)
    if gradients:
        axes.text(
            x + 0.4,
            y + 0.19,
            f"{node.gradient + 0.0:.2g}",
            ha="right",
            color=VERMILLION,
            style="italic",
            **text,
        )


def _colour(node: Node) -> str:
    if node.op == "leaf":
        return GREY if node.step is None else BLUE
    return {"×": ORANGE, "+": GREEN, "-": GREEN, "1-": GREEN}.get(node.op, VERMILLION)


def _legend(gradients: bool) -> list[Line2D]:
    names: tuple[tuple[str, Any, str], ...] = (
        (GREY, "dashed", "weight, shared by all steps"),
        (BLUE, "-", "given"),
        (ORANGE, "-", "product"),
        (GREEN, "-", "sum"),
        (VERMILLION, "-", "nonlinearity"),
    )
    lines = [Line2D([], [], color=c, linestyle=dash, label=name) for c, dash, name in names]
    text = [(INK, "value")] + ([(VERMILLION, "gradient of C (italic)")] if gradients else [])
    return lines + [Line2D([], [], color=c, linestyle="", marker="$1.2$", markersize=18, label=n) for c, n in text]
