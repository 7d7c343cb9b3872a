"""See inside a recurrent network: numbers first (frozen dataclasses and tensors), then plots of them.

    flow = insight.gradient_flow(model, batch, loss)    # where does the gradient go, and why
    print(flow.verdict)
    insight.save_figure(insight.plot_gradient_flow(flow), "flow")

Works on elman.RNN, on torch.nn.RNN, LSTM and GRU, and on every registered cell (`elman.nn.registry`), alone or inside
a model. The names are imported when first used, so that numbers do not wait for matplotlib.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

# at once: a function that is called like its module would be hidden by it
from elman.insight.fixed_points import fixed_points
from elman.insight.gradient_flow import gradient_flow
from elman.insight.graph.worked_example import bptt

if TYPE_CHECKING:
    from elman.insight.graph.graph import computational_graph
    from elman.insight.graph.model_graph import model_graph
    from elman.insight.graph.worked_example import worked_example
    from elman.insight.hidden_units import units
    from elman.insight.monitor import GradientMonitor, gradient_metrics
    from elman.insight.plots.gradient_flow import plot_gradient_flow
    from elman.insight.plots.graph import plot_computation
    from elman.insight.plots.remedies import plot_remedies
    from elman.insight.plots.states import plot_states
    from elman.insight.plots.text import coloured, html_page, nearest_table, save_html, terminal_view
    from elman.insight.plots.units import plot_units
    from elman.insight.plots.unrolled import frames, plot_unrolled
    from elman.insight.remedies.compare import Budget, compare
    from elman.insight.remedies.problems import Problem, memory_problem
    from elman.insight.remedies.remedy import REMEDIES, Remedy, remedy_names
    from elman.insight.state_space import states
    from elman.insight.unrolled import unroll
    from elman.plotting.style import new_figure, save_figure

_HOMES = {
    "Budget": "elman.insight.remedies.compare",
    "REMEDIES": "elman.insight.remedies.remedy",
    "Remedy": "elman.insight.remedies.remedy",
    "remedy_names": "elman.insight.remedies.remedy",
    "Problem": "elman.insight.remedies.problems",
    "GradientMonitor": "elman.insight.monitor",
    "bptt": "elman.insight.graph.worked_example",
    "coloured": "elman.insight.plots.text",
    "compare": "elman.insight.remedies.compare",
    "computational_graph": "elman.insight.graph.graph",
    "gradient_metrics": "elman.insight.monitor",
    "fixed_points": "elman.insight.fixed_points",
    "frames": "elman.insight.plots.unrolled",
    "gradient_flow": "elman.insight.gradient_flow",
    "html_page": "elman.insight.plots.text",
    "memory_problem": "elman.insight.remedies.problems",
    "model_graph": "elman.insight.graph.model_graph",
    "nearest_table": "elman.insight.plots.text",
    "new_figure": "elman.plotting.style",
    "plot_computation": "elman.insight.plots.graph",
    "plot_gradient_flow": "elman.insight.plots.gradient_flow",
    "plot_remedies": "elman.insight.plots.remedies",
    "plot_states": "elman.insight.plots.states",
    "plot_units": "elman.insight.plots.units",
    "plot_unrolled": "elman.insight.plots.unrolled",
    "save_figure": "elman.plotting.style",
    "save_html": "elman.insight.plots.text",
    "states": "elman.insight.state_space",
    "terminal_view": "elman.insight.plots.text",
    "units": "elman.insight.hidden_units",
    "unroll": "elman.insight.unrolled",
    "worked_example": "elman.insight.graph.worked_example",
}

__all__ = [
    "REMEDIES",
    "Budget",
    "GradientMonitor",
    "Problem",
    "Remedy",
    "bptt",
    "coloured",
    "compare",
    "computational_graph",
    "fixed_points",
    "frames",
    "gradient_flow",
    "gradient_metrics",
    "html_page",
    "memory_problem",
    "model_graph",
    "nearest_table",
    "new_figure",
    "plot_computation",
    "plot_gradient_flow",
    "plot_remedies",
    "plot_states",
    "plot_units",
    "plot_unrolled",
    "remedy_names",
    "save_figure",
    "save_html",
    "states",
    "terminal_view",
    "units",
    "unroll",
    "worked_example",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'elman.insight' has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(set(globals()) | set(_HOMES))
