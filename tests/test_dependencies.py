"""What elman takes to be installed: the base works alone, and what lacks an extra says which one in one line."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import sysconfig
import tomllib
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pytest

import elman
from elman.errors import EXTRA_OF, EXTRAS, MissingPackageError, optional_imports

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
BASE = ("torch", "numpy", "safetensors")
IMPORTED_AS = {"pillow": "PIL", "scikit-learn": "sklearn", "tomli-w": "tomli_w"}
IMPORTED_AS |= {"python-multipart": "python_multipart", "prometheus-client": "prometheus_client"}


def requirement(line: str) -> str:
    """The package that a requirement names."""
    return re.split(r"[^\w.-]", line, maxsplit=1)[0]


def test_the_base_is_three_packages() -> None:
    assert sorted(map(requirement, PROJECT["dependencies"])) == sorted(BASE)


def test_every_extra_of_the_messages_is_one_of_the_project() -> None:
    extras = PROJECT["optional-dependencies"]
    for extra, packages in EXTRAS.items():
        brought = {IMPORTED_AS.get(name, name) for name in map(requirement, extras[extra])}
        assert set(packages) <= brought, extra
    runtime = {part for line in extras["all"] for part in line[line.index("[") + 1 : line.index("]")].split(",")}
    shown = {"cli", "train", "plots", "text", "audio", "image", "timeseries", "excel", "export", "hub", "web"}
    assert runtime == shown  # what the README shows, with the two commands it gives


def test_nothing_else_is_imported_anywhere() -> None:
    known = {*BASE, *EXTRA_OF, *sys.stdlib_module_names, "elman", "triton", "typing_extensions", "cycler"}
    for path in (ROOT / "src").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and not node.level:
                names = [node.module or ""]
            assert {name.partition(".")[0] for name in names} <= known, path


def test_a_missing_package_names_its_extra() -> None:
    with pytest.raises(MissingPackageError) as error, optional_imports():
        raise ModuleNotFoundError("No module named 'pandas.core'", name="pandas.core")
    assert str(error.value) == 'this needs pandas; pip install "elman[timeseries]"'
    with pytest.raises(ModuleNotFoundError), optional_imports():
        raise ModuleNotFoundError("No module named 'own'", name="own")


def test_every_package_can_be_reached_after_import_elman() -> None:
    names = "data insight metrics models nn plotting tasks training".split()
    code = f"import elman; assert all(getattr(elman, name).__doc__ for name in {names} if name in dir(elman)) "
    subprocess.run([sys.executable, "-c", code], check=True)
    assert all(hasattr(elman, name) for name in elman.__all__)


def test_the_layer_costs_no_more_than_torch() -> None:
    code = """
import sys, torch
before = set(sys.modules)
import elman
elman.RNN(3, 4)
new = {name for name in set(sys.modules) - before if not name.startswith("elman")}
third = {name.partition(".")[0] for name in new} - set(sys.stdlib_module_names) - {"torch", "numpy"}
assert not third, third
assert len(new) < 60, sorted(new)
"""
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """A Python that finds elman and the base install and nothing else: links to what is installed here."""
    folder = tmp_path_factory.mktemp("bare")
    site = Path(sysconfig.get_paths()["purelib"])
    wanted, found = list(BASE), set()
    while wanted:
        name = wanted.pop()
        try:
            package = distribution(name)
        except PackageNotFoundError:  # an optional one, or one for another system
            continue
        if name in found:
            continue
        found.add(name)
        for file in package.files or ():
            top = file.parts[0]
            if top not in ("..", "__pycache__") and not (folder / top).exists():
                (folder / top).symlink_to(site / top)
        wanted += [requirement(line) for line in package.requires or () if "extra ==" not in line]
    own = folder / "elman"
    own.mkdir()
    for item in (ROOT / "src" / "elman").iterdir():
        if item.name != "kernels":
            (own / item.name).symlink_to(item)
    (own / "kernels").mkdir()
    import elman.kernels

    for place in elman.kernels.__path__:
        for item in Path(place).iterdir():
            if not (own / "kernels" / item.name).exists():
                (own / "kernels" / item.name).symlink_to(item)
    program = f"import sys; sys.path = [{str(folder)!r}, *(p for p in sys.path if 'site-packages' not in p)]\n"
    return [sys.executable, "-S", "-I", "-c", program]


def run_bare(bare: list[str], code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run code in the bare environment."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    command = [*bare[:-1], bare[-1] + code, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)


def test_the_base_runs_the_layer_and_the_numbers_of_insight(bare: list[str]) -> None:
    done = run_bare(
        bare,
        """
