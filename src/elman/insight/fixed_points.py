"""Fixed and slow points of a recurrent layer under a constant input, and the dynamics around them.

Sussillo and Barak, "Opening the black box: low-dimensional dynamics in high-dimensional recurrent neural networks"
(2013): minimise the speed q(s) = ½ ‖F(s) - s‖² from many states that the network went through. Where q reaches zero is
a fixed point; a minimum where it stays small but above zero is a slow point. The eigenvalues of dF/ds there say what
happens nearby: inside the unit circle perturbations die out, outside they grow.

The minimisation is by Levenberg and Marquardt's method, which is made for sums of squares and needs no step size.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from elman.errors import UserError, optional_imports
from elman.insight.jacobians.cell import Cell
from elman.insight.jacobians.linearise import step_jacobians
from elman.insight.state_space import StateSpace

if TYPE_CHECKING:
    from rich.table import Table

FIXED = 1e-9  # speed, per root of the number of units, under which a point counts as fixed
SLOW = 1e-2  # and as slow
STARTS = 64
ROUNDS = 200


@dataclass(frozen=True)
class FixedPoints:
    """K points at which a layer's map stands still, or nearly so, each found once; float64.

    Attributes:
        x: (I,) the constant input.
        state: (K, S) the points.
        speed: (K,) ‖F(s) - s‖, the way that the state goes in one step.
        eigenvalues: (K, S) complex, of dF/ds, the largest absolute value first.
        starts: (K,) how many of the starting states led to each.
    """

    x: Tensor
    state: Tensor
    speed: Tensor
    eigenvalues: Tensor
    starts: Tensor

    def __len__(self) -> int:
        return len(self.state)

    @property
    def kinds(self) -> tuple[str, ...]:
        """Of each point "stable", "saddle" or "unstable" (some, or all, eigenvalues outside the circle), or "slow"."""
        found = []
        limit = FIXED * self.state.shape[-1] ** 0.5
        for speed, values in zip(self.speed.tolist(), self.eigenvalues.abs(), strict=True):
            outside = int((values >= 1).sum())
            kind = "stable" if not outside else "unstable" if outside == len(values) else "saddle"
            found.append(kind if speed <= limit else "slow")
        return tuple(found)

    @property
    def summary(self) -> str:
        """How many there are of each kind, and the largest eigenvalue, as part of a sentence."""
        kinds = self.kinds
        if not kinds:
            return "no fixed or slow point"
        slow = kinds.count("slow")
        fixed = len(kinds) - slow
        parts = [f"{kinds.count(kind)} {kind}" for kind in ("stable", "saddle", "unstable") if kind in kinds]
        found = f"{fixed} fixed point{'s' * (fixed != 1)}" + (f" ({', '.join(parts)})" if parts else "")
        if slow:
            found += f" and {slow} slow one{'s' * (slow != 1)}"
        return f"{found}, largest eigenvalue {float(self.eigenvalues.abs().max()):.2g} in size"

    def table(self) -> Table:
        """Show the points in the terminal, the slowest first."""
        with optional_imports():
            from rich.table import Table

        table = Table(title=f"Under a constant input: {self.summary}", title_justify="left")
        table.add_column("kind")
        for heading in (
            "speed\n‖F(s) - s‖",
            "starts that\ncame here",
            "outside the\nunit circle",
            "largest\neigenvalues",
        ):
            table.add_column(heading, justify="right")
        for kind, speed, starts, values in zip(
            self.kinds, self.speed.tolist(), self.starts.tolist(), self.eigenvalues, strict=True
        ):
            outside = int((values.abs() >= 1).sum())
            largest = ", ".join(_complex(value) for value in values[:2].tolist())
            table.add_row(kind, f"{speed:.1e}", str(starts), f"{outside} of {len(values)}", largest)
        return table


def _complex(value: complex) -> str:
    return f"{value.real:.3f}" + (f"{value.imag:+.3f}i" if value.imag else "")


@torch.no_grad()
def fixed_points(
    where: StateSpace | Cell,
    x: Tensor | None = None,
    starts: Tensor | None = None,
    *,
    rounds: int = ROUNDS,
    slow: float = SLOW,
    progress: Callable[[int], None] | None = None,
) -> FixedPoints:
    """Look for the fixed and slow points of a layer.

    Arguments:
        where: the states to start from, or the bare weights of a layer (then pass `starts`).
        x: (I,) the input that stays constant; zero if not given.
        starts: (N, S) states to start from; 64 of those that `where` went through if not given.
        rounds: steps of the minimisation, at most.
        slow: report points up to this speed, per root of the number of units.
        progress: called with how many steps of the minimisation are done; the last ones may not be needed.

    Raises:
        UserError: the input or the starting states have the wrong size, or there are none.
    """
    cell = where if isinstance(where, Cell) else where.cell
    cell = cell.to(torch.float64, "cpu")
    if starts is None:
        starts = where.visited(STARTS) if isinstance(where, StateSpace) else torch.zeros(0, cell.state_size)
    x = torch.zeros(cell.input_size) if x is None else x
    if not len(starts) or starts.shape[-1] != cell.state_size or x.shape != (cell.input_size,):
        raise UserError(
            f"{cell.name} takes states of {cell.state_size} numbers and inputs of {cell.input_size}; "
            f"got starts {tuple(starts.shape)} and x {tuple(x.shape)}"
        )
    x = x.double().cpu()
    state = _minimised(cell, x, starts.double().cpu(), rounds, progress or (lambda done: None))
    speed = (_moved(cell, x, state) - state).norm(dim=-1)
    keep = speed <= max(slow, FIXED) * cell.state_size**0.5
    state, speed, counts = _distinct(state[keep], speed[keep])
    values = torch.linalg.eigvals(_jacobian(cell, x, state))
    order = values.abs().argsort(dim=-1, descending=True)
    return FixedPoints(x, state, speed, values.gather(-1, order), counts)


def _moved(cell: Cell, x: Tensor, state: Tensor) -> Tensor:
    return cell.step(state, cell.drive(x).expand(len(state), -1))


def _jacobian(cell: Cell, x: Tensor, state: Tensor) -> Tensor:
    """Give dF/ds at N states, (N, S, S)."""
    h = _moved(cell, x, state)[:, : cell.hidden_size]
    return step_jacobians(cell, x.expand(1, len(state), -1), h[None], state).matrix(0)


def _minimised(cell: Cell, x: Tensor, state: Tensor, rounds: int, progress: Callable[[int], None]) -> Tensor:
    """Minimise the speed from each state: (JᵀJ + λ I) step = -Jᵀ r, λ smaller where a step helped.

    States from which no step helps any more are left out of the rounds that follow.
    """
    one = torch.eye(cell.state_size, dtype=torch.float64)
    found = state.clone()
    going = torch.arange(len(state))
    damping = torch.full((len(state), 1, 1), 1e-2, dtype=torch.float64)
    rest = _moved(cell, x, state) - state
    for done in range(1, rounds + 1):
        slope = _jacobian(cell, x, state) - one
        normal, pull = slope.mT @ slope, slope.mT @ rest[..., None]
        step = torch.linalg.solve(normal + damping * one, -pull)[..., 0]
        tried = state + step
        new = _moved(cell, x, tried) - tried
        better = (new.norm(dim=-1) < rest.norm(dim=-1))[:, None]
        state, rest = torch.where(better, tried, state), torch.where(better, new, rest)
        damping = torch.where(better[..., None], damping * 0.2, damping * 5).clamp(1e-14, 1e8)
        found[going] = state
        stuck = (~better | (step.norm(dim=-1, keepdim=True) < 1e-14))[:, 0] & (damping >= 1e8)[:, 0, 0]
        there = rest.norm(dim=-1) < 1e-15 * cell.state_size**0.5
        progress(done)
        keep = ~(stuck | there)
        if not bool(keep.any()):
            break
        going, state, rest, damping = going[keep], state[keep], rest[keep], damping[keep]
    return found


def _distinct(state: Tensor, speed: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Keep one of all points that lie within a thousandth of the states' size of each other, the slowest first."""
    order = speed.argsort(stable=True)
    near = 1e-3 * max(float(state.norm(dim=-1).mean()) if len(state) else 0.0, 1e-3)
    kept: list[int] = []
    counts: list[int] = []
    for k in order.tolist():
        distances = [float((state[k] - state[other]).norm()) for other in kept]
        if distances and min(distances) < near:
            counts[distances.index(min(distances))] += 1
        else:
            kept.append(k)
            counts.append(1)
    return state[kept], speed[kept], torch.tensor(counts, dtype=torch.int64)
