"""What all `elman inspect` commands share: how they are asked, and how they answer."""

from __future__ import annotations

import json as json_format
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from elman.cli.messages import as_options, console, finite, show
from elman.errors import UserError
from elman.training.run_folder import RunFolder

if TYPE_CHECKING:
    from rich.console import RenderableType

    from elman.insight.example import InspectionExample
    from elman.run import Run

Out = Annotated[Path | None, Parameter(help="Folder for the pictures; RUN/inspect if not given.")]
Input = Annotated[str | None, Parameter(name="--input", help="What to look at: what `elman predict` takes, one of it.")]
TextFile = Annotated[Path | None, Parameter(name="--text", help="The file that holds it.")]
Layer = Annotated[str | None, Parameter(help="Which recurrent layer, by name; the last if not given.")]


def look_at(run: Run, given: str | None, file: Path | None) -> InspectionExample:
    """The one input that a command is about.

    Raises:
        UserError: neither or both are given, or the task cannot read it.
    """
    from elman.data.io.text import read_text

    if (given is None) == (file is None):
        what = "nothing to look at; give" if given is None else "--input and --text are both given; give only"
        raise UserError(f"{what} one: --input, one of the {run.task.inputs}, or --text FILE")
    if file is not None:
        given = str(file) if run.task.inputs_are_files else read_text([file])
    assert given is not None
    return run.inspection_example(given)


def answer(
    shown: Sequence[RenderableType], facts: dict[str, Any], written: Iterable[Path], *, json: bool, run: Path
) -> None:
    """Show tables and say what was written, or print all as JSON."""
    files = [str(path) for path in written]
    if json:
        show(json_format.dumps(finite({"run": str(run), **facts, "written": files}), ensure_ascii=False))
        return
    out = console()
    for part in shown:
        if part:
            out.print(as_options(part) if isinstance(part, str) else part)
    if files:
        out.print("written: " + ", ".join(files))


def folder_for(out: Path | None, run: Path) -> Path:
    """Where a command writes."""
    return RunFolder(run).inner("inspect") if out is None else out
