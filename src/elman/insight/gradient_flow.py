"""Gradient flow: how much of a loss reaches a step far before it, why, and what to try.

The bounds are those of Pascanu, Mikolov and Bengio, "On the difficulty of training recurrent neural networks"
(2013), section 2.1: with gamma the steepest slope of the nonlinearity, a largest singular value of W_hh below
1/gamma is enough for gradients to vanish, and one above it is needed for them to explode.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from elman.errors import UserError
from elman.insight.bptt import Gradients, gradients, norms, seeds, traces
from elman.insight.cell_jacobians import GATES, Cell
from elman.insight.jacobians import SMALL, JacobianProducts, jacobian_products
from elman.insight.lanczos import largest_singular_value
from elman.insight.recording import Call, Loss, cost_of, recording
from elman.insight.threads import one_thread

if TYPE_CHECKING:
    from rich.console import Group


class TooShortError(UserError):
    """There is no second step to carry a gradient to."""


VANISHED = 1e-3  # of the gradient at the last step, where the first step gets less
EXPLODED = 1e2  # times the gradient at the last step, where some step gets more


@dataclass(frozen=True)
class RecurrentWeight:
    """The part of W_hh that feeds one gate, (H, H).

    Attributes:
        gate: "h" for a vanilla layer, else the gate's name.
        largest: its largest singular value.
        radius: its spectral radius, the largest absolute value of an eigenvalue.
        gamma: the steepest slope of the gate's nonlinearity: 1 for tanh and relu, 1/4 for the logistic
            sigmoid.
        certain: whether the theorem speaks of this layer: the plain vanilla form only.
    """

    gate: str
    largest: float
    radius: float
    gamma: float
    certain: bool

    @property
    def bound(self) -> float:
        """1/gamma: a largest singular value below it makes vanishing certain, above it exploding possible."""
        return 1 / self.gamma

    @property
    def vanishing_is_certain(self) -> bool:
        return self.certain and self.largest < self.bound


@dataclass(frozen=True)
class LayerFlow:
    """The gradient in one layer, in one direction.

    Distances count steps back from the last step that a loss reaches, for each sequence its own; norms are
    Euclidean, and means over the sequences that are long enough.

    Attributes:
        name: "rnn.l0", "rnn.l1.reverse".
        kind: "tanh", "relu", "LSTM" or "GRU".
        gradient: (D,) norm of dC/dh_t at distance 0, 1, ...; empty where no gradient arrives.
        cell_gradient: (D,) the same for dC/dc_t; the LSTM's only.
        carried: (D,) norm of the part that arrives at the last step and is carried back by this layer's
            recurrence alone. Where the loss stands at the last step only it is the whole; where every step
            has a loss it shows what `gradient` hides. For the LSTM with respect to the pair (h_t, c_t).
        jacobians: singular values of dh_t/dh_k; for the LSTM of d(h, c)_t/d(h, c)_k.
        weights: W_hh, gate by gate.
        saturated: gate to the share of its values, over all steps, beyond which less than 2 % (tanh) or 4 %
            (logistic) of the steepest slope is left; for relu the share that is 0.
    """

    name: str
    kind: str
    gradient: Tensor
    cell_gradient: Tensor | None
    carried: Tensor
    jacobians: JacobianProducts | None
    weights: tuple[RecurrentWeight, ...]
    saturated: dict[str, float]

    @property
    def ratio(self) -> float:
        """What is left of the carried gradient at the greatest distance, as a share of that at distance 0."""
        return float(self.carried[-1] / self.carried[0]) if len(self.carried) else 0.0

    @property
    def factor(self) -> float:
        """The carried gradient's mean factor from one step to the one before it."""
        alive = int((self.carried > 0).sum())
        if alive < 2:
            return 0.0
        return float((self.carried[alive - 1].log() - self.carried[0].log()).div(alive - 1).exp())

    @property
    def reach(self) -> int | None:
        """The first distance at which less than 1 % of the carried gradient is left, or None."""
        below = (self.carried < 0.01 * self.carried[:1]).nonzero()
        return int(below[0]) if len(below) else None

    @property
    def state(self) -> str:
        """One of "no gradient", "not finite", "exploding", "vanishing", "steady"."""
        if not len(self.carried):
            return "no gradient"
        if not bool(self.carried.isfinite().all()):
            return "not finite"
        if float(self.carried.max()) > EXPLODED * float(self.carried[0]):
            return "exploding"
        return "vanishing" if self.ratio < VANISHED else "steady"


