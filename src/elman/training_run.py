"""A training from the outside: settings and data become a run in a folder, or a run goes on."""

from __future__ import annotations

import contextlib
import functools
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from elman.atomic_io import remove_leftovers
from elman.errors import UserError, optional_imports
from elman.export.at_path import check_task
from elman.run import load
from elman.tasks import task_module
from elman.training.checks.data_digest import check_digest, save_digest
from elman.training.checks.settings_table import settings_of
from elman.training.distributed.launcher import number_of_processes, one_in_place_of_several, restarts
from elman.training.predicting.inputs import named
from elman.training.progress import display
from elman.training.run_folder import RunFolder
from elman.training.run_lock import RunLock, check_idle
from elman.training.settings import Choice, write_choices
from elman.training.task import Task

if TYPE_CHECKING:
    from accelerate import Accelerator

    from elman.training.loop import Result
    from elman.training.search.halving import Outcome
    from elman.training.settings import TrainingSettings

log = logging.getLogger("elman")
ONE_PROCESS = "accelerate launch has started one process; for two on processors: torchrun `nproc_per_node=2` -m elman"


def train(
    task_name: str,
    settings: TrainingSettings | Mapping[str, Any],
    out: str | Path,
    *,
    resume: bool = False,
    since: float | None = None,
) -> Result:
    """Train a model into the folder `out`, or go on with the run that is there, to more steps if so many are asked for.

    Everything is read and checked before the folder is made, so that a mistake leaves nothing behind. Of several
    processes the first one writes; what one of them refuses all refuse.

    Arguments:
        task_name: "series", and the other names of `elman train`.
        settings: the task's `Settings`, or a dictionary of them: {"data": "reviews.csv", "steps": 500}.
        resume: go on with the run in the folder. Under a launcher that starts what fails again (torchrun's
            max-restarts), which knows one command alone, it begins where there is none.
        since: the `time.perf_counter()` from which `minutes` count; that of the call by default.

    Raises:
        UserError: wrong data, a folder that holds another run, settings that do not fit the run to resume.
    """
    since = time.perf_counter() if since is None else since
    module = task_module(task_name)
    asked: TrainingSettings = settings_of(module.Settings, settings) if isinstance(settings, Mapping) else settings
    if not isinstance(asked, module.Settings):
        wanted = f"{module.Settings.__module__}.{module.Settings.__name__}"
        raise UserError(f"`settings` is {named(asked)}; the task {task_name} takes {wanted}, or a dictionary")
    folder = RunFolder(Path(out))
    if number_of_processes() == 1:
        if one_in_place_of_several():
            log.warning("%s", ONE_PROCESS)
        with display().doing("reading the data"):
            task = _task_to_resume(task_name, asked, folder) if resume else module.Task.new(asked)
        with optional_imports():
            from elman.training.optim import start_accelerator
        return _train(task_name, task, asked, folder, start_accelerator(task.settings), since, resume=resume)

    with optional_imports():
        from elman.training.distributed.agreement import agreed, first_alone_speaks, noticing_lost_processes
        from elman.training.distributed.processes import from_first
        from elman.training.optim import check_shares, start_accelerator

    accelerator = start_accelerator(asked)
    with noticing_lost_processes(accelerator), first_alone_speaks(accelerator):
        if resume and restarts():  # as the first one sees it: it may begin while another still looks
            resume = bool(from_first(folder.exists(), accelerator))
        with agreed(accelerator):
            task = _task_to_resume(task_name, asked, folder) if resume else module.Task.new(asked)
            check_shares(task.settings, accelerator)
        return _train(task_name, task, asked, folder, accelerator, since, resume=resume)


def _train(
    task_name: str,
    task: Task[Any],
    asked: TrainingSettings,
    folder: RunFolder,
    accelerator: Accelerator,
    since: float,
    *,
    resume: bool,
) -> Result:
    """Train a task that is new or is to go on."""
    with optional_imports():
        from elman.training.distributed.agreement import agreed, prepare_others
        from elman.training.loop import train as train_loop
        from elman.training.monitoring.advice import what_to_try
        from elman.training.run_state import NotFiniteError
        from elman.training.search.search import searched
        from elman.training.search.time_limit import TimeLimit

    outcomes: list[Outcome] = []
    limit = TimeLimit(asked.minutes, since) if asked.minutes and not resume else None
    searches = not resume and bool(asked.minutes or asked.tune)
    if resume and asked.minutes:
        log.info("`minutes` were for the training that began; it goes on to its %s steps", f"{task.settings.steps:,}")
    if searches:
        _check_free(folder)  # before minutes are spent
        if description := task.understood():
            log.info("%s", description.brief())
        task, outcomes = searched(task, asked, accelerator, limit)
    with contextlib.ExitStack() as held:
        # data are read before the loop sets the random state: what reading draws must not differ in a resumed run
        with agreed(accelerator):
            if accelerator.is_main_process:
                if resume:
                    _go_on(task_name, task, folder, held)
                else:
                    _begin(task_name, task, folder, held, outcomes, described=searches)
        if accelerator.num_processes > 1:
            prepare_others(task, folder.path, accelerator)
        if limit:
            limit.changed = functools.partial(_plan_again, task_name, task, folder)
        try:
            result = train_loop(task, task.settings, folder, accelerator, resume=resume, limit=limit)
        except KeyboardInterrupt:
            if not folder.checkpoint.exists():
                log.warning("nothing is saved yet in %s; the same command begins again", folder.path)
            raise
        except NotFiniteError as error:
            raise UserError(f"{error}; {what_to_try(error, task.settings, folder)}") from error
        if accelerator.is_main_process:
            with display().doing("drawing how it went"):
                finish(task, folder)
    return result


