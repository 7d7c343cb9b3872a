"""What all `elman inspect` commands share: how they are asked, and how they answer."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from elman.cli.messages import as_options, shell_words, show_json, show_rich
from elman.errors import UserError
from elman.training.run_folder import RunFolder

if TYPE_CHECKING:
    from rich.console import RenderableType

    from elman.insight.example import InspectionExample
    from elman.run import Run

Out = Annotated[Path | None, Parameter(help="Folder for the pictures; RUN/inspect if not given.")]
_INPUT, _TEXT = "What to look at: what elman predict takes, one of it", "The file that holds it"
Input = Annotated[str | None, Parameter(name="--input", help=f"{_INPUT}; this or --text is required.")]
TextFile = Annotated[Path | None, Parameter(name="--text", help=f"{_TEXT}, in place of --input.")]
OptionalInput = Annotated[
    str | None, Parameter(name="--input", help=f"{_INPUT}; the next training batch if not given.")
]
OptionalTextFile = Annotated[Path | None, Parameter(name="--text", help=f"{_TEXT}, in place of --input.")]
Layer = Annotated[str | None, Parameter(help="Which recurrent layer, by name; the last if not given.")]


def look_at(run: Run, given: str | None, file: Path | None) -> InspectionExample:
    """The one input that a command is about.

    Raises:
        UserError: neither or both are given, or the task cannot read it.
    """
    from elman.cli.predict import check_texts
    from elman.data.io.text import read_text

    task = run.task
    if not task.inspection_input:
        return run.inspection_example(given or "")  # it says why there is none
    if (given is None) == (file is None):
        what = "nothing to look at; give" if given is None else "`input` and `text` are both given; give only"
        example = shell_words(["--input", task.inspection_input])
        held = "" if task.inputs_are_files else ", or --text with the file that holds it"
        raise UserError(f"{what} one: {example} for instance{held}")
    if file is not None:
        given = str(file) if task.inputs_are_files else read_text([file])
    elif not task.inputs_are_files:
        check_texts([str(given)], task.inputs, option="text")
    return run.inspection_example(str(given))


def answer(
    shown: Sequence[RenderableType], facts: dict[str, Any], written: Iterable[Path], *, json: bool, run: Path
) -> None:
    """Show tables and say what was written, or print all as JSON."""
    files = [str(path) for path in written]
    if json:
        show_json({"run": run, **facts, "written": files})
        return
    show_rich(*(as_options(part) if isinstance(part, str) else part for part in shown if part))
    if files:
        show_rich("written: " + ", ".join(files))


def folder_for(out: Path | None, run: Path) -> Path:
    """Where a command writes."""
    return RunFolder(run).inner("inspect") if out is None else out
