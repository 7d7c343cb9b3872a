"""Which tasks there are: the packages of this folder, what other packages declare, and what a program registers.

A task's package has a docstring, which is the command's help, and four names: `NAME`, `Settings`, `Options`, `Task`.
Another package declares its tasks as entry points of the group "elman.tasks":

    [project.entry-points."elman.tasks"]
    tagger = "my_package.tagger"
"""

from __future__ import annotations

import ast
import difflib
import pkgutil
import tomllib
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

from elman.errors import UserError

GROUP = "elman.tasks"
_registered: dict[str, str] = {}


def register_task(name: str, package: str) -> None:
    """Make a package's task known by a name: to the command line, `elman.train` and `elman.load`, in this process.

    Arguments:
        name: the task's name on the command line.
        package: its package as it is imported, "my_package.tagger".

    Raises:
        UserError: the name is taken by another package, or there is no such package.
    """
    _folder(package)
    known = _packages().get(name, package)
    if known != package:
        raise UserError(f"the task {name!r} is {known} already; choose another name")
    _registered[name] = package


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
    module = import_module(packages[name])
    needed = {"": ("NAME", "Settings", "Options", "Task"), "Task": ("name", "inputs", "options_type")}
    for owner, names in needed.items():
        if missing := [one for one in names if not hasattr(vars(module)[owner] if owner else module, one)]:
            where = f"{packages[name]}.{owner}" if owner else packages[name]
            raise UserError(f"the task {name!r} is not complete: {where} lacks {missing[0]}; see CONTRIBUTING.md")
    return module


def recipes(task: str) -> tuple[str, dict[str, dict[str, Any]]]:
    """The setting that a task's recipes go by ("data", for most), and for its values the settings that suit them.

    Recipes are settings that were measured to work for a dataset, a table each in the package's recipes.toml. They
    take the place of the defaults when the dataset is named.
    """
    packages = _packages()
    path = _folder(packages[task]) / "recipes.toml" if task in packages else Path()
    if not path.is_file():
        return "data", {}
    table = tomllib.loads(path.read_text(encoding="utf-8"))
    return table.pop("by"), table


def default_choice(task: str) -> list[str]:
    """What the task's recipes go by where nothing is asked: the dataset of its settings, for most."""
    by, table = recipes(task)
    value = getattr(task_module(task).Settings(), by) if table else []
    return list(value) if isinstance(value, tuple | list) else [value]


def recipe(task: str, choice: str) -> dict[str, Any]:
    """Settings that were measured to work: `Settings(**recipe("sentiment", "trec"))`.

    Raises:
        UserError: the task has no recipe for this choice.
    """
    by, table = recipes(task)
    if choice not in table:
        raise UserError(f"{task} has no recipe for {by} {choice!r}; it has {', '.join(table) or 'none'}")
    return {by: choice} | table[choice]


def _packages() -> dict[str, str]:
    """Every task's package by the task's name; what is registered goes before what is declared."""
    return {**_built_in(), **_declared(), **_registered}


@cache
def _built_in() -> dict[str, str]:
    found = {}
    for module in pkgutil.iter_modules([str(Path(__file__).parent)]):
        package = f"{__package__}.{module.name}"
        for node in _syntax(package).body if module.ispkg else ():
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "NAME":
                found[str(ast.literal_eval(node.value))] = package
    return found


@cache
def _declared() -> dict[str, str]:
    return {point.name: point.value for point in entry_points(group=GROUP)}


def _folder(package: str) -> Path:
    """The folder of a package; the package itself is not imported."""
    try:
        spec = find_spec(package)
    except (ImportError, ValueError):  # a parent that is missing; no name at all
        spec = None
    if spec is None or spec.origin is None:
        raise UserError(f"the task's package {package} cannot be found; install it, or correct its name")
    return Path(spec.origin).parent


def _syntax(package: str) -> ast.Module:
    return ast.parse((_folder(package) / "__init__.py").read_text(encoding="utf-8"))