@dataclass(frozen=True)
class GradientFlow:
    """What `gradient_flow` found.

    Attributes:
        cost: the cost C on the batch.
        steps: T, of the longest sequence.
        layers: every recurrent layer and direction of the model.
    """

    cost: float
    steps: int
    layers: tuple[LayerFlow, ...]

    @property
    def worst(self) -> LayerFlow:
        """The layer that the verdict speaks of."""
        order = ("not finite", "exploding", "no gradient", "vanishing", "steady")
        return min(self.layers, key=lambda layer: (order.index(layer.state), layer.ratio))

    @property
    def verdict(self) -> str:
        """What happens to the gradient, with the numbers, and what to try, in one sentence."""
        return verdict_of(self)

    def table(self) -> Group:
        """Show the numbers in the terminal: `rich.print(flow.table())`."""
        return flow_table(self)


def gradient_flow(
    model: nn.Module,
    batch: Any,
    loss: Loss | None = None,
    *,
    sequences: int = 2,
    exact: bool | None = None,
    jacobians: bool = True,
    tolerance: float = 1e-2,
) -> GradientFlow:
    """Follow the gradient of the cost back through every recurrent layer of `model`.

    Arguments:
        model: an elman.RNN, torch.nn.RNN, LSTM or GRU, or a model with such layers in it.
        batch: what the model, or `loss`, takes.
        loss: called with the model and the batch, gives the cost; see `layers.cost_of` for what happens
            without.
        sequences: for how many sequences (the longest) the products of Jacobians are worked out.
        exact: singular values by products in full (True), by iteration (False), or by size (None).
        jacobians: leave them out, and the spectral radius, when False.
        tolerance: the share of a singular value that the iteration's residual may have.

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
    return GradientFlow(float(cost.detach()), max(int(c.lengths.max()) for c in chosen), tuple(layers))


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
        window = found.trace.of(rows).local().window(list(range(len(rows))), last, min(last) + 1)
        spectra = jacobian_products(window, exact, tolerance)
    return LayerFlow(
        name=cell.name,
        kind=cell.kind,
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


@one_thread()
def recurrent_weights(cell: Cell, radius: bool = True) -> tuple[RecurrentWeight, ...]:
    """Measure W_hh, gate by gate.

    Arguments:
        radius: without it the spectral radius, which takes longest, is nan, and the largest singular value of a
            large W_hh comes by iteration, at most a thousandth below the true one and as a rule a millionth.
    """
    w_hh = cell.w_hh if cell.w_hh.dtype == torch.float64 else cell.w_hh.float()
    parts = w_hh.cpu().chunk(len(GATES[cell.kind]))
    return tuple(
        RecurrentWeight(
            gate=gate,
            largest=_largest(part, exact=radius or len(part) <= SMALL),
            radius=float(torch.linalg.eigvals(part).abs().max()) if radius else math.nan,
            gamma=1.0 if gate in ("h", "cell", "new") else 0.25,
            certain=gate == "h" and not cell.residual and cell.gain is None,
        )
        for gate, part in zip(GATES[cell.kind], parts, strict=True)
    )


def _largest(matrix: Tensor, exact: bool) -> float:
    if exact:
        return float(torch.linalg.matrix_norm(matrix, 2))
    start = torch.randn(1, len(matrix), generator=torch.Generator().manual_seed(0)).to(matrix)
    unscaled = torch.zeros(1, dtype=torch.float64)
    jvp, vjp = (lambda v: (v @ matrix.T, unscaled)), (lambda v: (v @ matrix, unscaled))
    return float(largest_singular_value(jvp, vjp, start, 1e-3, len(matrix))[0])


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


def verdict_of(flow: GradientFlow) -> str:
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
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

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
