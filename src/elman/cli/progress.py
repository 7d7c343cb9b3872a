"""Progress on a terminal: a bar with loss, speed and time left; where nobody is looking, a line for each evaluation."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from elman.cli.messages import console, printable, say
from elman.training.progress import Bar, Display

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress

LONG = 100
"""Pieces of work from which on a bar is worth its line."""


class TerminalDisplay(Display):
    """Progress on standard error; rich is imported when there is something to show."""

    def training(self, steps: int, start: int, unit: str) -> Bar:
        """The bar of a training."""
        err = console(stderr=True)
        return TrainingBar(err, steps, start, unit) if err.is_terminal else LineByLine()

    @contextmanager
    def counting(self, description: str, total: int) -> Iterator[Callable[[int], None]]:
        """A bar for work that can be counted; none where it is short or nobody is looking."""
        err = console(stderr=True)
        if total < LONG or not err.is_terminal:
            yield lambda done: None
            return
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (
            TextColumn(description),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
        )
        with Progress(*columns, console=err) as bar:
            task = bar.add_task("", total=total)
            yield lambda done: bar.update(task, completed=done)

    def text(self, piece: str) -> None:
        """Write the piece at once."""
        print(printable(piece), end="", file=sys.stderr, flush=True)


class LineByLine(Bar):
    """One line for each evaluation, for logs and pipes."""

    def line(self, text: str) -> None:
        """Say how the evaluation went."""
        say(text)


class TrainingBar(Bar):
    """A progress bar, and a line above it for each evaluation."""

    def __init__(self, err: Console, steps: int, start: int, unit: str) -> None:
        self._unit = unit
        self._progress = _training_progress(err)
        self._task = self._progress.add_task("training", total=steps, completed=start, metrics="")

    def __enter__(self) -> Bar:
        self._progress.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._progress.stop()

    def step(self, done: int) -> None:
        """Move the bar."""
        self._progress.update(self._task, completed=done)

    def metrics(self, loss: float, speed: float) -> None:
        """Show loss and speed beside the bar."""
        self._progress.update(self._task, metrics=f"training loss {loss:.4f}  {speed:,.0f} {self._unit}/s")

    def evaluating(self, now: bool) -> None:
        """Say what is going on."""
        self._progress.update(self._task, description="evaluating" if now else "training")

    def line(self, text: str) -> None:
        """Show the line above the bar."""
        self._progress.console.print(printable(text))


def _training_progress(err: Console) -> Progress:
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns: tuple[Any, ...] = (
        TextColumn("[bold]{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[metrics]}", markup=False),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(elapsed_when_finished=False),
    )
    return Progress(*columns, console=err)
