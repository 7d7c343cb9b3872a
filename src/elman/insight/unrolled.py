"""The network unrolled: made as many times as there are steps, with each copy's values and gradients.

The lecture's "Unfold network through time by making copies at each time-step": inputs x_t, states h_t,
outputs y_t and costs C_t going forward, dC/dx_t, dC/dh_t and dC/dy_t coming back, and the weights that all
copies share, each copy with its own contribution to their gradient.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.rnn import PackedSequence

from elman.errors import UserError, optional_imports
from elman.insight.bptt import Gradients, gradients, seeds
from elman.insight.jacobians.base import Contributions
from elman.insight.recording import Call, call, recording
from elman.insight.trace import traces, turned
from elman.nn.registry import weight_path

if TYPE_CHECKING:
    from rich.table import Table

StepLoss = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class LayerSteps:
    """One layer in one direction, by the step of the sequence that it read (also where it read from the end).

    Attributes:
        name: "rnn.l0", "rnn.l1.reverse".
        reverse: it read the sequence from its end.
        h: (T, H) the hidden state after reading x_t.
        grad_h: (T, H) dC/dh_t, with what comes back through the other steps.
        c, grad_c: the same for the LSTM's cell; None for others.
        h0, grad_h0: (H,) the state before the first step read.
    """

    name: str
    reverse: bool
    h: Tensor
    grad_h: Tensor
    c: Tensor | None
    grad_c: Tensor | None
    h0: Tensor
    grad_h0: Tensor


@dataclass(frozen=True)
class SharedWeight:
    """A weight that every step uses; its gradient is the sum of what each step contributes.

    Attributes:
        name: the parameter's, "rnn.weight_hh_l0".
        value: the weight: (G*H, N), or (G*H,) for a bias.
        gradient: dC/dW, of the shape of the weight.
        by_step: (T,) the norm of each step's contribution, by the step of the sequence.
        of_step: what step t (from 0) of the sequence contributes, of the shape of the weight.
    """

    name: str
    value: Tensor
    gradient: Tensor
    by_step: Tensor
    of_step: Callable[[int], Tensor]


@dataclass(frozen=True)
class Unrolled:
    """A network unrolled over one sequence; all tensors are on the CPU.

    Attributes:
        tokens: what to call each step's input, or nothing.
        x, grad_x: (T, I) the recurrent layer's input, and dC/dx_t.
        layers: every layer and direction.
        y, grad_y: (T, O) the model's outputs, or (1, O) where it answers once, at the end; and dC/dy_t.
        costs: C_t of each row of y; C is their sum.
        weights: what all steps share.
    """

    tokens: tuple[str, ...]
    x: Tensor
    grad_x: Tensor
    layers: tuple[LayerSteps, ...]
    y: Tensor
    grad_y: Tensor
    costs: Tensor
    weights: tuple[SharedWeight, ...]

    @property
    def cost(self) -> float:
        """C."""
        return float(self.costs.sum())

    @property
    def steps(self) -> int:
        """T."""
        return len(self.x)

    def short_name(self, layer: LayerSteps) -> str:
        """What tells the layer from the others: "" for the only one, "l0", "l1.reverse"."""
        return "" if len(self.layers) == 1 else "l" + layer.name.rpartition(".l")[2]

    def output_row(self, t: int) -> int | None:
        """Give the row of `y` that step t (from 0) answers with, or None."""
        return t if len(self.y) == self.steps else 0 if t == self.steps - 1 else None

    def table(self) -> Table:
        """Show it in the terminal, a row a step: short vectors in full, long ones by their norm."""
        with optional_imports():
            from rich.table import Table

        table = Table(title=f"{self.steps} copies of one network; C = {self.cost:.4g}", title_justify="left")
        table.caption_justify = "left"
        table.add_column("t", justify="right")
        if self.tokens:
            table.add_column("token")
        names = ["x", *(f"h {self.short_name(layer)}".strip() for layer in self.layers), "y"]
        for name in names:
            table.add_column(f"{name}\nvalue")
            table.add_column(f"dC/d{name.split()[0]}\ngradient", style="italic")
        table.add_column("C_t", justify="right")
        for t in range(self.steps):
            row, at = [str(t + 1)], self.output_row(t)
            row += [repr(self.tokens[t])[1:-1]] if self.tokens else []
            pairs = [(self.x[t], self.grad_x[t]), *((layer.h[t], layer.grad_h[t]) for layer in self.layers)]
            row += [brief(v) for pair in pairs for v in pair]
            row += ["", "", ""] if at is None else [brief(self.y[at]), brief(self.grad_y[at]), f"{self.costs[at]:.4g}"]
            table.add_row(*row)
        norms = ", ".join(f"{w.name} {float(w.gradient.norm()):.3g}" for w in self.weights)
        table.caption = f"shared by all steps, with the norm of the summed gradient: {norms}"
        return table


def brief(vector: Tensor) -> str:
    """Write a vector of up to three numbers in full, a longer one as its norm."""
    if len(vector) <= 3:
        return " ".join(f"{v:.3g}" for v in vector.tolist())
    return f"‖{float(vector.norm()):.3g}‖"


def unroll(
    model: nn.Module,
    x: Any,
    target: Tensor | None = None,
    *,
    loss: StepLoss | None = None,
    tokens: Sequence[str] = (),
    layer: str | None = None,
) -> Unrolled:
    """Unroll `model` over one sequence: all values forward, all gradients backward.

    Arguments:
        model: a recurrent layer of a registered kind, or a model that calls one, once; or several, and `layer` is
            unrolled.
        x: what the model takes, for one sequence; a tuple or a dict gives its arguments.
        target: (T, ...) for each y_t, or (1, ...) where the model answers once; a whole number that is -100
            leaves that y_t without a cost.
        loss: called with y_t, (O,), and its target, gives C_t. If not given: cross-entropy where the targets
            are whole numbers, else half the squared distance. Without a target C is the sum of the last y.
        tokens: what to call each step's input, such as the characters of a text.
        layer: the recurrent module that is unrolled, by its path in the model, where there are several.

    Raises:
        UserError: no recurrent layer, or several and no choice, more than one sequence, targets or tokens that do not
            fit, weights that are not finite, or a model on another device.
    """
    with recording(model) as calls, torch.enable_grad():
        out = call(model, x)
        one = _only(calls, layer)
        y = _rows(out, len(one.x))
        costs = _costs(y, target, loss)
        cost = costs.sum()
    if tokens and len(tokens) != len(one.x):
        raise UserError(f"there are {len(tokens)} tokens for T={len(one.x)} steps: give one for each step")
    (grad_y,) = torch.autograd.grad(cost, y, retain_graph=True)
    found = gradients(traces(one), seeds([one], cost)[0])
    flat = [g for row in found for g in row]
    inputs = one.x[:, 0].cpu()
    return Unrolled(
        tokens=tuple(tokens),
        x=inputs,
        grad_x=sum((_in_order(g, g.x()) for g in found[0]), torch.zeros_like(inputs)),
        layers=tuple(map(_layer, flat)),
        y=y.detach().cpu(),
        grad_y=grad_y.cpu(),
        costs=costs.detach().cpu(),
        weights=tuple(weight for g in flat for weight in _weights(one, g)),
    )


def _only(calls: list[Call], layer: str | None) -> Call:
    if layer is not None:
        calls = [one for one in calls if one.name == layer]
    if len(calls) != 1:
        names = ", ".join(c.name for c in calls) or "none"
        raise UserError(
            f"the model called recurrent layers {len(calls)} times ({names}): "
            "unroll a model, or a part of one, that calls one layer once"
        )
    if calls[0].x.shape[1] != 1 or not len(calls[0].x):
        T, B, _ = calls[0].x.shape
        raise UserError(f"unroll takes one sequence of at least one step, not B={B} of T={T}")
    return calls[0]


def _rows(out: Any, steps: int) -> Tensor:
    """Bring what a model returned into (T, O) or (1, O)."""
    if isinstance(out, tuple) and not isinstance(out, PackedSequence):
        out = out[0]
    y = out.data if isinstance(out, PackedSequence) else out
    if not isinstance(y, Tensor) or y.dim() == 0:
        raise UserError("the model returns no output to unroll: give the part of it that returns y, not the cost")
    y = y.reshape(-1, y.shape[-1]) if y.dim() > 1 else y[None]
    if len(y) not in (1, steps):
        raise UserError(f"the model returns {len(y)} outputs for T={steps} steps: it should be one, or one for each")
    return y


def _costs(y: Tensor, target: Tensor | None, loss: StepLoss | None) -> Tensor:
    if target is None:
        if loss is not None:
            raise UserError("a loss needs a target to compare with: pass target=")
        return y[-1:].sum(-1) if len(y) == 1 else torch.cat((torch.zeros_like(y[:-1, 0]), y[-1:].sum(-1)))
    if len(target) != len(y):
        raise UserError(f"there are {len(target)} targets for {len(y)} outputs: give one for each")
    if loss is None:
        loss = _half_square if target.is_floating_point() else _cross_entropy
    return torch.stack([loss(a, b) for a, b in zip(y, target, strict=True)])


def _cross_entropy(y: Tensor, target: Tensor) -> Tensor:
    return F.cross_entropy(y, target, reduction="sum")  # the mean over no target at all would not be a number


def _half_square(y: Tensor, target: Tensor) -> Tensor:
    return (y - target).square().sum() / 2


def _in_order(g: Gradients, steps: Tensor) -> Tensor:
    """Bring (T, 1, N) from the order of the layer's steps into that of the sequence, (T, N)."""
    return (turned(steps, g.trace.lengths) if g.trace.cell.reverse else steps)[:, 0].cpu()