import importlib.util, torch, elman
assert not any(importlib.util.find_spec(name) for name in ("pandas", "rich", "cyclopts", "matplotlib", "accelerate"))
from elman import insight
x = torch.randn(7, 2, 3)
rnn = elman.RNN(3, 4)
rnn(x)[0].sum().backward()
model = torch.nn.Sequential(torch.nn.RNN(3, 4))
elman.accelerate(model)
assert isinstance(model[0], elman.RNN)
output, state = rnn.step(x[0])
assert elman.nn.pack_for_steps(rnn).step(x[1], state).shape == (1, 2, 4)
flow = insight.gradient_flow(rnn, x, lambda model, batch: model(batch)[0].square().mean())
assert flow.verdict
space = insight.states(rnn, x)
assert len(insight.fixed_points(space, space.x[space.real].mean(0)).kinds) >= 0
assert insight.unroll(rnn, {"input": x[:, :1]}, torch.zeros(7, 1, 4)).steps == 7
try:
    flow.table()
except elman.MissingPackageError as error:
    print(error)
""",
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == 'this needs rich; pip install "elman[cli]"\n'


def test_without_the_command_line_it_says_so_in_one_line(bare: list[str]) -> None:
    done = run_bare(bare, "from elman.__main__ import main; main()", "--help")
    assert done.returncode == 2
    assert done.stderr == 'elman: this needs cyclopts; pip install "elman[cli]"\n'


LACKING = (
    ("from elman.plotting.style import new_figure", "plots"),
    ("from elman.export.onnx.graph import Graph", "export"),
    ("from elman.export.onnx.running.session import Session; Session(b'', 'x')", "export"),
    ("from elman.data.io.tables import read_table; read_table('x.csv')", "timeseries"),
    ("import elman; from elman.tasks.memory import Settings; elman.train('parity', Settings(), 'run')", "train"),
)


@pytest.fixture(scope="module")
def refusals(bare: list[str], tmp_path_factory: pytest.TempPathFactory) -> list[tuple[str, Path]]:
    """The last line of error of each, and the folder that it ran in; forked from one process, which imports torch."""
    folders = [tmp_path_factory.mktemp("lacking") / "empty" for _ in LACKING]
    for folder in folders:
        folder.mkdir()
    code = f"""
import os, sys, torch
codes = {[code for code, _ in LACKING]}
for code, folder in zip(codes, sys.argv[1:]):
    child = os.fork()
    if not child:
        sys.stderr = open(os.path.join(os.path.dirname(folder), "said"), "w")
        os.chdir(folder)
        try:
            exec(code)
            os._exit(0)
        except BaseException as error:
            sys.excepthook(type(error), error, error.__traceback__)
            sys.stderr.close()
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 1, code
"""
    done = run_bare(bare, code, *map(str, folders))
    assert done.returncode == 0, done.stderr
    return [((folder.parent / "said").read_text().splitlines()[-1], folder) for folder in folders]


@pytest.mark.parametrize("number", range(len(LACKING)), ids=[code for code, _ in LACKING])
def test_what_lacks_an_extra_says_which_one(number: int, refusals: list[tuple[str, Path]]) -> None:
    said, folder = refusals[number]
    assert f'pip install "elman[{LACKING[number][1]}]"' in said
    assert not list(folder.iterdir())
