"""elman-runtime: the files that packaging/runtime installs predict by themselves, with numpy alone."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import sysconfig
import tomllib
from pathlib import Path

import pytest

import elman
from elman.runtime.native import load_library
from tests.old_runs.test_old_runs import OLD_RUNS

ROOT = Path(__file__).parents[2]
PACKAGING = ROOT / "packaging" / "runtime"
LARGEST = 30 << 20


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the CMakeLists installs, the native library as it was built for elman, and numpy."""
    folder, text = tmp_path_factory.mktemp("installed"), (PACKAGING / "CMakeLists.txt").read_text(encoding="utf-8")
    for file in re.findall(r"\$\{root\}/(src/elman/\w+\.\w+)", text):
        (folder / "elman").mkdir(exist_ok=True)
        shutil.copy(ROOT / file, folder / "elman")
    (source,) = re.findall(r"install\(DIRECTORY \$\{root\}/(\S+) DESTINATION elman FILES_MATCHING", text)
    shutil.copytree(ROOT / source, folder / "elman" / "runtime", ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "elman" / "kernels").mkdir()
    for library in (file for place in elman.__path__ for file in (Path(place) / "kernels").glob("libelman.*")):
        shutil.copy(library, folder / "elman" / "kernels")
    assert sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) < LARGEST
    site = Path(sysconfig.get_paths()["purelib"])
    for name in ("numpy", "numpy.libs"):
        if (site / name).exists():
            (folder / name).symlink_to(site / name)
    return folder


def said(folder: Path, code: str) -> str:
    start = f"import sys; sys.path.insert(0, {str(folder)!r})\n"
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", start + code], cwd=OLD_RUNS, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_it_predicts_by_itself(installed: Path) -> None:
    assert said(installed, "from elman.runtime import load; print(load('parity').predict('1000010101')[0])").startswith(
        "1000010101"
    )
    if load_library() is not None:
        assert (
            said(installed, "from elman.runtime.native import load_library; print(load_library() is not None)")
            == "True"
        )


def test_what_it_lacks_is_one_line(installed: Path) -> None:
    code = "import elman\ntry:\n    elman.load\nexcept ImportError as error:\n    print(error)"
    assert (
        said(installed, code)
        == "elman-runtime is installed, which has elman.runtime alone; pip install elman for elman.load"
    )


def test_it_depends_on_numpy_alone_and_has_the_version_of_elman() -> None:
    project = tomllib.loads((PACKAGING / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert [re.split(r"[^\w-]", line)[0] for line in project["dependencies"]] == ["numpy"]
    assert project["version"] == elman.__version__
