"""Imports point down only: who may import whom, as docs/design.md has it."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src"

# From the ground up. A part may import itself and every floor below; not its neighbours on the same floor.
FLOORS = (
    {"errors"},
    {"atomic_io"},
    {"kernels"},
    {"ops"},
    {"nn", "data", "plotting"},
    {"metrics"},
    {"models", "insight"},
    {"training"},
    {"tasks"},
    {"run"},
    {"cli"},
)
ONE_PART = {"__main__": "cli"}
# Parts that may not import all that lies below: data knows no model, plots no network
ALONE = {"data": {"errors", "atomic_io"}, "plotting": {"errors", "atomic_io"}}
FLOOR = {part: floor for floor, parts in enumerate(FLOORS) for part in parts}


def may_import(part: str, other: str) -> bool:
    """Whether a module of `part` may import from `other`."""
    if part == other or other == "elman":
        return True
    return other in ALONE.get(part, FLOOR) and FLOOR[other] < FLOOR[part]


def part_of(module: str) -> str:
    """elman.nn.rnn -> nn; elman -> elman."""
    name = module.split(".")[1] if "." in module else module
    return ONE_PART.get(name, name)


def modules() -> dict[str, Path]:
    """Every module of the package, by name."""
    found = {}
    for path in sorted((SOURCE / "elman").rglob("*.py")):
        parts = path.relative_to(SOURCE).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports(module: str, path: Path) -> set[str]:
    """The modules of elman that a module imports, anywhere in it, also inside functions."""
    found = set()
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*above, *filter(None, [node.module])])
            # "from elman import nn" imports elman.nn
            names = [f"elman.{alias.name}" for alias in node.names] if base == "elman" else [base]
        found |= {name for name in names if name.split(".")[0] == "elman"}
    return found


MODULES = modules()


def test_every_part_of_the_package_has_a_floor() -> None:
    assert {part_of(module) for module in MODULES} - {"elman"} <= FLOOR.keys()


@pytest.mark.parametrize("module", [module for module in MODULES if module != "elman"])
def test_imports_point_down(module: str) -> None:
    part = part_of(module)
    # a name that is no part of the package is something that elman itself holds, such as its version
    names = {part_of(name) for name in imports(module, MODULES[module])} & {*FLOOR, "elman"}
    wrong = {name for name in names if not may_import(part, name)}
    assert not wrong, f"{module} may not import from {sorted(wrong)}"


def test_the_check_sees_every_form_of_import(tmp_path: Path) -> None:
    file = tmp_path / "module.py"
    file.write_text(
        "import elman.tasks.memory.task, torch\n"
        "from elman import insight, __version__\n"
        "from ..nn import rnn\n"
        "from . import sibling\n"
        "def inside():\n    from elman.cli import main\n"
    )
    names = imports("elman.ops.module", file)
    assert names == {
        "elman.tasks.memory.task",
        "elman.insight",
        "elman.__version__",
        "elman.nn",
        "elman.ops",
        "elman.cli",
    }
    assert {part_of(name) for name in names} >= {"tasks", "insight", "nn", "ops", "cli"}
    assert not any(may_import("ops", part_of(name)) for name in names - {"elman.ops", "elman.__version__"})
