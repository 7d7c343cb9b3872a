"""The commands and examples of docs/export.md do what the page says, on a small run."""

from __future__ import annotations

import re
import runpy
import shutil
from pathlib import Path

import pytest

from elman.tasks import task_names

pytest.importorskip("onnx", reason="the page exports a run")
pytest.importorskip("onnxruntime", reason="the page runs an exported file")

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "export.md").read_text(encoding="utf-8")
BUILD = runpy.run_path(str(ROOT / "docs" / "build.py"))


def test_what_the_page_says_happens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(ROOT / "tests/old_runs/runs_v0_1/parity", tmp_path / "runs/parity")
    monkeypatch.chdir(tmp_path)
    built = BUILD["build_page"]("export.md", PAGE)
    answers = re.search(r"^1000010101 .*\n100011 .*$", PAGE, re.MULTILINE)
    assert answers is not None
    assert answers[0] in built
    assert built.count("\n") == PAGE.count("\n")


def test_it_tells_of_every_task() -> None:
    assert all(f"| `{name}" in PAGE for name in task_names())
