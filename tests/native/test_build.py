"""The build of the native library: what it says where it cannot."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
import torch

import elman.kernels
from elman.kernels import selection
from elman.kernels.cpu import backend as cpu
from elman.kernels.cpu import library as native
from elman.kernels.options import PLAIN

ROOT = Path(__file__).parents[2]
cmake = pytest.mark.skipif(not shutil.which("cmake"), reason="no CMake here")
compiler = pytest.mark.skipif(not (shutil.which("cmake") and shutil.which("c++")), reason="no compiler here")


def configure(folder: Path, *options: str, **environment: str) -> Path:
    command = ["cmake", "-S", str(ROOT), "-B", str(folder), *options]
    subprocess.run(command, check=True, capture_output=True, env={**os.environ, **environment})
    return folder / "build_reason.txt"


@cmake
def test_no_compiler_is_the_reason_given(tmp_path: Path) -> None:
    reason = configure(tmp_path, CXX=str(tmp_path / "absent")).read_text()
    assert reason.startswith("no C++ compiler was found; ")
    installed = tmp_path / "installed"
    subprocess.run(["cmake", "--install", str(tmp_path), "--prefix", str(installed)], check=True, capture_output=True)
    assert (installed / "elman/kernels/build_reason.txt").read_text() == reason


@compiler
def test_a_build_that_can_be_made_gives_no_reason_and_needs_no_openmp(tmp_path: Path) -> None:
    assert not configure(tmp_path, "-DCMAKE_DISABLE_FIND_PACKAGE_OpenMP=ON").exists()


def test_the_warning_names_the_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def chosen() -> str:
        native._library.cache_clear()
        selection.forget_selection()
        selection._warn.cache_clear()
        return selection.select_backend(PLAIN, torch.device("cpu"), torch.float32).name

    monkeypatch.setattr(elman.kernels, "__path__", [str(tmp_path)])
    monkeypatch.delenv("ELMAN_BACKEND", raising=False)
    try:
        with pytest.warns(RuntimeWarning, match="without its native library.*its build failed, or did not run"):
            assert chosen() == "reference"
        (tmp_path / "build_reason.txt").write_text("the C++ compiler is MSVC; install clang\n")
        with pytest.warns(RuntimeWarning, match=r"without its native library.*is MSVC; install clang"):
            assert chosen() == "reference"
        with pytest.raises(RuntimeError, match="is MSVC"):
            cpu.library()
    finally:
        native._library.cache_clear()
        selection.forget_selection()
