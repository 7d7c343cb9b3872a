"""The native sources: every header stands alone, and no instruction set's build shares a function with another."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NATIVE = ROOT / "src/elman/kernels/native"
HEADERS = sorted(NATIVE.rglob("*.h"))
COMPILERS = [name for name in ("g++", "clang++") if shutil.which(name)]
VECTORS = ["-Wno-psabi", "-Wno-attributes"]  # GCC's remarks about vectors as arguments, which no caller outside sees


def compiled(compiler: str, source: str, *flags: str) -> str:
    """What the compiler says of a source that is one line."""
    extra = VECTORS if compiler == "g++" else []
    command = [compiler, "-std=c++17", "-Wall", "-Wextra", "-fsyntax-only", f"-I{NATIVE}", *extra, *flags]
    return subprocess.run([*command, "-x", "c++", "-"], input=source, capture_output=True, text=True).stderr


@pytest.mark.skipif(not COMPILERS, reason="no C++ compiler here")
@pytest.mark.parametrize("header", HEADERS, ids=lambda path: str(path.relative_to(NATIVE)))
def test_each_header_stands_alone(header: Path) -> None:
    twice = f'#include "{header}"\n' * 2
    for compiler in COMPILERS:
        assert compiled(compiler, twice) == ""


@pytest.mark.parametrize("path", HEADERS + sorted(NATIVE.rglob("*.cpp")), ids=lambda path: path.name)
def test_nothing_is_included_inside_a_namespace(path: Path) -> None:
    text = path.read_text()
    if path.suffix == ".h":
        assert text.count("#pragma once") == 1
    after = re.split(r"^namespace |^extern \"C\"", text, maxsplit=1, flags=re.MULTILINE)[1:]
    assert not any("#include" in part for part in after)


@pytest.mark.parametrize("path", HEADERS + sorted(NATIVE.rglob("*.cpp")), ids=lambda path: path.name)
def test_integers_say_their_width(path: Path) -> None:
    code = re.sub(r"//.*|#.*|\"[^\"\n]*\"", "", path.read_text())
    assert re.findall(r"\blong\b", code) == []


@pytest.mark.skipif(not (COMPILERS and shutil.which("nm")), reason="no C++ compiler here")
def test_a_build_leaves_no_function_that_another_could_run(tmp_path: Path) -> None:
    """The linker keeps one of several copies of a weak symbol; that of AVX-512 would stop an older processor."""
    for compiler in COMPILERS:
        object_file = tmp_path / f"{compiler}.o"
        command = [compiler, "-std=c++17", "-O0", "-w", f"-I{NATIVE}", "-c", str(NATIVE / "simd/portable.cpp")]
        subprocess.run([*command, "-o", str(object_file)], check=True)
        listed = subprocess.run(["nm", "-C", object_file], capture_output=True, text=True, check=True).stdout
        assert "elman_multiply_adds" not in listed
        assert "portable::kernels" in listed
        assert [line for line in listed.splitlines() if re.search(r" [WVu] ", line)] == []
