"""The library by itself, as in a wheel: right without torch and without OpenMP, from several threads, after a fork."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from elman.kernels.cpu import library as native
from tests.native import installed

pytestmark = pytest.mark.skipif(not native.available(), reason="the native library is not built here")
HERE = str(Path(installed.__file__).parent)


def alone(code: str) -> str:
    """Run code in a Python without torch and elman, in which `path` is the library and `installed` the script."""
    path = native.library()._name
    start = (
        f"import sys; sys.path.insert(0, {HERE!r}); import installed; from pathlib import Path; path = Path({path!r})\n"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-c", start + code], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_it_is_right_alone() -> None:
    said = alone("print(installed.check_library(path)); assert 'torch' not in sys.modules")
    assert "portable right" in said


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="this system does not show what a process loads")
def test_it_brings_no_openmp_and_has_threads_of_its_own() -> None:
    said = alone(
        "import os; installed.check_library(path)\n"
        "print('omp' in open('/proc/self/maps').read(), len(os.listdir('/proc/self/task')))"
    )
    assert said.split() == ["False", "2" if native.processors() > 1 else "1"]


def test_calls_from_several_threads_at_once() -> None:
    code = """
from concurrent.futures import ThreadPoolExecutor
with ThreadPoolExecutor(4) as four:
    said = set(four.map(lambda _: installed.check_library(path), range(40)))
print(len(said))
"""
    assert alone(code) == "1\n"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_forked_child_computes_alone() -> None:
    code = """
import os
installed.check_library(path)
child = os.fork()
if not child:
    installed.check_library(path)
    os._exit(7)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
installed.check_library(path)
"""
    assert alone(code) == "7\n"


def test_the_layer_is_right() -> None:
    assert "as torch.nn.RNN" in installed.check_layer()
