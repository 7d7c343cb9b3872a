"""Backpropagation through time by hand: every number of the backward pass of one small vanilla layer.

The equations are those at the top of `elman/kernels/reference.py`, for one sequence, without lengths or mask;
`docs/backward.md` derives them and works through `worked_example`. T steps, I inputs, H hidden units.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from elman.errors import UserError, optional_imports

if TYPE_CHECKING:
    from rich.table import Table


@dataclass(frozen=True)
class BackwardStep:
    """What happens at step t, forward and backward; each vector (H,) unless it says otherwise.

    Attributes:
        t: the step, from 1.
        x: (I,) the input.
        h_before: h_(t-1).
        a: W_ih x_t + b + W_hh h_(t-1).
        h: h_t = tanh(a_t).
        cost: C_t = ½ ‖h_t - target_t‖².
        from_loss: dC_t/dh_t = h_t - target_t.
        from_later: c_t = W_hh^T delta_(t+1), what comes back from the steps after t; zero at the last.
        total: g_t = from_loss + from_later = dC/dh_t.
        slope: f'(a_t) = 1 - h_t².
        delta: delta_t = g_t * f'(a_t) = dC/da_t.
    """

    t: int
    x: Tensor
    h_before: Tensor
    a: Tensor
    h: Tensor
    cost: float
    from_loss: Tensor
    from_later: Tensor
    total: Tensor
    slope: Tensor
    delta: Tensor

    @property
    def grad_w_ih(self) -> Tensor:
        """What this step contributes to dC/dW_ih: delta_t x_t^T, (H, I)."""
        return torch.outer(self.delta, self.x)

    @property
    def grad_w_hh(self) -> Tensor:
        """What this step contributes to dC/dW_hh: delta_t h_(t-1)^T, (H, H)."""
        return torch.outer(self.delta, self.h_before)


@dataclass(frozen=True)
class Backward:
    """The backward pass over all steps.

    Attributes:
        steps: from the first to the last.
        grad_h0: dC/dh_0 = W_hh^T delta_1, (H,).
        grad_x: dC/dx_t = W_ih^T delta_t, (T, I).
    """

    steps: tuple[BackwardStep, ...]
    grad_h0: Tensor
    grad_x: Tensor

    @property
    def cost(self) -> float:
        """C, the sum of all C_t."""
        return sum(step.cost for step in self.steps)

    @property
    def grad_w_ih(self) -> Tensor:
        """dC/dW_ih, (H, I): the sum of what the steps contribute."""
        return torch.stack([step.grad_w_ih for step in self.steps]).sum(0)

    @property
    def grad_w_hh(self) -> Tensor:
        """dC/dW_hh, (H, H)."""
        return torch.stack([step.grad_w_hh for step in self.steps]).sum(0)

    @property
    def grad_b(self) -> Tensor:
        """dC/db, (H,): the sum of delta_t."""
        return torch.stack([step.delta for step in self.steps]).sum(0)

    def table(self) -> Table:
        """Show the pass in the terminal, in the order in which it runs: the last step first."""
        with optional_imports():
            from rich.table import Table

        title = f"C = {self.cost:.4f}; read from the top, the last step comes first"
        table = Table(title=title, title_justify="left", box=None, collapse_padding=True)
        for heading in ("t", "x_t", "a_t", "h_t", "from loss", "from later", "g_t", "1 - h_t²", "delta_t"):
            table.add_column(heading.replace(" l", "\nl"), justify="right")
        for s in reversed(self.steps):
            vectors = (s.x, s.a, s.h, s.from_loss, s.from_later, s.total, s.slope, s.delta)
            table.add_row(str(s.t), *("\n".join(f"{v:.4f}" for v in vector.tolist()) for vector in vectors))
        return table


def bptt(x: Tensor, h0: Tensor, w_ih: Tensor, w_hh: Tensor, b: Tensor, target: Tensor) -> Backward:
    """Go forward through h_t = tanh(W_ih x_t + W_hh h_(t-1) + b), back from C = Σ_t ½ ‖h_t - target_t‖².

    Arguments:
        x: (T, I).
        h0: (H,).
        w_ih, w_hh, b: (H, I), (H, H), (H,).
        target: (T, H).

    Raises:
        UserError: no step, or shapes that do not fit.
    """
    T, H = len(x), len(h0)
    shapes = {"w_ih": (H, x.shape[-1]), "w_hh": (H, H), "b": (H,), "target": (T, H)}
    for name, tensor in (("w_ih", w_ih), ("w_hh", w_hh), ("b", b), ("target", target)):
        if tensor.shape != shapes[name]:
            raise UserError(f"{name} has shape {tuple(tensor.shape)}; x and h0 ask for {shapes[name]}")
    if not T:
        raise UserError("x has no step: give at least one")
    a, h = [], [h0]
    for t in range(T):
        a.append(w_ih @ x[t] + b + w_hh @ h[t])
        h.append(torch.tanh(a[t]))
    from_later, steps = torch.zeros_like(h0), list[BackwardStep]()
    for t in reversed(range(T)):
        from_loss, slope = h[t + 1] - target[t], 1 - h[t + 1] ** 2
        total = from_loss + from_later
        delta = total * slope
        cost = float(from_loss @ from_loss) / 2
        steps.append(BackwardStep(t + 1, x[t], h[t], a[t], h[t + 1], cost, from_loss, from_later, total, slope, delta))
        from_later = w_hh.T @ delta
    steps.reverse()
    return Backward(tuple(steps), from_later, torch.stack([w_ih.T @ step.delta for step in steps]))


def worked_example() -> Backward:
    """Work through the example of `docs/backward.md`: three steps, one input, two hidden units."""

    def numbers(*rows: object) -> Tensor:
        return torch.tensor(rows, dtype=torch.float64)

    return bptt(
        x=numbers([1.0], [0.0], [-1.0]),
        h0=numbers(0.0, 0.0),
        w_ih=numbers([0.5], [-0.3]),
        w_hh=numbers([0.8, 0.2], [-0.4, 0.6]),
        b=numbers(0.1, 0.0),
        target=numbers([0.0, 0.0], [0.5, 0.0], [0.0, 0.5]),
    )
