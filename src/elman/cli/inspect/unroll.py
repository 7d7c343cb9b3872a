"""`elman inspect unroll`: the network made as many times as there are steps."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from elman.cli.inspect.common import Input, Out, TextFile, answer, folder_for, look_at
from elman.cli.running import Json, RunPath, Weights

if TYPE_CHECKING:
    from rich.console import RenderableType

    from elman.insight.example import InspectionExample
    from elman.insight.unrolled import Unrolled
    from elman.run import Run


def unroll(
    run: RunPath,
    /,
    *,
    input: Input = None,
    text: TextFile = None,
    one_by_one: Annotated[
        bool, Parameter(negative="", help="Also a picture for each step of the forward and the backward pass.")
    ] = False,
    graph: Annotated[
        bool, Parameter(negative="", help="The computational graph: every product and sum. For a small cell.")
    ] = False,
    at: Annotated[
        tuple[int, ...], Parameter(negative="", consume_multiple=True, help="Draw these steps of the graph only.")
    ] = (),
    out: Out = None,
    json: Json = False,
    weights: Weights = "best",
) -> None:
    """Draw a run's network unrolled over one input: values going forward, gradients coming back, C_t at each step.

    Example: elman inspect unroll runs/shakespeare --input "hello"
    """
    from elman.insight import plot_unrolled, save_figure
    from elman.insight import unroll as unrolled_over
    from elman.run import load

    loaded = load(run, weights=weights)
    look = look_at(loaded, input, text)
    folder = folder_for(out, run)
    unrolled = unrolled_over(loaded.inspected, look.inputs, look.targets, tokens=look.tokens, layer=look.layer)
    if graph or at:
        _graph(loaded, look, unrolled, at, folder, json, run)
        return
    figures = {"unrolled": plot_unrolled(unrolled)}
    if one_by_one:
        from elman.insight import frames

        figures |= {f"unrolled-{number:03}": figure for number, figure in enumerate(frames(unrolled), 1)}
    written = [path for name, figure in figures.items() for path in save_figure(figure, folder / name)]
    answer([unrolled.table(), look.about], _facts(unrolled, look), written, json=json, run=run)


def _graph(
    loaded: Run, look: InspectionExample, unrolled: Unrolled, at: tuple[int, ...], folder: Path, json: bool, run: Path
) -> None:
    from elman.insight import model_graph, plot_computation, save_figure

    graph = model_graph(loaded.inspected, unrolled, look.targets)
    written = save_figure(plot_computation(graph, at or None), folder / "graph")
    shown: list[RenderableType] = [graph.table((None, 0, *at) if at else None), look.about]
    facts = {
        "cost": graph.cost.value,
        "about": look.about,
        "nodes": [
            {
                "node": graph.label(node.index),
                "made_by": node.op,
                "of": [graph.label(parent) for parent in node.parents],
                "local_gradients": node.local,
                "step": node.step,
                "value": node.value,
                "gradient": node.gradient,
            }
            for node in graph.nodes
        ],
    }
    answer(shown, facts, written, json=json, run=run)


def _facts(unrolled: Unrolled, look: InspectionExample) -> dict[str, Any]:
    return {
        "cost": unrolled.cost,
        "about": look.about,
        "steps": [_step(unrolled, t) for t in range(unrolled.steps)],
        "shared_weights": {
            weight.name: {"gradient_norm": float(weight.gradient.norm()), "by_step": weight.by_step}
            for weight in unrolled.weights
        },
    }


def _step(unrolled: Unrolled, t: int) -> dict[str, Any]:
    row = unrolled.output_row(t)
    step = {
        "t": t + 1,
        "token": unrolled.tokens[t],
        "x": unrolled.x[t],
        "grad_x": unrolled.grad_x[t],
        "layers": {layer.name: {"h": layer.h[t], "grad_h": layer.grad_h[t]} for layer in unrolled.layers},
    }
    if row is None:
        return step
    return step | {"y": unrolled.y[row], "grad_y": unrolled.grad_y[row], "cost": float(unrolled.costs[row])}