def _begin(
    task_name: str,
    task: Task[Any],
    folder: RunFolder,
    held: contextlib.ExitStack,
    outcomes: Sequence[Outcome],
    *,
    described: bool,
) -> None:
    """Read the data, and make a run of the folder, which is locked for as long as `held` lasts."""
    from elman.training.monitoring.advice import what_was_read
    from elman.training.search.halving import write_outcomes

    _check_free(folder)
    _prepare(task)
    told = what_was_read(task, described=described)
    lock = held.enter_context(RunLock(folder.path))
    remove_leftovers(folder.path, alone=True)
    _make_run(task_name, task, folder, lock)
    write_outcomes(folder.path, outcomes)
    for line in told:
        log.info("%s", line)


def _go_on(task_name: str, task: Task[Any], folder: RunFolder, held: contextlib.ExitStack) -> None:
    """The same for a run that is there, whose data must not have changed."""
    _prepare(task)
    held.enter_context(RunLock(folder.path))
    remove_leftovers(folder.path, alone=True)
    _check_resumed(task_name, task, folder)


def _prepare(task: Task[Any]) -> None:
    with display().doing("preparing the data, and what to compare with"):
        task.prepare()


def _plan_again(task_name: str, task: Task[Any], folder: RunFolder, settings: TrainingSettings, reason: str) -> None:
    """Go on to another number of steps: written down before a step that the old one would not explain."""
    task.settings = replace(task.settings, steps=settings.steps)
    steps = Choice("steps", settings.steps, reason)
    task.choices = [steps if one.setting == "steps" else one for one in task.choices]
    write_choices(folder.path, task.choices)
    folder.write_settings(task_name, task.settings)


def _check_free(folder: RunFolder) -> None:
    """Raise a UserError where a run is there already, or one is being trained, which says more."""
    if folder.exists():
        check_idle(folder.path)
    folder.check_free()


def _check_resumed(task_name: str, task: Task[Any], folder: RunFolder) -> None:
    """Raise a UserError where the data have changed; where more steps are asked for, write them down."""
    check_digest(folder.path, task.learned_from())
    if task.settings.steps != folder.read()[1].get("steps"):
        folder.write_settings(task_name, task.settings)  # before a step that they would not explain


def _task_to_resume(task_name: str, settings: TrainingSettings, folder: RunFolder) -> Task[Any]:
    """The task of a run that is to go on.

    Raises:
        UserError: it is of another task or other settings, or a file is missing or damaged.
    """
    from elman.training.checks.sizes import check_sizes

    check_task(folder.path, task_name)
    folder.check_same(settings)
    settings = settings.filled_from(folder.read()[1])
    goes_on = folder.has_checkpoint()
    if goes_on:
        check_sizes(settings, folder.checkpoint)
    task: Task[Any] = task_module(task_name).Task.load(folder.path, settings)
    task.begins = not goes_on
    return task


def _make_run(task_name: str, task: Task[Any], folder: RunFolder, lock: RunLock) -> None:
    """Write all that a run needs, and last the settings, which make a run of the folder."""
    folder.check_free()  # another training may have been quicker
    folder.clear_begun()
    lock.keep = True
    task.save(folder.path)
    if task.choices or task.settings.by_data:
        write_choices(folder.path, task.choices)
    save_digest(folder.path, task.learned_from())
    folder.write_settings(task_name, task.settings)
    lock.keep = False


def finish(task: Task[Any], folder: RunFolder) -> None:
    """Draw what shows how training went; without the plotting packages only say so, since the run is complete."""
    try:
        task.finish(folder, load(folder.path).model)
    except UserError as error:
        log.warning("the run is complete, but not all of its plots: %s", error)
