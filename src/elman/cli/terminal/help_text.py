"""What help says of a command, read without importing it."""

from __future__ import annotations

import ast
from importlib.util import find_spec
from pathlib import Path


def docstring(place: str) -> str:
    """The docstring of a function, by "module:name"."""
    module, name = place.split(":")
    functions = (node for node in _syntax(module).body if isinstance(node, ast.FunctionDef))
    return ast.get_docstring(next(node for node in functions if node.name == name)) or ""


def dictionary_keys(place: str) -> tuple[str, ...]:
    """The keys of a dictionary of a module, by "module:name", as they stand in its source."""
    module, name = place.split(":")
    for node in _syntax(module).body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.value, ast.Dict) and ast.unparse(node.target) == name:
            return tuple(str(ast.literal_eval(key)) for key in node.value.keys if key is not None)
    raise LookupError(place)


def _syntax(module: str) -> ast.Module:
    """A module's source, found without importing the packages that hold it."""
    first, *inner = module.split(".")
    spec = find_spec(first)
    assert spec is not None
    assert spec.origin is not None
    return ast.parse(Path(spec.origin).parent.joinpath(*inner).with_suffix(".py").read_text(encoding="utf-8"))


def command_help(text: str) -> tuple[str, str]:
    """A docstring in two: what the command does, and the example that ends its help."""
    before, mark, example = text.partition("Example: ")
    return before.strip(), mark + " ".join(example.split())


def recipes_help(task: str) -> str:
    """Which values of which option bring settings of their own; empty where none do."""
    from elman.cli.messages import option
    from elman.tasks import recipes

    by, table = recipes(task)
    names = ", ".join(table)
    return names and (
        f"Recipes: {option(by)} with one of {names} brings the settings measured to work there in place of the"
        " defaults shown; options win over both."
    )