def _layer(g: Gradients) -> LayerSteps:
    trace, cell, grad_c = g.trace, g.trace.cell, g.c()
    first = trace.jacobians.vjp(0, g.total[0])[0, : cell.hidden_size]
    c = None if grad_c is None else cell.states(trace.x, trace.h, trace.state)[..., cell.hidden_size :]
    return LayerSteps(
        name=cell.name,
        reverse=cell.reverse,
        h=_in_order(g, trace.h),
        grad_h=_in_order(g, g.h()),
        c=None if c is None else _in_order(g, c),
        grad_c=None if grad_c is None else _in_order(g, grad_c),
        h0=trace.state[0, : cell.hidden_size].cpu(),
        grad_h0=first.cpu(),
    )


def _weights(one: Call, g: Gradients) -> list[SharedWeight]:
    trace, cell = g.trace, g.trace.cell
    owner = f"{one.path}." if one.path else ""
    found = []
    parts = trace.jacobians.weight_gradients(cell, trace.x[:, 0], trace.h_before[:, 0], g.total)
    for name, part in parts.items():

        def of_step(t: int, part: Contributions = part) -> Tensor:
            return part.of_step(len(trace.h) - 1 - t if cell.reverse else t).cpu()

        found.append(
            SharedWeight(
                name=owner + weight_path(one.module, name, cell.layer, cell.direction),
                value=cell.weights[name].cpu(),
                gradient=part.gradient.cpu(),
                by_step=(part.by_step.flip(0) if cell.reverse else part.by_step).cpu(),
                of_step=of_step,
            )
        )
    return found
