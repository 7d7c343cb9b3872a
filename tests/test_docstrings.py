"""Every public name says what it is: modules, classes, functions, methods, and the settings of a command."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src"
FILES = sorted((SOURCE / "elman").rglob("*.py"))


def public(name: str) -> bool:
    """Whether a user may call it."""
    return not name.startswith("_")


def undocumented(tree: ast.Module) -> Iterator[str]:
    """The public names of a module that have no docstring.

    A method that overrides one of the standard library's protocols (`__len__`) needs none, nor does a part of an
    overloaded or abstract protocol whose body is "...".
    """
    if ast.get_docstring(tree) is None:
        yield "the module"
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and public(node.name):
            if ast.get_docstring(node) is None:
                yield node.name
            if isinstance(node, ast.ClassDef):
                yield from _methods(node)


def _methods(kind: ast.ClassDef) -> Iterator[str]:
    # the text under a field is its help on the command line; other dataclasses describe theirs in their docstring
    settings = kind.name == "Options" or (kind.name.endswith("Settings") and kind.name != "NetworkSettings")
    for node, after in zip(kind.body, [*kind.body[1:], None], strict=True):
        if isinstance(node, ast.FunctionDef) and public(node.name) and ast.get_docstring(node) is None:
            yield f"{kind.name}.{node.name}"
        explained = isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant)
        if settings and isinstance(node, ast.AnnAssign) and not explained:
            yield f"{kind.name}.{ast.unparse(node.target)}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_every_public_name_has_a_docstring(path: Path) -> None:
    assert list(undocumented(ast.parse(path.read_text(encoding="utf-8")))) == []


def test_the_check_finds_what_is_missing() -> None:
    tree = ast.parse("class Settings:\n    steps: int = 1\n    def go(self): ...\ndef run(): ...\ndef _own(): ...\n")
    assert list(undocumented(tree)) == ["the module", "Settings", "Settings.steps", "Settings.go", "run"]
