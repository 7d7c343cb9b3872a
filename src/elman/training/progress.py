"""What a person sees while a run trains: a bar with loss, speed and time left; nothing when nobody is looking."""

from __future__ import annotations

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)


class Bar:
    """A progress bar on a terminal; silent on anything else, and in all processes but the first."""

    def __init__(self, steps: int, start: int, unit: str, *, show: bool = True) -> None:
        self.console = Console(stderr=True)
        self.unit = unit
        self._visible = show and self.console.is_terminal
        self._progress = Progress(
            TextColumn("[bold]{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[metrics]}"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(elapsed_when_finished=False),
            console=self.console,
            disable=not self._visible,
        )
        self._task = self._progress.add_task("training", total=steps, completed=start, metrics="")

    def __enter__(self) -> Bar:
        self._progress.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._progress.stop()

    def step(self, done: int) -> None:
        self._progress.update(self._task, completed=done)

    def metrics(self, loss: float, speed: float) -> None:
        self._progress.update(self._task, metrics=f"loss {loss:.4f}  {speed:,.0f} {self.unit}/s")

    def evaluating(self, now: bool) -> None:
        self._progress.update(self._task, description="evaluating" if now else "training")

    def warn(self, text: str) -> None:
        """A line above the bar that must be read, so it comes where there is no bar, too."""
        self._progress.console.print(f"elman: {text}", highlight=False, markup=False, soft_wrap=True)

    def line(self, text: str) -> None:
        """A line above the bar."""
        if self._visible:
            self._progress.console.print(text, highlight=False)
