"""`elman predict RUN INPUT...`: what it takes depends on the run's task."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import fields
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, ArgumentCollection, CycloptsError, Parameter

from elman.cli.messages import as_options, say, shell_words, show, show_json, show_line, show_rich
from elman.cli.panels import plain_parameters
from elman.cli.running import Json, Weights
from elman.cli.settings_file import check_words
from elman.cli.suggestions import advice
from elman.cli.terminal.characters import printable
from elman.data.io.files import path_kind
from elman.data.io.lines import STANDARD_INPUT, arriving_lines
from elman.errors import UserError
from elman.export.at_path import holds_run, task_name_of
from elman.tasks import task_module

if TYPE_CHECKING:
    from elman.training.task import Prediction, Task

HELP_FLAGS = {"--help", "-h"}
OF_OPTIONS = ("--file", "--out", "--weights")
"""Options of every task after which a hyphen is theirs."""
HELP = """Usage: elman predict RUN INPUT... [OPTIONS]

Put questions to a trained run. What it takes, its task says: elman predict RUN --help.

Example: elman predict runs/parity 1000010101 100011"""


def predict(*tokens: Annotated[str, Parameter(allow_leading_hyphen=True)]) -> None:
    """Put questions to a trained run: its folder or a file it was exported to, and the rest is for its task.

    Example: elman predict runs/parity 1000010101 100011
    """
    place = _run_place(tokens)
    if not tokens or (place is None and HELP_FLAGS.intersection(tokens)):
        show(HELP)
        return
    if place is None:
        raise UserError(f"{tokens[0]} comes before the run; the run comes first: elman predict RUN INPUT... [OPTIONS]")
    if not tokens[place]:
        raise UserError("RUN is an empty word; give the folder of a run, or an exported file")
    run = Path(tokens[place])
    name = task_name_of(run)
    rest, lines = with_standard_input([*tokens[:place], *tokens[place + 1 :]], task_module(name))
    called = shell_words(["elman", "predict", str(run)])
    usage = f"Usage: {printable(called)} INPUT... [OPTIONS]"
    app = App(name=called, usage=usage, help_flags=sorted(HELP_FLAGS), version_flags=[], config=check_options)
    app.suppress_keyboard_interrupt = False  # it would exit without a word
    app.default(predict_command(name, run, lines))
    if HELP_FLAGS.intersection(rest):
        from elman.cli.terminal.console import help_console

        app.help_epilogue = shell_words(["Example:", "elman", "predict", str(run), *examples(name, run)])
        app.console = help_console()
    try:
        app(rest, exit_on_error=False, print_error=False, result_action="return_value")
    except CycloptsError as error:
        raise UserError(advice(error, app, rest)) from error


def examples(name: str, run: Path) -> tuple[str, ...]:
    """Inputs that the run takes; those of its task where the run's settings cannot be read."""
    from elman.training.run_folder import RunFolder, settings_from

    module, folder = task_module(name), RunFolder(run)
    try:
        settings = settings_from(module.Settings, folder.read()[1], folder.settings)
    except UserError:
        return tuple(module.Task.predict_example)
    return tuple(module.Task.examples_for(settings))


def with_standard_input(words: list[str], package: ModuleType) -> tuple[list[str], bool]:
    """The words with a lone hyphen, which stands for standard input, as `file=-`; or without it, and True.

    That is: the lines of standard input are the texts, for a task that has no option for a file of them.

    Raises:
        UserError: the task takes files, not texts.
    """
    before = ["", *words]
    lone = [word == "-" and last not in OF_OPTIONS for last, word in zip(before, words, strict=False)]
    if not any(lone):
        return words, False
    if package.Task.takes != "texts":
        raise UserError(f"- stands for standard input, and a {package.NAME} run takes {package.Task.inputs}; name them")
    has_file = "file" in {field.name for field in fields(package.Options)}
    instead = ["--file", "-"] if has_file else []
    kept = [part for word, alone in zip(words, lone, strict=True) for part in (instead if alone else [word])]
    return kept, not has_file


def lines_of_standard_input(inputs: Sequence[str], what: str) -> list[str]:
    """The lines of standard input that are not empty, as the inputs.

    Raises:
        UserError: there are none, or `inputs` are given beside them.
    """
    if inputs:
        raise UserError(f"{inputs[0][:40]!r} is given beside -, which stands for standard input; leave one of them out")
    found = [line for lines in arriving_lines(STANDARD_INPUT, 64) for line in lines if line.strip()]
    if not found:
        raise UserError(f"standard input is empty; give {what}, one a line")
    return found


