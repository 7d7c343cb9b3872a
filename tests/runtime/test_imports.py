"""The runtime takes numpy and the standard library, and nothing else: not torch, not pandas, not tokenizers."""

from __future__ import annotations

import ast
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from elman.runtime.model import TASKS
from tests.old_runs.test_old_runs import EXPECTED, OLD_RUNS

SOURCE = Path(__file__).parents[2] / "src"
ALLOWED = {"numpy", "elman", "cython_runtime"}
CODE = """
import json, sys
before = set(sys.modules)
from elman.runtime import load
assert "numpy" not in sys.modules
assert not {name for name in sys.modules if name.startswith("elman.")} - {"elman.errors"} - {
    name for name in sys.modules if name.startswith("elman.runtime")}
expected = json.load(open("expected.json"))
for name in %r:
    load(name).predict(expected[name]["inputs"])
new = {name.partition(".")[0] for name in set(sys.modules) - before}
print(sorted(new - set(sys.stdlib_module_names)))
"""


def linked(folder: Path) -> list[str]:
    """A Python that finds the source and numpy alone."""
    site = Path(sysconfig.get_paths()["purelib"])
    for name in ("numpy", "numpy.libs"):
        if (site / name).exists():
            (folder / name).symlink_to(site / name)
    start = f"import sys; sys.path[:0] = [{str(SOURCE)!r}, {str(folder)!r}]\n"
    return [sys.executable, "-I", "-S", "-c", start]


@pytest.mark.parametrize("task", TASKS)
def test_a_run_of_each_task_imports_numpy_alone(task: str, tmp_path: Path) -> None:
    names = [
        name for name in EXPECTED if (OLD_RUNS / name / "settings.toml").read_text().startswith(f'task = "{task}"')
    ]
    *python, start = linked(tmp_path)
    done = subprocess.run([*python, start + CODE % names], cwd=OLD_RUNS, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = {name for name in ast.literal_eval(done.stdout) if not name.startswith("_cython")}  # of numpy.random
    assert found <= ALLOWED
    assert names
