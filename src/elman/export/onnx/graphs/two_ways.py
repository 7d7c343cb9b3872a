"""A graph that is called in two ways: first it reads, then, call by call, it writes. An If on what is given."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from elman.export.onnx.graph import Dim, Graph, Value

Written = tuple[list[Value], list[Value]]


class Part(NamedTuple):
    """An output: its name, its type and its shape, with names for what is open."""

    name: str
    kind: str
    shape: tuple[Dim, ...]


def two_ways(
    g: Graph,
    source: Value,
    read: Callable[[], Written],
    write: Callable[[], Written],
    state: Sequence[Part],
    memory: Sequence[Part],
    said: Sequence[Part],
) -> None:
    """Write the If and its outputs; what a way does not give has no elements.

    Arguments:
        source: it reads where this has elements, and writes where it has none.
        read: gives the state and the memory.
        write: gives the state and what is said.
    """
    reading = g.op("Greater", g.op("Size", source), 0)
    with g.block() as block:
        first, kept = read()
        reads = g.close(block, [], [*first, *kept, *(_nothing(g, part) for part in said)])
    with g.block() as block:
        after, spoken = write()
        writes = g.close(block, [], [*after, *(_nothing(g, part) for part in memory), *spoken])
    parts = [*state, *memory, *said]
    values = g.ops("If", reading, outputs=len(parts), then_branch=reads, else_branch=writes)
    for part, value in zip(parts, values, strict=True):
        g.output(value, *part)


def _nothing(g: Graph, part: Part) -> Value:
    sizes = [0 if isinstance(size, str) else size for size in part.shape]
    return g.value(np.zeros(sizes, np.dtype(part.kind)))
