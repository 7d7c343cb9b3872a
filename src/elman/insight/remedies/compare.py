"""Remedies for vanishing and exploding gradients, compared on one problem: same data, same budget.

Each remedy stands alone, or together with others by a plus sign: "orthogonal+clip". What changes is the recurrent
layer, or how its gradient is treated; everything else, the batches included, is the same for all.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from elman.errors import UserError, optional_imports
from elman.insight.gradient_flow import gradient_flow
from elman.insight.remedies.problems import Problem
from elman.insight.remedies.remedy import Remedy, remedy, remedy_names

if TYPE_CHECKING:
    from rich.table import Table


@dataclass(frozen=True)
class Budget:
    """What each remedy gets.

    Attributes:
        steps: optimiser steps (Adam).
        seeds: one run for each.
        hidden_size: H.
        lr: the learning rate.
        clip_norm: for the remedy "clip".
        every: steps from one validation to the next.
    """

    steps: int = 1000
    seeds: tuple[int, ...] = (0, 1, 2)
    hidden_size: int = 64
    lr: float = 2e-3
    clip_norm: float = 1.0
    every: int = 50

    def __post_init__(self) -> None:
        if min(self.steps, self.hidden_size, self.every, len(self.seeds)) < 1 or min(self.lr, self.clip_norm) <= 0:
            raise UserError(f"a budget needs at least one of everything, and rates above zero: {self}")


@dataclass(frozen=True)
class RemedyRun:
    """One remedy with one seed.

    Attributes:
        losses: validation loss by step; it ends where the loss stopped being finite.
        flow_before, flow_after: (D,) the carried gradient by distance, as a share of that at distance 0, before
            training and after; empty where it was not finite.
        seconds: the training took.
    """

    losses: dict[int, float]
    flow_before: Tensor
    flow_after: Tensor
    seconds: float

    @property
    def final(self) -> float:
        """The best validation loss; inf if there is none."""
        return min(self.losses.values(), default=math.inf)

    @property
    def left(self) -> tuple[float, float]:
        """What is left of the gradient at the greatest distance, before training and after; nan if not finite."""
        before, after = (float(flow[-1]) if len(flow) else math.nan for flow in (self.flow_before, self.flow_after))
        return before, after


@dataclass(frozen=True)
class Comparison:
    """All remedies on one problem.

    Attributes:
        problem: what they were compared on.
        steps: of each run.
        runs: by remedy, one for each seed.
    """

    problem: Problem
    steps: int
    runs: dict[str, tuple[RemedyRun, ...]]

    def median_loss(self, name: str) -> float:
        """The median over the seeds of the best validation loss."""
        return median(run.final for run in self.runs[name])

    @property
    def finding(self) -> str:
        """Who solves the problem and who does not, in one sentence."""
        good = [name for name in self.runs if self.median_loss(name) < self.problem.solved]
        best = min(self.runs, key=self.median_loss)
        found = f"the best, {best}, comes to a loss of {self.median_loss(best):.3g}"
        problem = self.problem.name
        start = f"{', '.join(good)} solve{'s' * (len(good) == 1)} {problem}" if good else f"No remedy solves {problem}"
        return f"{start}, in {self.steps} training steps; {found} (chance {self.problem.chance:.3g})"

    def table(self) -> Table:
        """Show the runs in the terminal."""
        with optional_imports():
            from rich.table import Table

        table = Table(title=self.finding, title_justify="left")
        table.add_column("remedy")
        for heading in (
            "best loss\nmedian",
            "lowest to\nhighest",
            "gradient left\nbefore",
            "gradient left\nafter",
            "seconds\na run",
        ):
            table.add_column(heading, justify="right")
        for name, runs in self.runs.items():
            finals = [run.final for run in runs]
            spread = f"{min(finals):.3g} to {max(finals):.3g}"
            left = [f"{median(shares):.1e}" for shares in zip(*(run.left for run in runs), strict=True)]
            seconds = f"{median(run.seconds for run in runs):.1f}"
            table.add_row(name, f"{median(finals):.3g}", spread, *left, seconds)
        return table


class _Model(nn.Module):
    """A recurrent layer and a linear answer from its last state, or from every state."""

    def __init__(self, layer: nn.Module, hidden: int, problem: Problem, free: int) -> None:
        super().__init__()
        self.rnn, self.head = layer, nn.Linear(hidden, problem.outputs)
        self.every, self.free = problem.every, free

    def forward(self, x: Tensor) -> Tensor:
        """x (T, B, I) to answers (B, O) or (T, B, O); the first `free` steps run without gradients."""
        state: Any = None
        parts: list[Tensor] = []
        if self.free:
            with torch.no_grad():
                early, state = self.rnn(x[: self.free])
            parts.append(early)
        parts.append(self.rnn(x[self.free :], state)[0])
        answers: Tensor = self.head(torch.cat(parts) if self.every else parts[-1][-1])
        return answers


def compare(
    problem: Problem,
    *,
    remedies: Sequence[str] | None = None,
    budget: Budget | None = None,
    tell: Callable[[str], None] = lambda line: None,
    tick: Callable[[], None] = lambda: None,
) -> Comparison:
    """Train one network for each remedy and seed on the same batches: which one learns, and whose gradient lives.

    Ctrl-C ends it early: the remedies that are finished by then are compared, if there are any.

    Arguments:
        problem: what is learned.
        remedies: names of `remedy_names()`, or several joined by a plus sign; all if not given.
        budget: what each gets; `Budget()` if not given.
        tell: called with one line when a run ends.
        tick: called after every optimiser step.

    Raises:
        UserError: a remedy that is not known, two that exclude each other, or none.
    """
    names = remedy_names() if remedies is None else tuple(remedies)
    if not names:
        raise UserError(f"name at least one remedy: {', '.join(remedy_names())}")
    budget = budget or Budget()
    chosen = {name: remedy(name) for name in names}
    runs: dict[str, tuple[RemedyRun, ...]] = {}
    try:
        for name, one in chosen.items():
            found = []
            for seed in budget.seeds:
                found.append(_run(one, seed, problem, budget, tick))
                tell(f"{name}, seed {seed}: loss {found[-1].final:.4g} after {found[-1].seconds:.1f} s")
            runs[name] = tuple(found)
    except KeyboardInterrupt:
        if not runs:
            raise
        tell(f"stopped: {len(runs)} of {len(names)} remedies are finished, and are compared")
    return Comparison(problem, budget.steps, runs)


def _run(treated: Remedy, seed: int, problem: Problem, budget: Budget, tick: Callable[[], None]) -> RemedyRun:
    first, _ = problem.batches(seed, 0, "train")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        layer = treated.layer(first.shape[-1], budget.hidden_size)
        model = _Model(layer, budget.hidden_size, problem, int(len(first) * (1 - treated.share)))
    optimizer = torch.optim.Adam(model.parameters(), lr=budget.lr)
    held_out = problem.batches(seed, 0, "validation")
    before, begin, losses = _flow(model, problem, held_out), time.perf_counter(), dict[int, float]()
    for step in range(budget.steps):
        x, target = problem.batches(seed, step, "train")
        optimizer.zero_grad()
        problem.criterion(model(x), target).backward()  # type: ignore[no-untyped-call]
        norm = nn.utils.clip_grad_norm_(model.parameters(), budget.clip_norm if treated.clips else math.inf)
        if not bool(norm.isfinite()):
            break  # the next step would make every weight nan
        optimizer.step()
        if (step + 1) % budget.every == 0 or step + 1 == budget.steps:
            with torch.no_grad():
                losses[step + 1] = float(problem.criterion(model(held_out[0]), held_out[1]))
            if not math.isfinite(losses[step + 1]):
                del losses[step + 1]
                break
    return RemedyRun(losses, before, _flow(model, problem, held_out), time.perf_counter() - begin)


def _flow(model: _Model, problem: Problem, batch: tuple[Tensor, Tensor]) -> Tensor:
    """Give the carried gradient by distance over the whole length, as a share of that at distance 0."""
    free, model.free = model.free, 0
    try:
        flow = gradient_flow(model, batch, lambda m, b: problem.criterion(m(b[0]), b[1]), jacobians=False).layers[0]
    except UserError:  # weights that are not finite
        return torch.zeros(0)
    finally:
        model.free = free
    return flow.carried / flow.carried[:1]
