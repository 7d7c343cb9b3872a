"""The map of the source in CONTRIBUTING.md is today's, and every file has its line."""

from __future__ import annotations

import runpy
from pathlib import Path

ROOT = Path(__file__).parents[2]
MAP = runpy.run_path(str(ROOT / "docs" / "map.py"))


def test_the_map_is_up_to_date() -> None:
    page = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    assert MAP["with_map"](page) == page, "run: make map"


def test_every_file_has_a_line_that_says_something() -> None:
    lines = [line for line in MAP["source_map"]().splitlines() if line.startswith("- ")]
    files = [path for path in (ROOT / "src" / "elman").rglob("*.py") if path.name != "__init__.py"]
    assert len(lines) == len(files)
    assert all(len(line.partition(": ")[2]) > 10 for line in lines)
