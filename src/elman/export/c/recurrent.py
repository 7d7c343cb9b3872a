"""The recurrent part in C: its cells as data, its sizes as definitions."""

from __future__ import annotations

from elman.export.c.source import Source
from elman.runtime.recurrent import Recurrent

WORK = {"rnn": 1, "lstm": 4, "gru": 6}
"""Numbers that a step computes with, in hidden units."""


def write_recurrent(source: Source, networks: list[Recurrent]) -> list[str]:
    """Definitions and cells of networks of one shape; the names of their constants."""
    first = networks[0].shape
    source.define(
        HIDDEN=first.hidden_size,
        LAYERS=first.layers,
        DIRECTIONS=networks[0].D,
        SIZE=networks[0].output_size,
        PARTS=networks[0].parts,
    )
    if first.cell == "rnn":
        source.define(RELU=int(first.nonlinearity == "relu"), RESIDUAL=int(first.residual))
        source.use(*(() if first.nonlinearity == "relu" else ("tanh",)))
    source.use("cell_norm" if first.layer_norm else f"cell_{first.cell}")
    names = []
    for number, network in enumerate(networks):
        rows = []
        for layer in network.layers:
            for w_ih, w_hh, b_ih, b_hh, *gain in layer:
                ih, ih_scale = source.matrix(w_ih)
                hh, hh_scale = source.matrix(w_hh)
                bias = source.vector(b_ih if first.cell == "gru" else b_ih + b_hh)
                own = source.vector(b_hh) if first.cell == "gru" else source.vector(gain[0]) if gain else "NULL"
                rows.append(f"    {{{ih}, {hh}, {ih_scale}, {hh_scale}, {bias}, {own}, {w_ih.shape[1]}}}")
        names.append(f"cells_{number}")
        source.table(f"static const cell cells_{number}[] = {{\n" + ",\n".join(rows) + "};")
    return names


def work_size(network: Recurrent) -> int:
    """Numbers that a step computes with."""
    return WORK[network.shape.cell] * network.H
