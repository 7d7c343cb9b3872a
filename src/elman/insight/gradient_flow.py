"""Gradient flow: how much of a loss reaches a step far before it, why, and what to try."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from elman.errors import UserError, optional_imports
from elman.insight.bptt import Gradients, gradients, norms, seeds
from elman.insight.jacobians.products import jacobian_products
from elman.insight.jacobians.recurrent_weights import recurrent_weights
from elman.insight.layer_flow import LayerFlow
from elman.insight.recording import Call, Loss, cost_of, recording
from elman.insight.trace import traces
from elman.insight.verdict import amount, verdict

if TYPE_CHECKING:
    from rich.console import Group


class TooShortError(UserError):
    """There is no second step to carry a gradient to."""


@dataclass(frozen=True)
class GradientFlow:
    """What `gradient_flow` found.

    Attributes:
        cost: the cost C on the batch.
        steps: T, of the longest sequence.
        layers: every recurrent layer and direction of the model.
        remedies: what to try, by state ("vanishing", "exploding", ...), where the settings of the run are known.
    """

    cost: float
    steps: int
    layers: tuple[LayerFlow, ...]
    remedies: Mapping[str, str] = field(default_factory=dict)

    @property
    def worst(self) -> LayerFlow:
        """The layer that the verdict speaks of."""
        order = ("not finite", "exploding", "no gradient", "vanishing", "steady")
        return min(self.layers, key=lambda layer: (order.index(layer.state), layer.ratio))

    @property
    def verdict(self) -> str:
        """What happens to the gradient, with the numbers, and what to try, in one sentence."""
        return verdict(self.worst, self.cost, self.remedies)

    def table(self, verdict: str | None = None) -> Group:
        """Show the verdict and the numbers in the terminal: `rich.print(flow.table())`.

        Arguments:
            verdict: the sentence to begin with, where the caller words it otherwise.
        """
        return flow_table(self, self.verdict if verdict is None else verdict)


def gradient_flow(
    model: nn.Module,
    batch: Any,
    loss: Loss | None = None,
    *,
    sequences: int = 2,
    exact: bool | None = None,
    jacobians: bool = True,
    tolerance: float = 1e-2,
    remedies: Mapping[str, str] | None = None,
) -> GradientFlow:
    """Follow the gradient of the cost back through every recurrent layer of `model`.

    Arguments:
        model: a recurrent layer of a registered kind, or a model with such layers in it.
        batch: what the model, or `loss`, takes.
        loss: called with the model and the batch, gives the cost; see `recording.cost_of` for what happens
            without.
        sequences: for how many sequences (the longest) the products of Jacobians are worked out.
        exact: singular values by products in full (True), by iteration (False), or by size (None).
        jacobians: leave them out, and the spectral radius, when False.
        tolerance: the share of a singular value that the iteration's residual may have.
        remedies: what to try, by state ("vanishing", "exploding", ...), in place of the general advice, for a verdict
            that knows the settings of the run.

    Raises:
        UserError: no recurrent layer, weights that are not finite, T = 1, or a batch on another device.
    """
    with recording(model) as calls, torch.enable_grad():
        cost = cost_of(model, batch, loss)
    if not calls:
        raise UserError("the cost never calls the model's recurrent layer: pass a loss that runs the model")
    chosen = _longest(calls)
    found = dict(zip(map(id, calls), seeds(calls, cost), strict=True))
    layers = [
        _layer(one, sequences if jacobians else 0, exact, tolerance)
        for call in chosen
        for row in gradients(traces(call), found[id(call)])
        for one in row
    ]
    return GradientFlow(float(cost.detach()), max(int(c.lengths.max()) for c in chosen), tuple(layers), remedies or {})


def _longest(calls: list[Call]) -> list[Call]:
    """Take each module's longest call, the first of equals; a call of one step has nothing to carry."""
    chosen: dict[str, Call] = {}
    for call in calls:
        if len(call.x) > 1 and call.x.shape[1] and (call.name not in chosen or len(call.x) > len(chosen[call.name].x)):
            chosen[call.name] = call
    if not chosen:
        first = calls[0]
        raise TooShortError(
            f"{first.name} was given T={len(first.x)} step and B={first.x.shape[1]} sequences: "
            "gradient flow needs at least 2 steps in one call and 1 sequence"
        )
    return list(chosen.values())


@torch.no_grad()
def _layer(found: Gradients, sequences: int, exact: bool | None, tolerance: float) -> LayerFlow:
    cell, ends, c = found.trace.cell, found.ends, found.c()
    spectra = None
    if sequences and int(ends.max()) > 0:
        rows = ends.argsort(descending=True, stable=True)[:sequences].tolist()
        rows = [b for b in rows if int(ends[b]) > 0]
        last = [int(ends[b]) for b in rows]
        window = found.trace.of(rows).jacobians.window(list(range(len(rows))), last, min(last) + 1)
        spectra = jacobian_products(window, exact, tolerance)
    return LayerFlow(
        name=cell.name,
        kind=cell.kind.name,
        label=cell.map.label,
        gated=cell.kind.gated,
        state_parts=cell.kind.state,
        gates=cell.map.gates,
        gradient=_by_distance(norms(found.h()), ends),
        cell_gradient=None if c is None else _by_distance(norms(c), ends),
        carried=_by_distance(found.carried(), ends),
        jacobians=spectra,
        weights=recurrent_weights(cell, radius=sequences > 0),
        saturated=found.trace.saturated(),
    )


def _by_distance(norms: Tensor, ends: Tensor) -> Tensor:
    """Average the norms (T, B) by distance from each sequence's end: (D,) float64."""
    d = torch.arange(int(ends.max()) + 1, device=ends.device)[:, None]
    there = d <= ends
    picked = norms.gather(0, (ends - d).clamp_min(0)) if len(d) else norms[:0]
    return (torch.where(there, picked, 0).sum(1) / there.sum(1)).cpu()


def flow_table(flow: GradientFlow, verdict: str) -> Group:
    """Lay out a verdict and every layer's numbers, in 80 columns."""
    with optional_imports():
        from rich.console import Group
        from rich.table import Table
        from rich.text import Text

    norms = Table("layer", "kind", title="Gradient", title_justify="left")
    for heading in ("‖dC/dh‖\nnear", "‖dC/dh‖\nfar", "carried,\nfar/near", "mean,\na step", "under\n1 % after"):
        norms.add_column(heading, justify="right")
    weights = Table("layer", "gate", title="Recurrent weights", title_justify="left")
    for heading in ("largest\nsing. value", "spectral\nradius", "1/γ", "saturated"):
        weights.add_column(heading, justify="right")
    for layer in flow.layers:
        near, far = (f"{float(layer.gradient[k]):.2g}" if len(layer.gradient) else "-" for k in (0, -1))
        reach = "never" if layer.reach is None else f"{layer.reach} steps"
        norms.add_row(layer.name, layer.label, near, far, amount(layer.ratio), f"{layer.factor:.3g}", reach)
        for w in layer.weights:
            share = f"{layer.saturated[w.gate]:.0%}" if w.gate in layer.saturated else "-"
            weights.add_row(layer.name, w.gate, f"{w.largest:.3g}", f"{w.radius:.3g}", f"{w.bound:g}", share)
    return Group(Text(verdict, style="bold"), norms, weights)
