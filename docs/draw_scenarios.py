"""Draw the input-output scenarios of docs/scenarios.md, each as the unrolled network.

Run from the root of the repository: python docs/draw_scenarios.py [--png]
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.patches import Circle, FancyArrowPatch

from elman.plotting.palette import BLUE, GREEN, GREY, INK, ORANGE, VERMILLION, WHITE
from elman.plotting.style import labels, new_figure, plain, save_figure

PICTURES = Path(__file__).parent / "pictures"
RADIUS = 0.3
ROWS = {"x": 0.0, "h": 1.3, "y": 2.6}
GAP = 1.6  # between steps


@dataclass(frozen=True)
class Node:
    """A circle with a symbol in it, and beside it what it stands for in the example."""

    symbol: str
    step: float
    row: float
    colour: str
    example: str = ""
    used: bool = True

    @property
    def centre(self) -> tuple[float, float]:
        return self.step * GAP, self.row


class Drawing:
    """One scenario."""

    def __init__(self, name: str, title: str, steps: int, height: float = 4.2) -> None:
        self.name = name
        self.figure, axes = new_figure(title, height=height)
        self.axes: Axes = axes[0]
        self.axes.set_axis_off()
        self.axes.set_aspect("equal")
        self.axes.set_xlim(-1.2, (steps - 1) * GAP + 1.2)
        self.axes.set_ylim(-0.85, ROWS["y"] + 0.85)

    def node(self, node: Node) -> Node:
        """Draw a circle; one that is not used is pale."""
        edge = node.colour if node.used else GREY
        face = node.colour if node.used else WHITE
        self.axes.add_patch(Circle(node.centre, RADIUS, facecolor=face, edgecolor=edge, linewidth=1.8, zorder=3))
        ink = GREY if not node.used else INK if node.colour == ORANGE else WHITE
        self.axes.text(*node.centre, node.symbol, ha="center", va="center", color=ink, fontsize=14, zorder=4)
        if node.example:
            above = node.row > ROWS["h"]
            place = node.row + (RADIUS + 0.1 if above else -RADIUS - 0.1)
            side = "bottom" if above else "top"
            self.axes.text(node.centre[0], place, plain(node.example), ha="center", va=side, fontsize=12, color=INK)
        return node

    def arrow(self, start: Node, end: Node, label: str = "", *, dashed: bool = False, bend: float = 0.0) -> None:
        """Draw an arrow between two nodes; dashed means: the output is the next input."""
        (x0, y0), (x1, y1) = start.centre, end.centre
        patch = FancyArrowPatch(
            (x0, y0),
            (x1, y1),
            connectionstyle=f"arc3,rad={bend}",
            arrowstyle="-|>",
            mutation_scale=14,
            shrinkA=24,
            shrinkB=24,
            linewidth=1.6,
            linestyle=(0, (4, 2)) if dashed else "-",
            color=ORANGE if dashed else INK,
            zorder=2,
        )
        self.axes.add_patch(patch)
        if label:
            across = abs(x1 - x0) > abs(y1 - y0)
            shift = (-0.17, -0.1) if across else (0.14, 0.0)  # clear of what comes down from the outputs
            self.axes.text(
                (x0 + x1) / 2 + shift[0],
                (y0 + y1) / 2 + shift[1],
                label,
                ha="center" if across else "left",
                va="top" if across else "center",
                fontsize=12,
                color=GREY,
            )

    def states(
        self, steps: Sequence[int], names: Sequence[str], colour: str = GREEN, weights: str = "$W_{hh}$"
    ) -> list[Node]:
        """Hidden states side by side, each from the one before."""
        nodes = [self.node(Node(name, step, ROWS["h"], colour)) for step, name in zip(steps, names, strict=True)]
        for before, after in pairwise(nodes):
            self.arrow(before, after, weights)
        return nodes

    def inputs(self, states: Sequence[Node], examples: Sequence[str], first: int = 1) -> list[Node]:
        """One input under each state."""
        nodes = []
        for place, (state, example) in enumerate(zip(states, examples, strict=True), first):
            node = self.node(Node(f"$x_{place}$", state.step, ROWS["x"], BLUE, example))
            self.arrow(node, state, "$W_{ih}$")
            nodes.append(node)
        return nodes

    def outputs(self, states: Sequence[Node], examples: Sequence[str], used: bool = True) -> list[Node]:
        """One output over each state."""
        nodes = []
        for place, (state, example) in enumerate(zip(states, examples, strict=True), 1):
            node = self.node(Node(f"$y_{place}$", state.step, ROWS["y"], VERMILLION, example, used))
            self.arrow(state, node, "$F$")
            nodes.append(node)
        return nodes

    def save(self, png: bool) -> None:
        """Write the picture as SVG; as PNG too where asked."""
        _, other = save_figure(self.figure, PICTURES / self.name)
        if not png:
            other.unlink()


def names(letter: str, count: int) -> list[str]:
    return [f"${letter}_{{{place}}}$" for place in range(1, count + 1)]


def one_to_one() -> Drawing:
    drawing = Drawing("one-to-one", "One to one: the feed-forward network is the recurrent one with T = 1", 3)
    states = drawing.states([1], ["$h_1$"])
    start = drawing.node(Node("$h_0$", 0, ROWS["h"], GREY, "zero", used=False))
    drawing.arrow(start, states[0], "$W_{hh}$")
    drawing.inputs(states, ["features"])
    drawing.outputs(states, ["class"])
    return drawing


def one_to_many() -> Drawing:
    words = ["The", "dog", "is", "hiding"]
    drawing = Drawing("one-to-many", "One to many: each output is the next input, until the sentence ends", 5, 4.6)
    states = drawing.states(range(5), names("h", 5))
    outputs = drawing.outputs(states, [*words, "<end>"])
    inputs = drawing.inputs(states, ["picture", *words])
    for output, after in zip(outputs, inputs[1:], strict=False):
        drawing.arrow(output, after, dashed=True, bend=0.0)
    return drawing


def many_to_one_last() -> Drawing:
    words = ["The", "food", "was", "good"]
    drawing = Drawing("many-to-one-last", "Many to one, the last state read: h₁ to h₃ are ignored", 4)
    states = drawing.states(range(4), names("h", 4))
    drawing.inputs(states, words)
    answer = drawing.node(Node("$y$", 3, ROWS["y"], VERMILLION, "positive"))
    drawing.arrow(states[-1], answer, "$F$")
    return drawing


def many_to_one_mean() -> Drawing:
    words = ["The", "food", "was", "good"]
    drawing = Drawing(
        "many-to-one-mean", "Many to one, all states read: their sum or mean, maximum or attention", 4, 5.0
    )
    states = drawing.states(range(4), names("h", 4))
    drawing.inputs(states, words)
    drawing.axes.set_ylim(-0.85, 4.75)
    pool = drawing.node(Node("$h$", 1.5, ROWS["y"], GREEN))
    for state in states:
        drawing.arrow(state, pool)
    drawing.axes.text(pool.centre[0] + 0.45, pool.row + 0.05, "sum(h₁ ... h₄)", fontsize=12, color=GREY, va="center")
    answer = drawing.node(Node("$y$", 1.5, ROWS["y"] + 1.3, VERMILLION, "positive"))
    drawing.arrow(pool, answer, "$F$")
    return drawing


def many_to_many() -> Drawing:
    drawing = Drawing(
        "many-to-many-in-step", "Many to many, in step: after every input an output, here the next letter", 5
    )
    states = drawing.states(range(5), names("h", 5))
    drawing.inputs(states, labels("KING "))
    drawing.outputs(states, labels("ING L"))
    return drawing


def encoder_decoder() -> Drawing:
    title = "Many to many, encoder and decoder: all is read before a word is written"
    drawing = Drawing("many-to-many-encoder-decoder", title, 7, 4.4)
    encoder = drawing.states(range(3), names("h", 3))
    drawing.inputs(encoder, ["Zwei", "Hunde", "spielen"])
    decoder = drawing.states(range(3, 7), names("s", 4), BLUE, "$V_{hh}$")
    drawing.arrow(encoder[-1], decoder[0])
    words = ["Two", "dogs", "play", "<end>"]
    outputs = drawing.outputs(decoder, words)
    fed = ["<begin>", *words[:-1]]
    below = []
    for place, (state, word) in enumerate(zip(decoder, fed, strict=True), 1):
        node = drawing.node(Node(f"$z_{place}$", state.step, ROWS["x"], ORANGE, word))
        drawing.arrow(node, state, "$V_{ih}$")
        below.append(node)
    for output, after in zip(outputs, below[1:], strict=False):
        drawing.arrow(output, after, dashed=True)
    return drawing


SCENARIOS = (one_to_one, one_to_many, many_to_one_last, many_to_one_mean, many_to_many, encoder_decoder)


def draw_all(png: bool) -> None:
    """Write all pictures."""
    for draw in SCENARIOS:
        draw().save(png)


def main() -> None:
    parser = argparse.ArgumentParser(description="Draw the scenarios.")
    parser.add_argument("--png", action="store_true", help="write PNG beside SVG")
    draw_all(parser.parse_args().png)


if __name__ == "__main__":
    main()
