"""Follow the gradient while a network trains: a few metrics every N steps, and one warning."""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import nn

from elman.errors import UserError
from elman.insight.gradient_flow import GradientFlow, gradient_flow
from elman.insight.recording import Loss
from elman.insight.verdict import headline, what_to_try

BUDGET = 0.05  # of the training time


class GradientMonitor:
    """Follow the gradient flow during training.

        monitor = GradientMonitor(every=100)
        for step, batch in enumerate(batches):
            ...                                           # one training step
            metrics = monitor(step, model, batch, loss)   # {} but for every 100th step

    `benchmarks/insight.py` measures what one inspection costs, in training steps. It leaves gradients, modes and random
    numbers as they were, and adds no metric that a resumed run would not add. A warning comes once for each of
    vanishing and exploding, and once if the inspections take more than 5 % of the time.

    Arguments:
        every: steps from one inspection to the next.
        warn: called with a warning's one line; None: `warnings.warn`.
        remedies: what to try, by state ("vanishing", "exploding", ...), in place of the general advice.

    Raises:
        UserError: `every` is less than 1.
    """

    def __init__(
        self,
        every: int = 100,
        warn: Callable[[str], None] | None = None,
        remedies: Mapping[str, str] | None = None,
    ) -> None:
        if every < 1:
            raise UserError(f"`watch` is {every}; the gradient is followed every 1 or more steps")
        self.every = every
        self.remedies = dict(remedies or {})
        self.warned: set[str] = set()
        self._warn = warn or (lambda line: warnings.warn(line, stacklevel=3))
        self._begin = time.perf_counter()
        self._spent = 0.0
        self._inspections = 0

    @property
    def share(self) -> float:
        """The share of the time since this was made that went into inspections."""
        return self._spent / max(time.perf_counter() - self._begin, 1e-9)

    def due(self, step: int) -> bool:
        """Say whether step number `step`, counted from 0, is one to inspect."""
        return (step + 1) % self.every == 0

    def __call__(self, step: int, model: nn.Module, batch: Any, loss: Loss | None = None) -> dict[str, float]:
        """Inspect, if `step` is due, and give the metrics by name; else an empty dictionary.

        Arguments:
            model: not wrapped for several processes; a wrapper would wait for the other processes.
            batch, loss: as for `gradient_flow`.

        Raises:
            UserError: as `gradient_flow`.
        """
        if not self.due(step):
            return {}
        begin = time.perf_counter()
        devices = {p.device for p in model.parameters() if p.device.type != "cpu"}
        with torch.random.fork_rng(devices, device_type=next(iter(devices)).type if devices else "cuda"):
            flow = gradient_flow(model, batch, loss, jacobians=False)
        found = gradient_metrics(flow)
        self._spent += time.perf_counter() - begin
        self._inspections += 1
        self._judge(step, flow)
        return found

    def _judge(self, step: int, flow: GradientFlow) -> None:
        layer = flow.worst
        if layer.state != "steady":
            self.once(layer.state, f"step {step + 1}: {headline(layer)}; {what_to_try(layer, self.remedies)}")
        if self._inspections > 2 and self.share > BUDGET:
            more = math.ceil(self.every * self.share / BUDGET)
            self.once(
                "slow", f"following the gradient takes {self.share:.0%} of the time; `watch={more}` would take 5 %"
            )

    def once(self, what: str, line: str) -> None:
        """Warn with `line`, unless a warning of this kind came before."""
        if what not in self.warned:
            self.warned.add(what)
            self._warn(line)


def gradient_metrics(flow: GradientFlow) -> dict[str, float]:
    """Name the metrics of a flow that are worth a line in a table, for each layer.

    `near` and `far` are the norms of dC/dh at the last and first step, `left` the share of the last step's
    gradient that is carried to the first, `a_step` its factor a step, `saturated` the share of saturated
    units (the gate with the most), `w_hh` the largest singular value of W_hh (the gate with the largest). A cell whose
    step does not tell the last two has the others.
    """
    found = {}
    for layer in flow.layers:
        ends = [float(layer.gradient[k]) for k in (0, -1)] if len(layer.gradient) else [0.0, 0.0]
        values = {"near": ends[0], "far": ends[1], "left": layer.ratio, "a_step": layer.factor}
        if layer.most_saturated is not None:
            values["saturated"] = layer.most_saturated[1]
        if layer.weights:
            values["w_hh"] = max(weight.largest for weight in layer.weights)
        found.update({f"flow/{layer.name}/{name}": value for name, value in values.items()})
    return found
