"""`elman predict RUN INPUT...`: what it takes depends on the run's task."""

from __future__ import annotations

import inspect
import json as json_format
from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Parameter

from elman.cli.messages import as_options, say, show
from elman.cli.panels import plain_parameters
from elman.cli.running import Json, Weights
from elman.errors import UserError
from elman.tasks import task_module
from elman.training.run_folder import RunFolder

HELP = """Usage: elman predict RUN INPUT... [OPTIONS]

Put questions to a trained run. What it takes, its task says: elman predict RUN --help.

Example: elman predict runs/parity 1000010101 100011"""

Out = Annotated[
    Path | None,
    Parameter(
        help="Also write what the predictions have beside their text: a table, a picture; a name without suffix."
    ),
]


def predict(*tokens: Annotated[str, Parameter(allow_leading_hyphen=True)]) -> None:
    """Put questions to a trained run: the first word is its folder, the rest is for its task."""
    if not tokens or tokens[0] in ("--help", "-h"):
        show(HELP)
        return
    run = Path(tokens[0])
    name, _ = RunFolder(run).read()
    app = App(name=f"elman predict {run}", help_flags=["--help", "-h"], version_flags=[])
    app.default(predict_command(name, run))
    app(list(tokens[1:]), exit_on_error=False, print_error=False, result_action="return_value")


def predict_command(name: str, run: Path) -> Any:
    """The command for one run of the task `name`."""
    module = task_module(name)

    def command(
        *inputs: str, out: Path | None = None, json: bool = False, weights: Weights = "best", **given: Any
    ) -> None:
        answer(run, list(inputs), module.Options(**given), out, weights, json=json)

    keyword = inspect.Parameter.KEYWORD_ONLY
    takes = Annotated[str, Parameter(help=f"The {module.Task.inputs}.")]
    parameters = [
        inspect.Parameter("inputs", inspect.Parameter.VAR_POSITIONAL, annotation=takes),
        *plain_parameters(module.Options),
        inspect.Parameter("out", keyword, default=None, annotation=Out),
        inspect.Parameter("json", keyword, default=False, annotation=Json),
        inspect.Parameter("weights", keyword, default="best", annotation=Weights),
    ]
    command.__doc__ = as_options(module.Task.predict_help) or f"Predict with a {name} run."
    vars(command)["__signature__"] = inspect.Signature(parameters)
    command.__annotations__ = {one.name: one.annotation for one in parameters} | {"return": None}
    return command


def answer(run: Path, inputs: list[str], options: Any, out: Path | None, weights: Any, *, json: bool) -> None:
    """Predict and print: at once where the task's predictions come one by one, else all together."""
    from elman.run import load

    if out is not None:
        check_output(out)
    loaded = load(run, weights=weights)
    predictions = []
    for prediction in loaded.stream(inputs, options):
        if json:
            show(json_format.dumps(prediction.to_json(), ensure_ascii=False))
        elif loaded.task.streaming:
            show(prediction.show())
        if out is not None or not loaded.task.streaming:
            predictions.append(prediction)
    if not json and not loaded.task.streaming:
        show(loaded.task.show(predictions))
    if out is not None and predictions:
        say("written: " + ", ".join(map(str, loaded.task.write(predictions, out))))


def check_output(out: Path) -> None:
    """Raise a UserError where `out` names no file or a folder: suffixes are added to its name."""
    if not out.name or out.is_dir():
        raise UserError(f"`out` is {str(out)!r}, which names no file; give a name without suffix, `out=forecast`")