def _run_place(tokens: Sequence[str]) -> int | None:
    """Where the run stands: first, or after options where the first that holds a run stands."""
    if tokens and not tokens[0].startswith("-"):
        return 0
    return next((place for place, token in enumerate(tokens) if holds_run(Path(token))), None)


def check_options(app: App, commands: tuple[str, ...], arguments: ArgumentCollection) -> None:
    """Refuse what `check_words` does, before the command is called."""
    check_words(arguments)


def predict_command(name: str, run: Path, lines: bool = False) -> Any:
    """The command for one run of the task `name`.

    Arguments:
        lines: whether its inputs are the lines of standard input.
    """
    module = task_module(name)

    def command(
        *inputs: str, out: Path | None = None, json: bool = False, weights: Weights = "best", **given: Any
    ) -> None:
        asked = lines_of_standard_input(inputs, module.Task.inputs) if lines else list(inputs)
        answer(run, module, asked, module.Options(**given), out, weights, json=json)

    keyword = inspect.Parameter.KEYWORD_ONLY
    takes = Annotated[str, Parameter(name="INPUT", help=f"The {module.Task.inputs}.")]
    writes = module.Task.writes
    out_help = as_options(f"Also write {writes}; a name without suffix.")
    out = Annotated[Path | None, Parameter(help=out_help)]
    parameters = [
        inspect.Parameter("inputs", inspect.Parameter.VAR_POSITIONAL, annotation=takes),
        *plain_parameters(module.Options),
        *([inspect.Parameter("out", keyword, default=None, annotation=out)] if writes else []),
        inspect.Parameter("json", keyword, default=False, annotation=Json),
        inspect.Parameter("weights", keyword, default="best", annotation=Weights),
    ]
    command.__doc__ = as_options(module.Task.predict_help) or f"Predict with a {name} run."
    vars(command)["__signature__"] = inspect.Signature(parameters)
    command.__annotations__ = {one.name: one.annotation for one in parameters} | {"return": None}
    return command


def answer(
    run: Path, package: ModuleType, inputs: list[str], options: Any, out: Path | None, weights: Any, *, json: bool
) -> None:
    """Predict and print: at once where the task's predictions come one by one, else all together."""
    if out is not None:
        check_output(out)
    task, found = _asked(run, package, inputs, options, weights)
    predictions = []
    for prediction in found:
        if task.streaming:
            _show(task, [prediction], show_line, json=json)
        if out is not None or not task.streaming:
            predictions.append(prediction)
    # before they are shown: who reads may stop, as `head` does
    written = task.write(predictions, out) if out is not None and predictions else ()
    if not task.streaming:
        _show(task, predictions, show, json=json)
    if written:
        say("written: " + ", ".join(map(str, written)))


def _show(task: Task[Any], predictions: Sequence[Prediction], show_text: Callable[[str], None], *, json: bool) -> None:
    if json:
        for prediction in predictions:
            show_json(prediction.to_json())
        return
    for part in task.view(predictions):
        if isinstance(part, str):
            show_text(part)
        else:
            show_rich(part)


def _asked(
    run: Path, package: ModuleType, inputs: list[str], options: Any, weights: Any
) -> tuple[Task[Any], Iterable[Prediction]]:
    """The run's task and its predictions, as they come: of a few texts without torch, where that is possible."""
    if package.Task.takes == "texts":
        check_texts(inputs, package.Task.inputs, option="file" if hasattr(options, "file") else "")
    if weights == "best":
        from elman.training.predicting.without_torch import predict_without_torch

        if known := predict_without_torch(run, package, inputs, options):
            return known
    from elman.run import load

    loaded = load(run, weights=weights)
    return loaded.task, loaded.stream(inputs, options)


def check_texts(inputs: Sequence[str], what: str, *, option: str = "") -> None:
    """Raise a UserError where the name of a file was typed and its content is what was meant.

    Arguments:
        what: the inputs that the run takes.
        option: the one that takes a file, if there is one.
    """
    for given in inputs:
        if Path(given).suffix and os.path.isfile(given):  # of a long text it says no, without an error
            how = f"say `{option}={given}`" if option else 'give the text itself: "$(cat FILE)"'
            if option and len(inputs) > 1:
                how += ' in a command of its own, without other texts, or give its text: "$(cat FILE)"'
            raise UserError(f"{given} is a file, and this run takes {what}; {how}")


def check_output(out: Path) -> None:
    """Raise a UserError where `out` names no file or a folder: suffixes are added to its name."""
    if not out.name or path_kind(out) == "folder":
        raise UserError(f"`out` is {str(out)!r}, which names no file; give a name without suffix, `out=forecast`")
