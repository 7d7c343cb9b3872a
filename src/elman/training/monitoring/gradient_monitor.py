"""The setting `watch`: look at the gradient flow while the loop trains, and name the option that mends what goes wrong.

What is looked at is the batch that comes next, with the state that is carried into it: a resumed run has both.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from accelerate import Accelerator
from torch import Tensor, nn

from elman.insight.gradient_flow import TooShortError
from elman.insight.monitor import GradientMonitor
from elman.insight.recording import recurrent_layers
from elman.nn.registry import cell_kind
from elman.training.settings import TrainingSettings
from elman.training.task import Carry, Task

SEQUENCES = 8  # of a batch, which are looked at: the means hardly change with more, the cost does


class MonitorHook:
    """Look at the gradient flow every `settings.watch` steps, in the first process alone.

    Arguments:
        model: not wrapped for several processes: a wrapper would wait for the others.
        warn: called with a warning's one line.

    Raises:
        UserError: the model has no recurrent layer.
    """

    def __init__(
        self,
        task: Task[Any],
        settings: TrainingSettings,
        model: nn.Module,
        accelerator: Accelerator,
        warn: Callable[[str], None],
    ) -> None:
        self._task, self._model, self._warn = task, model, warn
        shares = accelerator.num_processes * settings.gradient_accumulation_steps
        self._parts = max(shares, settings.effective_batch_size // SEQUENCES)
        self._sequences = settings.effective_batch_size // self._parts
        self._watch: GradientMonitor | None = None
        if settings.watch and accelerator.is_main_process:
            recurrent_layers(model)
            self._watch = GradientMonitor(settings.watch, warn, remedies(settings))

    def due(self, step: int) -> bool:
        """Say whether to look after `step` steps."""
        return self._watch is not None and self._watch.due(step - 1)

    def __call__(self, step: int, carry: Carry) -> dict[str, float]:
        """Give the figures by name; none where the sequences have one step only, over which nothing is carried.

        Arguments:
            step: steps taken so far.
            carry: the state that the next step's first micro-batch starts from.
        """
        assert self._watch is not None
        batch = self._task.batch(step, 0, self._parts)
        dtype = next(self._model.parameters()).dtype  # the state may come from autocast
        state = tuple(part[:, : self._sequences].to(dtype) for part in carry)

        def cost(model: nn.Module, batch: Any) -> Tensor:
            loss = self._task.loss(model, batch, state)
            mean: Tensor = loss.total / (max(loss.count, 1) * self._parts)  # their share of the whole batch's mean
            return mean

        try:
            return self._watch(step - 1, self._model, batch, cost)
        except TooShortError as error:
            self._watch.once("short", f"step {step}: {error}")
            return {}


WHOLLY_RIGHT = ("accuracy", "whole_right")
"""Metrics of validation that are 1 where every answer is right."""


def remedies_of_run(settings: TrainingSettings, metrics: Mapping[str, Any]) -> dict[str, str]:
    """The same as `remedies`, and for a run that does its job that it needs none.

    Arguments:
        metrics: of the validation part, as the weights' header has them.
    """
    found = remedies(settings)
    if right := next((name for name in WHOLLY_RIGHT if metrics.get(name) == 1), None):
        none = f"the run needs no mending for it: every answer of its validation part is right (validation {right} 1)"
        found |= {"vanishing": none, "exploding": none}
    return found


def remedies(settings: TrainingSettings) -> dict[str, str]:
    """What to try, by the state of the gradient flow: settings that this task has and this run does not use yet."""
    kind = cell_kind(getattr(settings, "cell", "rnn"))
    shorter = getattr(settings, "chunk", 0) // 2
    direct = _unused(settings, readout="mean", supervise="every")  # a loss, or an answer, nearer to early steps
    chosen = getattr(settings, "init", "auto") != "auto"  # auto is orthogonal where there are no gates
    orthogonal = _unused(settings, init="orthogonal") if chosen and "init" in kind.options else []
    residual = _unused(settings, residual=True) if "residual" in kind.options else []
    steadier = ["`cell=rnn` `residual`"] if kind.gated else [*residual, "`cell=gru`"]
    clip = f"`clip_norm={settings.clip_norm / 10 or 1:g}`"
    chunk = [f"`chunk={shorter}`"] if shorter > 1 else []
    slower = f"`lr={min(settings.lr / 4, type(settings).lr):g}`"  # a class's field is its default
    dead = _unused(settings, nonlinearity="tanh") if "nonlinearity" in kind.options else []
    return {
        "vanishing": _any_of([*orthogonal, *steadier, *direct]),
        "exploding": _any_of([clip, *orthogonal, *chunk, slower]),
        "not finite": _any_of([slower, clip, *orthogonal]),
        "no gradient": _any_of([*dead, slower]),
    }


def _unused(settings: TrainingSettings, **wanted: str | bool) -> list[str]:
    """The settings among `wanted` that the settings have, with another value."""
    new = {name: value for name, value in wanted.items() if getattr(settings, name, value) != value}
    return [f"`{name}`" if value is True else f"`{name}={value}`" for name, value in new.items()]


def _any_of(settings: list[str]) -> str:
    *most, last = settings
    return f"try {', '.join(most)} or {last}" if most else f"try {last}"
