"""Floor 6: one package a task. Its `NAME` is the name of the task on the command line.

A task package holds `Settings` (a frozen dataclass that inherits `TrainingSettings`: the options of `elman train`),
`Options` (those of `elman predict`), and `Task`, which the training loop and `elman.run` call. Its docstring is the
command's help. Heavy imports happen inside functions, so that help is quick.

`elman inspect` asks a task for no more than training does, but for two methods that it may have:
`inspection_example(model, text)` gives one input as an `elman.insight.example.InspectionExample` (with
`inputs_are_files = True` where the text names a file), without which single inputs cannot be looked at;
`show_states(batch, space)` gives a picture of its own of where the states go.

`elman evaluate` asks for `examine(model, *data)`, where a task has it: `data` is nothing, or what a person named in
place of the run's held-out data, one file or folder, or as many as the task's `data_files` says.

A task may have recipes, recipes.toml in its package: settings that were measured to work for a dataset, a table each.
They take the place of the defaults when the dataset is named.
"""

from __future__ import annotations

import ast
import difflib
import pkgutil
import tomllib
from functools import cache
from importlib import import_module
from importlib.resources import files
from types import ModuleType
from typing import Any

from elman.errors import UserError


def task_names() -> list[str]:
    """The names of all tasks."""
    return sorted(_packages())


def task_summary(name: str) -> str:
    """The task's docstring, read without importing it: its first line is shown in lists, all of it in the help."""
    return ast.get_docstring(_syntax(_packages()[name])) or ""


def task_module(name: str) -> ModuleType:
    """The package of the task called `name`.

    Raises:
        UserError: there is none; the message suggests the nearest name.
    """
    packages = _packages()
    if name not in packages:
        near = difflib.get_close_matches(name, packages, n=1)
        hint = f"did you mean {near[0]}?" if near else f"the tasks are {', '.join(sorted(packages))}"
        raise UserError(f"there is no task {name!r}; {hint}")
    return import_module(f"elman.tasks.{packages[name]}")


@cache
def _packages() -> dict[str, str]:
    """The packages of this folder that have a NAME, by that name."""
    found = {}
    for module in pkgutil.iter_modules(__path__):
        for node in _syntax(module.name).body if module.ispkg else ():
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "NAME":
                found[str(ast.literal_eval(node.value))] = module.name
    return found


def _syntax(package: str) -> ast.Module:
    return ast.parse(files("elman.tasks").joinpath(package, "__init__.py").read_text(encoding="utf-8"))


def recipes(task: str) -> tuple[str, dict[str, dict[str, Any]]]:
    """The setting that a task's recipes go by ("data", for most), and for its values the settings that suit them."""
    path = files("elman.tasks").joinpath(_packages().get(task, task), "recipes.toml")
    if not path.is_file():
        return "data", {}
    table = tomllib.loads(path.read_text(encoding="utf-8"))
    return table.pop("by"), table


def recipe(task: str, choice: str) -> dict[str, Any]:
    """Settings that were measured to work: `Settings(**recipe("sentiment", "trec"))`.

    Raises:
        UserError: the task has no recipe for this choice.
    """
    by, table = recipes(task)
    if choice not in table:
        raise UserError(f"{task} has no recipe for {by} {choice!r}; it has {', '.join(table) or 'none'}")
    return {by: choice} | table[choice]
