"""The plan of the house: who may import whom, what stands where, and how much of it."""

from __future__ import annotations

import ast
from collections import Counter
from functools import cache
from pathlib import Path

import networkx as nx
import pytest

SOURCE = Path(__file__).parents[1] / "src"

# From the ground up. A part may import itself and every floor below; not its neighbours on the same floor.
FLOORS = (
    {"errors"},
    {"atomic_io"},
    {"kernels", "runtime"},
    {"ops"},
    {"nn", "data", "plotting"},
    {"metrics"},
    {"models", "insight"},
    {"training"},
    {"tasks"},
    {"hub", "export"},
    {"run"},
    {"training_run", "sklearn"},
    {"adapters"},
    {"web"},
    {"cli"},
)
ONE_PART = {"__main__": "cli"}
# Parts that may not import all that lies below: data knows no model, plots no network, the runtime no torch
ALONE = {part: {"errors", "atomic_io"} for part in ("data", "plotting", "runtime")}
ALONE["data"] |= {"runtime"}  # what is read in plain Python there, and needs not be written twice
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


@cache
def tree_of(path: Path) -> ast.Module:
    """What a file says, read once for all tests, which change nothing of it."""
    return ast.parse(path.read_text(encoding="utf-8"))


def imports(module: str, path: Path) -> set[str]:
    """The modules of elman that a module imports, anywhere in it, also inside functions."""
    found = set()
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    for node in ast.walk(tree_of(path)):
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
BELOW_THE_FACES = {name: path for name, path in MODULES.items() if part_of(name) not in ("cli", "web", "elman")}
TASK_WORDS = ("caption", "forecast", "parity", "sentiment", "speech", "spoken", "transcri", "translat")


def imported_modules(module: str, path: Path) -> set[str]:
    """The modules, not the names in them, that a module imports anywhere: lazily and for types alone too."""
    found = set()
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.ImportFrom) and node.module:
            inner = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= inner & MODULES.keys()
            if not inner <= MODULES.keys() and node.module in MODULES:  # a name of the package's own
                found.add(node.module)
    return found - {module}


def test_every_part_of_the_package_has_a_floor() -> None:
    assert {part_of(module) for module in MODULES} - {"elman"} <= FLOOR.keys()


@pytest.mark.parametrize("module", [module for module in MODULES if module != "elman"])
def test_imports_point_down(module: str) -> None:
    part = part_of(module)
    # a name that is no part of the package is something that elman itself holds, such as its version
    names = {part_of(name) for name in imports(module, MODULES[module])} & {*FLOOR, "elman"}
    wrong = {name for name in names if not may_import(part, name)}
    assert not wrong, f"{module} may not import from {sorted(wrong)}"


def test_no_modules_import_each_other() -> None:
    """Not inside one package either; a package hands on what its modules have, and they do not ask it for it."""
    graph = {module: imported_modules(module, path) for module, path in MODULES.items() if module != "elman"}
    circles = nx.strongly_connected_components(nx.DiGraph(graph))
    assert not [sorted(circle) for circle in circles if len(circle) > 1]


@pytest.mark.parametrize("module", BELOW_THE_FACES)
def test_no_word_of_the_command_line_below_the_faces(module: str) -> None:
    tree = tree_of(MODULES[module])
    a_task = module.startswith("elman.tasks.") and module.count(".") == 2
    help_text = ast.get_docstring(tree, clean=False) if a_task else None  # a task's docstring is its command's help
    strings = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    assert not [text for text in strings - {help_text} if "--" in text]


@pytest.mark.parametrize("module", BELOW_THE_FACES)
def test_nothing_is_printed_below_the_faces(module: str) -> None:
    calls = [node.func for node in ast.walk(tree_of(MODULES[module])) if isinstance(node, ast.Call)]
    assert not [func for func in calls if isinstance(func, ast.Name) and func.id == "print"]


@pytest.mark.parametrize("module", [name for name in MODULES if part_of(name) == "training"])
def test_training_knows_no_task(module: str) -> None:
    text = MODULES[module].read_text(encoding="utf-8").lower()
    assert not [word for word in TASK_WORDS if word in text]


def test_a_task_is_asked_by_its_contract() -> None:
    for module in ("elman.run", *(name for name in MODULES if part_of(name) in ("training", "cli"))):
        for node in ast.walk(tree_of(MODULES[module])):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Name)
                and node.func.id in ("hasattr", "getattr")
            ):
                assert "task" not in ast.unparse(node.args[0]), f"{module}: {ast.unparse(node)}"


def test_rooms_are_not_crowded() -> None:
    folders = Counter(path.parent for path in MODULES.values() if path.name != "__init__.py")
    assert {str(folder): count for folder, count in folders.items() if count > 15} == {}


def test_files_are_short() -> None:
    root = SOURCE.parent
    files = [path for folder in ("src", "tests", "benchmarks", "docs") for path in (root / folder).rglob("*")]
    code = [path for path in files if path.suffix in (".py", ".h", ".cpp")]
    assert {str(path.relative_to(root)) for path in code if len(path.read_text().splitlines()) > 400} == set()


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
