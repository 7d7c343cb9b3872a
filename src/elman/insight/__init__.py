"""See inside a recurrent network: numbers first (frozen dataclasses and tensors), then plots of them.

    flow = insight.gradient_flow(model, batch, loss)    # where does the gradient go, and why
    print(flow.verdict)
    insight.save_figure(insight.plot_gradient_flow(flow), "flow")

Works on elman.RNN and on torch.nn.RNN, LSTM and GRU, alone or inside a model. The names are imported when first used,
so that numbers do not wait for matplotlib.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from elman.insight.by_hand import bptt, worked_example
    from elman.insight.computation import computational_graph
    from elman.insight.computation_plot import plot_computation
    from elman.insight.flow import gradient_flow
    from elman.insight.flow_plot import plot_gradient_flow
    from elman.insight.hidden_units import units
    from elman.insight.memory_problems import Problem, memory_problem
    from elman.insight.parity_view import parity_states
    from elman.insight.remedies import REMEDIES, Budget, compare
    from elman.insight.remedies_plot import plot_remedies
    from elman.insight.slow_points import fixed_points
    from elman.insight.state_space import states
    from elman.insight.states_plot import plot_parity, plot_states
    from elman.insight.style import new_figure, save_figure
    from elman.insight.text_view import coloured, html_page, nearest_table, save_html, terminal_view
    from elman.insight.units_plot import plot_units
    from elman.insight.unrolled import unroll
    from elman.insight.unrolled_plot import frames, plot_unrolled
    from elman.insight.watch import Watch, figures
    from elman.insight.whole_graph import model_graph

_HOMES = {
    "Budget": "remedies",
    "REMEDIES": "remedies",
    "Problem": "memory_problems",
    "Watch": "watch",
    "bptt": "by_hand",
    "coloured": "text_view",
    "compare": "remedies",
    "computational_graph": "computation",
    "figures": "watch",
    "fixed_points": "slow_points",
    "frames": "unrolled_plot",
    "gradient_flow": "flow",
    "html_page": "text_view",
    "memory_problem": "memory_problems",
    "model_graph": "whole_graph",
    "nearest_table": "text_view",
    "new_figure": "style",
    "parity_states": "parity_view",
    "plot_computation": "computation_plot",
    "plot_gradient_flow": "flow_plot",
    "plot_parity": "states_plot",
    "plot_remedies": "remedies_plot",
    "plot_states": "states_plot",
    "plot_units": "units_plot",
    "plot_unrolled": "unrolled_plot",
    "save_figure": "style",
    "save_html": "text_view",
    "states": "state_space",
    "terminal_view": "text_view",
    "units": "hidden_units",
    "unroll": "unrolled",
    "worked_example": "by_hand",
}

__all__ = [
    "REMEDIES",
    "Budget",
    "Problem",
    "Watch",
    "bptt",
    "coloured",
    "compare",
    "computational_graph",
    "figures",
    "fixed_points",
    "frames",
    "gradient_flow",
    "html_page",
    "memory_problem",
    "model_graph",
    "nearest_table",
    "new_figure",
    "parity_states",
    "plot_computation",
    "plot_gradient_flow",
    "plot_parity",
    "plot_remedies",
    "plot_states",
    "plot_units",
    "plot_unrolled",
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
    value = getattr(import_module(f"elman.insight.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(set(globals()) | set(_HOMES))
