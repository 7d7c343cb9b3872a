"""What a gradient flow means, in words: what happens, with the numbers, and what to try."""

from __future__ import annotations

import math
from collections.abc import Mapping

from elman.insight.layer_flow import LayerFlow

# What to try, by the names of settings; elman.RNN has arguments of the same names.
TRY = {
    "not finite": "go back to a checkpoint before that, with a lower `lr` and a smaller `clip_norm`",
    "exploding": "clip the gradient (`clip_norm=1`), start W_hh orthogonal (`init=orthogonal`), or lower `lr`",
    "no gradient": "search for a detach, or for units that are all saturated or all at zero",
    "vanishing": "start W_hh orthogonal (`init=orthogonal`), add the identity connection (`residual=True`), or use "
    "gates (`cell=gru`)",
    "steady": "nothing needs mending here",
}
TRY_GATED = "start the forget gate's bias at 1 or more, or let the answer read early states (mean, max, attention)"


def verdict(layer: LayerFlow, cost: float, remedies: Mapping[str, str]) -> str:
    """Say what happens to the gradient in a layer, with the numbers, and what to try, in one sentence.

    Arguments:
        cost: the cost C.
        remedies: what to try, by state, in place of the general advice.
    """
    if not math.isfinite(cost):
        return f"The cost is {cost}, so no gradient is finite; {remedies.get('not finite', TRY['not finite'])}."
    return f"{headline(layer)}{_why(layer)}; {what_to_try(layer, remedies)}."


def what_to_try(layer: LayerFlow, remedies: Mapping[str, str]) -> str:
    """Say what mends the state that `layer` is in: by `remedies`, which know the settings, or in general."""
    if layer.state in remedies:
        return remedies[layer.state]
    return TRY_GATED if layer.state == "vanishing" and layer.gated else TRY[layer.state]


def headline(layer: LayerFlow) -> str:
    """Say what happens in `layer` over all steps, in a few words with the numbers."""
    far = len(layer.carried) - 1
    if layer.state == "no gradient":
        return f"No gradient reaches {layer.name}"
    if layer.state == "not finite":
        return f"The gradient is not finite in {layer.name}"
    if far == 0:
        return f"The loss reaches the first step of {layer.name} only, so there is no distance to judge"
    change = f"{amount(layer.ratio)} over {far} steps{_a_step(layer.factor, far, how=' on average')}"
    if layer.state == "exploding":
        top = float(layer.carried.max() / layer.carried[0])
        return f"Gradients explode in {layer.name}: times {amount(top)} at most within {far} steps"
    if layer.state == "vanishing":
        return f"Gradients vanish in {layer.name}: times {change}{_under_one_percent(layer)}"
    return f"Gradients flow in {layer.name}: times {change}"


def _a_step(factor: float, steps: int, *, how: str = "") -> str:
    """The mean factor of so many steps, with digits enough that its power is what they make together."""
    return f" ({factor:.{2 + len(str(steps))}g} a step{how})" if factor else ""


def _under_one_percent(layer: LayerFlow) -> str:
    """Where less than 1 % is left, how much it is: the first steps are often not as the others."""
    if layer.reach is None or layer.reach >= len(layer.carried) - 1:
        return ""
    left = float(layer.carried[layer.reach] / layer.carried[0])
    return f", under 1 % after {layer.reach}: times {amount(left)}{_a_step(left ** (1 / layer.reach), layer.reach)}"


def amount(value: float) -> str:
    """Write a factor briefly: 0.42, 3.1e-07, and 0 as what it is, too small for a float."""
    return "less than a float can hold" if value == 0 else f"{value:.2g}"


def _why(layer: LayerFlow) -> str:
    facts = []
    for weight in layer.weights[:1]:
        if weight.certain:
            then = "below 1/γ = 1: vanishing is certain"
            if not weight.vanishing_is_certain:
                then = "not below 1/γ = 1: exploding is possible, vanishing not certain"
            facts.append(f"the largest singular value of W_hh is {weight.largest:.3g}, {then}")
    gate, share = layer.most_saturated or ("", 0.0)
    if share >= 0.01:
        units = "units" if gate == "h" else f"{gate} gates"
        facts.append(f"{share:.0%} of the {units} are {layer.saturation(gate)}")
    return f" ({'; '.join(facts)})" if facts else ""
