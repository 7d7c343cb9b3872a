"""Progress on standard error: a bar on a terminal; where nobody is looking, a line for each evaluation or minute."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Lock, Thread
from typing import TYPE_CHECKING, Any

from elman.cli.messages import raw_error, say
from elman.training.progress import Bar, Display

if TYPE_CHECKING:
    from rich.progress import Progress

    from elman.cli.terminal.console import SafeConsole

LONG = 100
"""Pieces of work from which on a bar is worth its line."""
WIDE, NARROW = 110, 64
"""Columns of a terminal from which on a training has a bar and its speed, and the time that is left."""
QUIET_SECONDS = 30.0
"""Where there is no terminal: how long nothing is said while work goes on."""
BAR_AFTER = 1.0
"""Seconds that work goes on before it has a bar, which is taken away when it is done."""
SOON = 4.0
"""Seconds after which it is said what is done, where that cannot be counted."""


class TerminalDisplay(Display):
    """Progress on standard error; rich is imported when there is something to show.

    Arguments:
        into: the folder that a training goes into, where it is known.
    """

    def __init__(self, into: Path | None = None) -> None:
        self._into = into
        self._shown = Lock()  # a terminal has one bar at a time

    @contextmanager
    def doing(self, what: str) -> Iterator[None]:
        """A line after a few seconds, and others now and then, while nothing is counted."""
        ended = Event()

        def tell() -> None:
            begin, wait = time.monotonic(), SOON
            while not ended.wait(wait):
                if not self._shown.locked():
                    since = time.monotonic() - begin
                    say(f"{what} ..." if wait == SOON else f"{what} ..., {since:.0f} s so far")
                wait = QUIET_SECONDS

        thread = Thread(target=tell, daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()

    def training(self, steps: int, start: int, unit: str) -> Bar:
        """The bar of a training, under a line that says where it goes."""
        where = "" if self._into is None else f" into {self._into}"
        since = f", {start:,} of them done" if start else ""
        say(f"training{where}, {steps:,} steps{since}")
        err = _error_console()
        return TrainingBar(err, steps, start, unit, self._shown) if err.is_terminal else LineByLine(steps, start, unit)

    @contextmanager
    def counting(self, description: str, total: int) -> Iterator[Callable[[int], None]]:
        """A bar for work that can be counted, or a line now and then; none where it is short, or part of other work."""
        if total < LONG or not self._shown.acquire(blocking=False):
            yield lambda done: None
            return
        try:
            with self._counted(description, total) as done:
                yield done
        finally:
            self._shown.release()

    @contextmanager
    def _counted(self, description: str, total: int) -> Iterator[Callable[[int], None]]:
        err = _error_console()
        if not err.is_terminal:
            now_and_then = NowAndThen()
            yield lambda done: now_and_then(lambda: f"{description}: {done:,} of {total:,}")
            return
        from rich.progress import BarColumn, MofNCompleteColumn, TimeRemainingColumn

        name = _words("{task.description}")
        columns = name, BarColumn(), MofNCompleteColumn(), _words("left"), TimeRemainingColumn()
        bar = _progress(err, *columns, transient=True)
        task, begin = bar.add_task(description, total=total), time.monotonic()

        def follow(done: int) -> None:
            bar.update(task, completed=done)
            if time.monotonic() - begin > BAR_AFTER:
                bar.start()  # which does nothing the second time

        try:
            yield follow
        finally:
            bar.stop()

    @contextmanager
    def downloading(self, name: str) -> Iterator[Callable[[int, int], None]]:
        """A bar for bytes that come in, or a line now and then; none where it is part of other work."""
        if not self._shown.acquire(blocking=False):
            yield lambda done, total: None
            return
        try:
            with self._downloaded(name) as done:
                yield done
        finally:
            self._shown.release()

    @contextmanager
    def _downloaded(self, name: str) -> Iterator[Callable[[int, int], None]]:
        err = _error_console()
        if not err.is_terminal:
            now_and_then = NowAndThen()
            yield lambda done, total: now_and_then(lambda: f"{name}: {done / 1e6:.1f} MB of {total / 1e6:.1f}")
            return
        from rich.progress import BarColumn, DownloadColumn, TimeRemainingColumn, TransferSpeedColumn

        columns = (
            _words("{task.description}"),
            BarColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
            TimeRemainingColumn(),
        )
        with _progress(err, *columns) as bar:
            task = bar.add_task(name, total=None)
            yield lambda done, total: bar.update(task, completed=done, total=total or None)

    def text(self, piece: str) -> None:
        """Write the piece at once."""
        raw_error(piece)


class NowAndThen:
    """Says a line when nothing was said for a while."""

    def __init__(self, seconds: float = QUIET_SECONDS) -> None:
        self._seconds = seconds
        self._last = time.monotonic()

    def __call__(self, line: Callable[[], str]) -> None:
        """Say the line if it is time."""
        if time.monotonic() - self._last >= self._seconds:
            say(line())
            self.said()

    def said(self) -> None:
        """Take in that something was said elsewhere."""
        self._last = time.monotonic()


class LineByLine(Bar):
    """One line for each evaluation, for logs and pipes; a line now and then where evaluations are far apart."""

    def __init__(self, steps: int, start: int, unit: str) -> None:
        self._steps, self._done, self._unit = steps, start, unit
        self._now_and_then = NowAndThen()

    def step(self, done: int) -> None:
        """Take in how many steps are done."""
        self._done = done

    def planned(self, steps: int) -> None:
        """Take in how many steps there are in all."""
        self._steps = steps

    def metrics(self, loss: float, speed: float) -> None:
        """Say training loss and speed now and then."""
        self._now_and_then(
            lambda: f"step {self._done:>6} of {self._steps}  training loss {loss:.4f}  {speed:,.0f} {self._unit}/s"
        )

    def line(self, text: str) -> None:
        """Say how the evaluation went."""
        say(text)
        self._now_and_then.said()


class TrainingBar(Bar):
    """A progress bar, and a line above it for each evaluation."""

    def __init__(self, err: SafeConsole, steps: int, start: int, unit: str, shown: Lock) -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, TimeElapsedColumn, TimeRemainingColumn

        self._unit, self._err, self._steps, self._shown = unit, err, steps, shown
        left = _words("left"), TimeRemainingColumn(elapsed_when_finished=False)
        columns: list[Any] = [MofNCompleteColumn(), _words("{task.fields[metrics]}")]  # never cut: these are numbers
        if err.width >= WIDE:
            columns = [BarColumn(), *columns, TimeElapsedColumn()]
        if err.width >= NARROW:
            columns = [_words("{task.description}"), *columns, *left]
        self._progress = _progress(err, *columns)
        self._task = self._progress.add_task("training", total=steps, completed=start, metrics="")

    def __enter__(self) -> Bar:
        self._alone = self._shown.acquire(blocking=False)
        self._progress.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._progress.stop()
        if self._alone:
            self._shown.release()

    def step(self, done: int) -> None:
        """Move the bar."""
        self._progress.update(self._task, completed=done)

    def planned(self, steps: int) -> None:
        """Make the bar as long."""
        if steps != self._steps:
            self._steps = steps
            self._progress.update(self._task, total=steps)

    def metrics(self, loss: float, speed: float) -> None:
        """Show loss and speed beside the bar."""
        shown = f"training loss {loss:.4f}"
        if self._err.width >= WIDE:
            shown += f"  {speed:,.0f} {self._unit}/s"
        self._progress.update(self._task, metrics=shown)

    def evaluating(self, now: bool) -> None:
        """Say what is going on."""
        self._progress.update(self._task, description="evaluating" if now else "training")

    def line(self, text: str) -> None:
        """Show the line above the bar."""
        self._err.show(text)


def _error_console() -> SafeConsole:
    from elman.cli.terminal.console import SafeConsole

    return SafeConsole(stderr=True)


def _words(format_string: str) -> Any:
    from rich.progress import TextColumn

    return TextColumn(format_string, markup=False)


def _progress(err: SafeConsole, *columns: Any, transient: bool = False) -> Progress:
    from rich.progress import Progress

    return Progress(*columns, console=err, transient=transient)
