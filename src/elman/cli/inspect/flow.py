"""`elman inspect flow`: where the gradient goes, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from elman.cli.inspect.common import Out, answer, folder_for
from elman.cli.messages import as_options
from elman.cli.running import Json, RunPath, Weights

if TYPE_CHECKING:
    from elman.insight.gradient_flow import GradientFlow
    from elman.insight.layer_flow import LayerFlow


def flow(run: RunPath, /, *, out: Out = None, json: Json = False, weights: Weights = "best") -> None:
    """Follow the gradient of a run's loss back through the steps of the batch that would be next in training.

    Example: elman inspect flow runs/shakespeare
    """
    from elman.insight import gradient_flow, plot_gradient_flow, save_figure
    from elman.run import load
    from elman.training.monitoring.gradient_monitor import remedies_of_run

    loaded = load(run, weights=weights)
    advice = remedies_of_run(loaded.task.settings, loaded.header)
    found = gradient_flow(loaded.inspected, loaded.batch(), loaded.cost, remedies=advice)
    written = save_figure(plot_gradient_flow(found), folder_for(out, run) / "flow")
    answer([found.table(as_options(found.verdict))], _facts(found), written, json=json, run=run)


def _facts(found: GradientFlow) -> dict[str, Any]:
    return {
        "verdict": as_options(found.verdict),
        "cost": found.cost,
        "steps": found.steps,
        "layers": {layer.name: _layer(layer) for layer in found.layers},
    }


def _layer(layer: LayerFlow) -> dict[str, Any]:
    products = layer.jacobians
    return {
        "kind": layer.kind,
        "state": layer.state,
        "gradient": layer.gradient,
        "carried": layer.carried,
        "saturated": layer.saturated,
        "recurrent_weights": [
            {"gate": w.gate, "largest_singular_value": w.largest, "spectral_radius": w.radius, "bound": w.bound}
            for w in layer.weights
        ],
        "jacobian_products": None
        if products is None
        else {
            "distance": products.distance,
            "largest_singular_value": products.largest,
            "smallest_singular_value": products.smallest,
        },
    }
