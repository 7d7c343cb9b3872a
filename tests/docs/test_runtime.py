"""The commands and examples of docs/runtime.md do what the page says, on a small run."""

from __future__ import annotations

import runpy
import shutil
from pathlib import Path

import pytest

from elman.runtime.model import TASKS

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "runtime.md").read_text(encoding="utf-8")
BUILD = runpy.run_path(str(ROOT / "docs" / "build.py"))


def test_what_the_page_says_happens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(ROOT / "tests/old_runs/runs_v0_1/parity", tmp_path / "runs/parity")
    monkeypatch.chdir(tmp_path)
    built = BUILD["build_page"]("runtime.md", PAGE)
    assert built.count("\n") == PAGE.count("\n")
    assert {"parity.c", "parity.h"} <= {path.name for path in tmp_path.iterdir()}


def test_it_tells_of_every_task() -> None:
    assert all(f"| `{name}`" in PAGE for name in TASKS)
