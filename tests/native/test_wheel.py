"""What every wheel must be, and that a wheel is made for every platform."""

from __future__ import annotations

import runpy
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
WHEEL = runpy.run_path(str(ROOT / "benchmarks" / "wheel.py"))
LIBRARY = "elman/kernels/libelman.so"
NAME = "elman-0.1.0-py3-none-manylinux_2_28_x86_64.whl"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]


def wheel(folder: Path, name: str = NAME, **files: bytes) -> Path:
    path = folder / name
    with zipfile.ZipFile(path, "w") as archive:
        for file, data in {LIBRARY: b"", **files}.items():
            archive.writestr(file, data)
    return path


def test_a_wheel_that_is_as_it_must_be(tmp_path: Path) -> None:
    assert WHEEL["look"](wheel(tmp_path)).startswith(NAME)


@pytest.mark.parametrize(
    ("name", "files", "what"),
    [
        (NAME, {"more": b"." * 4_194_305}, "more than 4,194,304"),
        (NAME.replace("py3-none", "cp311-cp311"), {}, "cp311-cp311-manylinux_2_28_x86_64, not py3-none"),
        ("elman-0.1.0-py3-none-any.whl", {}, "for any platform"),
        (NAME, {"elman.libs/libgomp-1.so.1.0.0": b""}, "its libraries are"),
        (NAME, {"elman/kernels/build_reason.txt": b"no compiler"}, "why the library was not built"),
        (NAME, {"elman/kernels/native/elman.h": b""}, "the native sources"),
    ],
)
def test_what_is_wrong_with_a_wheel_is_said(tmp_path: Path, name: str, files: dict[str, bytes], what: str) -> None:
    with pytest.raises(SystemExit, match=what):
        WHEEL["look"](wheel(tmp_path, name, **files))


def test_a_wheel_without_the_library_is_refused(tmp_path: Path) -> None:
    path = tmp_path / NAME
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("elman/__init__.py", b"")
    with pytest.raises(SystemExit, match=r"its libraries are \[\]"):
        WHEEL["look"](path)


def test_there_is_a_wheel_for_every_platform() -> None:
    yaml = pytest.importorskip("yaml")
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "wheels.yml").read_text(encoding="utf-8"))
    made = {entry["platform"]: entry["build"] for entry in workflow["jobs"]["wheel"]["strategy"]["matrix"]["include"]}
    linux = {f"{libc}_{machine}" for libc in ("manylinux", "musllinux") for machine in ("x86_64", "aarch64")}
    assert made.keys() == linux | {"macosx_arm64", "macosx_x86_64", "win_amd64"}
    assert all(build == f"cp311-{platform}" for platform, build in made.items())
    assert PROJECT["scikit-build"]["wheel"]["py-api"] == "py3"


def test_what_the_configuration_runs_is_there() -> None:
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert "tests/native/installed.py" in text
    assert (ROOT / "tests" / "native" / "installed.py").exists()
    skipped = PROJECT["cibuildwheel"]["test-skip"]
    tried = [
        one["select"] for one in PROJECT["cibuildwheel"]["overrides"] if "installed.py" in one["repair-wheel-command"]
    ]
    assert sorted(tried) == ["*macosx_x86_64*", "*musllinux*"]  # tried there, as the test is skipped
    assert skipped == "*{musllinux,macosx_x86_64}*"
