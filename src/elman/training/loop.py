"""The training loop: one step after the other, readable from top to bottom."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import torch
from accelerate import Accelerator
from torch import Tensor, nn

from elman.training.checkpoint import aside, check_carry, mend_best, restore, save_checkpoint, save_weights
from elman.training.checks.sizes import build_to_train
from elman.training.distributed.accumulation import backward, shares
from elman.training.distributed.agreement import agreed, naming_the_process
from elman.training.distributed.processes import from_first, share_model
from elman.training.lr_schedule import BestTracker, learning_rate
from elman.training.monitoring.gradient_monitor import MonitorHook
from elman.training.monitoring.metrics_log import MetricsLog
from elman.training.monitoring.tensorboard import Scalars
from elman.training.optim import build_optimizer, clip
from elman.training.progress import Bar, Display, display
from elman.training.run_folder import RunFolder
from elman.training.run_state import TrainState, accumulate, check_weights, evaluation_line, window_metrics
from elman.training.search.time_limit import Unlimited
from elman.training.settings import TrainingSettings
from elman.training.signals import Interrupt
from elman.training.task import Carries, Task


@dataclass(frozen=True)
class Result:
    """How a run ended."""

    steps: int
    metric: str
    best: float
    best_step: int
    seconds: float
    metrics: dict[str, float]  # the last evaluation's
    first_process: bool  # of several, the one that writes and shows


def train(
    task: Task[Any],
    settings: TrainingSettings,
    folder: RunFolder,
    accelerator: Accelerator,
    *,
    resume: bool = False,
    checkpoints: bool = True,
    limit: Unlimited | None = None,
) -> Result:
    """Train `task`'s model by `settings`, into `folder`.

    On several processes (torchrun, `accelerate launch`) each trains on its share of every batch.

    Arguments:
        resume: go on from the folder's checkpoint, to the same weights as a run that was never stopped.
        checkpoints: whether to save states to resume from, and metrics.csv; the best weights are saved in any case.
        limit: when training has to end, whatever `settings.steps` says; it may plan other steps.

    Raises:
        UserError: the loss is not finite, a file cannot be written, or the checkpoint does not fit.
        Interrupted: Ctrl-C or SIGTERM; the state is saved.
    """
    torch.manual_seed(settings.seed)
    bare = build_to_train(task.build_model).to(accelerator.device)
    optimizer = build_optimizer(bare, settings)
    model = share_model(bare, accelerator)
    torch.manual_seed(settings.seed + accelerator.process_index)  # dropout differs between processes
    state = TrainState(BestTracker(task.higher_is_better))
    carries: Carries = ()
    log = MetricsLog(folder.metrics)
    with agreed(accelerator):
        if resume and folder.has_checkpoint():
            own = shares(task, accelerator)
            carries = restore(folder, bare, optimizer, state, accelerator, own)
            check_carry(task, bare, carries, state.step, accelerator, own, folder.checkpoint)
            if accelerator.is_main_process:
                mend_best(task, bare, state.judge, state.step, folder)
            log = MetricsLog.resumed(folder.metrics, state.step)
    scalars = Scalars(folder, settings.tensorboard and accelerator.is_main_process)
    parameters = [p for p in bare.parameters() if p.requires_grad]
    metrics: dict[str, float] = {}

    def save() -> None:
        if not checkpoints:
            return
        if accelerator.is_main_process:
            log.write()  # first: rows past the checkpoint are dropped on resuming, rows short of it would be lost
        save_checkpoint(folder, bare, optimizer, state, carries, accelerator)

    def note(row: dict[str, float]) -> None:
        log.add({"step": state.step, **row})
        scalars.add(row, state.step)

    shown = display() if accelerator.is_main_process else Display()
    bar = shown.training(settings.steps, state.step, task.unit)
    watching = MonitorHook(task, settings, bare, accelerator, bar.warn)
    # Reading the loss makes a GPU wait, so there it is read with the log.
    check_every = 1 if accelerator.device.type == "cpu" else settings.log_every
    pending: list[tuple[Tensor, Tensor, int]] = []
    limit, over = limit or Unlimited(), False
    with bar, naming_the_process(accelerator), Interrupt(accelerator.num_processes == 1) as interrupt:
        clock = time.perf_counter()
        while not (over or state.step >= settings.steps or state.judge.out_of_patience(settings.patience)):
            rate = learning_rate(settings, state.step, state.judge.drops)
            for parameter_group in optimizer.param_groups:
                parameter_group["lr"] = rate
            loss = backward(task, model, parameters, state.step, carries, accelerator, interrupt.sent)
            carries = loss.carries
            interrupt.agree(loss.signal)
            grad_norm = clip(parameters, settings)
            optimizer.step()
            optimizer.zero_grad()
            pending.append((loss.total, grad_norm, loss.count))
            state.step += 1

            settings = limit.stepped(state.step, settings)
            bar.planned(settings.steps)
            over = limit.over(state.step, settings)
            last = over or state.step == settings.steps
            due = {
                name: last or state.step % getattr(settings, name) == 0
                for name in ("log_every", "eval_every", "checkpoint_every")
            }
            if len(pending) >= check_every or any(due.values()):
                accumulate(pending, state, accelerator)
                bar.step(state.step)
            state.window.seconds += time.perf_counter() - clock
            if due["log_every"]:
                row = window_metrics(state, rate, task.unit)
                bar.metrics(row["loss"], row[f"{task.unit}_per_second"])
                note(row)
            if watching.due(state.step):
                note(watching(state.step, carries[0]))
            stopping = interrupt.asked  # asked once: a signal that comes later waits for the next step
            saving = due["eval_every"] or due["checkpoint_every"] or stopping
            if saving:
                accumulate(pending, state, accelerator)
                check_weights(parameters, state)
            is_best = False
            if due["eval_every"]:
                start = time.perf_counter()
                metrics = evaluate(task, bare, accelerator, bar)
                limit.evaluated(time.perf_counter() - start)
                best_before = state.judge.best
                is_best = state.judge.update(metrics[task.metric], state.step, settings.schedule)
                note({f"validation_{name}": value for name, value in metrics.items()})
                bar.line(evaluation_line(state, task.metric, metrics, best_before))
            if saving:
                save()
            if is_best and accelerator.is_main_process:  # after the checkpoint, from which they can be made again
                save_weights(folder.weights, bare, {"step": state.step, **metrics})
            if stopping:
                accelerator.wait_for_everyone()  # a launcher ends all when one has ended
                raise interrupt.stopped(state.step, folder.path)
            clock = time.perf_counter()
    scalars.close()
    judge = state.judge
    assert judge.best is not None, "the last step evaluates"
    return Result(
        state.step, task.metric, judge.best, judge.best_step, state.seconds, metrics, accelerator.is_main_process
    )


def evaluate(task: Task[Any], model: nn.Module, accelerator: Accelerator, bar: Bar) -> dict[str, float]:
    """The task's figures on its validation part, computed by the first process, known to all."""
    bar.evaluating(True)
    metrics: dict[str, float] = {}
    if accelerator.is_main_process:
        with aside(model):
            metrics = task.evaluate(model)
    metrics[task.metric] = from_first(metrics.get(task.metric, 0.0), accelerator)  # so that all decide alike
    bar.evaluating(False)
    return metrics
