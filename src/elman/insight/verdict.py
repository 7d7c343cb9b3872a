"""The verdict on a gradient flow in words, and its table."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from rich.console import Group
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from elman.insight.flow import GradientFlow, LayerFlow

# What to try, by the names of the command line's options; elman.RNN and the training settings use the same.
TRY = {
    "not finite": "go back to a checkpoint before that, with a lower --lr and a smaller --clip-norm",
    "exploding": "clip the gradient (--clip-norm 1), start W_hh orthogonal (--init orthogonal), or lower --lr",
    "no gradient": "look for a detach, or for units that are all saturated or all at zero",
    "vanishing": "start W_hh orthogonal (--init orthogonal), add the identity connection (--residual), or use gates "
    "(--cell gru)",
    "steady": "nothing needs mending here",
}
TRY_GATED = "start the forget gate's bias at 1 or more, or let the answer look at early states (mean, max, attention)"


def verdict(flow: GradientFlow) -> str:
    """Say what happens to the gradient, with the numbers, and what to try, in one sentence."""
    layer = flow.worst
    far = len(layer.carried) - 1
    if not math.isfinite(flow.cost):
        return f"The cost is {flow.cost}, so no gradient is finite; {TRY['not finite']}."
    return f"{headline(layer, far)}{_why(layer)}; {what_to_try(layer)}."


def what_to_try(layer: LayerFlow) -> str:
    """Say what mends the state that `layer` is in."""
    return TRY_GATED if layer.state == "vanishing" and layer.kind in ("LSTM", "GRU") else TRY[layer.state]


def headline(layer: LayerFlow, far: int) -> str:
    """Say what happens in `layer` over `far` steps."""
    if layer.state == "no gradient":
        return f"No gradient reaches {layer.name}"
    if layer.state == "not finite":
        return f"The gradient is not finite in {layer.name}"
    if far == 0:
        return f"The loss reaches the first step of {layer.name} only, so there is no distance to judge"
    change = f"{amount(layer.ratio)} over {far} steps, {layer.factor:.3g} a step"
    if layer.state == "exploding":
        top = float(layer.carried.max() / layer.carried[0])
        return f"Gradients explode in {layer.name}: times {amount(top)} at most within {far} steps"
    if layer.state == "vanishing":
        return f"Gradients vanish in {layer.name}: times {change}, under 1 % after {layer.reach} steps"
    return f"Gradients flow in {layer.name}: times {change}"


def amount(value: float) -> str:
    """Write a factor briefly: 0.42, 3.1e-07, and 0 as what it is, too small for a float."""
    return "less than a float can hold" if value == 0 else f"{value:.2g}"


def _why(layer: LayerFlow) -> str:
    weight, facts = layer.weights[0], []
    if weight.certain:
        then = "below 1/γ = 1: vanishing is certain"
        if not weight.vanishing_is_certain:
            then = "not below 1/γ = 1: exploding is possible, vanishing not certain"
        facts.append(f"the largest singular value of W_hh is {weight.largest:.3g}, {then}")
    gate, share = max(layer.saturated.items(), key=lambda item: item[1])
    if share >= 0.01:
        units = "units" if gate == "h" else f"{gate} gates"
        facts.append(f"{share:.0%} of the {units} are {'at zero' if layer.kind == 'relu' else 'saturated'}")
    return f" ({'; '.join(facts)})" if facts else ""


def flow_table(flow: GradientFlow) -> Group:
    """Lay out every layer's figures, in 80 columns."""
    norms = Table("layer", "kind", title="Gradient", title_justify="left")
    for heading in ("‖dC/dh‖\nnear", "‖dC/dh‖\nfar", "carried,\nfar/near", "a step", "under\n1 % after"):
        norms.add_column(heading, justify="right")
    weights = Table("layer", "gate", title="Recurrent weights", title_justify="left")
    for heading in ("largest\nsing. value", "spectral\nradius", "1/γ", "saturated"):
        weights.add_column(heading, justify="right")
    for layer in flow.layers:
        near, far = (f"{float(layer.gradient[k]):.2g}" if len(layer.gradient) else "-" for k in (0, -1))
        reach = "never" if layer.reach is None else f"{layer.reach} steps"
        norms.add_row(layer.name, layer.kind, near, far, amount(layer.ratio), f"{layer.factor:.3g}", reach)
        for w in layer.weights:
            share = f"{layer.saturated[w.gate]:.0%}"
            weights.add_row(layer.name, w.gate, f"{w.largest:.3g}", f"{w.radius:.3g}", f"{w.bound:g}", share)
    return Group(Text(flow.verdict, style="bold"), norms, weights)
