"""`elman predict RUN INPUT...`: what it takes depends on the run's task."""

from __future__ import annotations

import json as json_format
from dataclasses import fields
from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Parameter

from elman.cli.running import Json, Weights
from elman.tasks import task_module
from elman.training.run_folder import RunFolder

HELP = """Usage: elman predict RUN INPUT... [OPTIONS]

Put questions to a trained run. What it takes, its task says: elman predict RUN --help.

Example: elman predict runs/parity 1000010101 100011"""


def predict(*tokens: Annotated[str, Parameter(allow_leading_hyphen=True)]) -> None:
    """Put questions to a trained run: the first word is its folder, the rest is for its task."""
    if not tokens or tokens[0] in ("--help", "-h"):
        print(HELP)
        return
    run = Path(tokens[0])
    name, _ = RunFolder(run).read()
    app = App(name=f"elman predict {run}", help_flags=["--help", "-h"], version_flags=[])
    app.default(predict_command(name, run))
    app(list(tokens[1:]), exit_on_error=False, print_error=False, result_action="return_value")


def predict_command(name: str, run: Path) -> Any:
    """The command for one run of the task `name`."""
    module = task_module(name)
    kind = module.Options

    def command(*inputs: str, options: Any = None, json: Json = False, weights: Weights = "best") -> None:
        from elman.run import load

        loaded = load(run, weights=weights)
        if json:
            for prediction in loaded.stream(list(inputs), options or kind()):
                print(json_format.dumps(prediction, ensure_ascii=False), flush=True)
        elif hasattr(loaded.task, "stream"):
            for prediction in loaded.stream(list(inputs), options or kind()):
                print(loaded.task.show([prediction]), flush=True)
        else:
            print(loaded.task.show(loaded.predict(list(inputs), options or kind())))

    command.__doc__ = getattr(module.Task, "predict_help", f"Predict with a {name} run.")
    command.__annotations__ |= {
        "inputs": Annotated[str, Parameter(help=f"The {module.Task.inputs}.")],
        "options": kind | None if fields(kind) else Annotated[Any, Parameter(parse=False)],
        "json": Json,
        "weights": Weights,
        "return": None,
    }
    return command
