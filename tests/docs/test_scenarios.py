"""The code in docs/scenarios.md runs, its pictures are there, and its commands are commands."""

from __future__ import annotations

import re
import runpy
import shlex
from pathlib import Path
from typing import Any

from elman.tasks import task_names

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "scenarios.md").read_text(encoding="utf-8")


def test_every_example_runs() -> None:
    examples = re.findall(r"^```python\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    assert len(examples) == 6
    names: dict[str, Any] = {}
    for example in examples:
        exec(compile(example, "docs/scenarios.md", "exec"), names)
    assert names["y"].shape == (1, 4, 2)
    assert names["by_mean"].shape == names["by_last"].shape == (4, 2)


def test_every_command_names_a_task() -> None:
    commands = [shlex.split(line) for line in PAGE.splitlines() if line.startswith("elman train")]
    assert len(commands) >= 4
    assert {command[2] for command in commands} <= set(task_names())


def test_the_pictures_are_what_the_script_draws() -> None:
    script = runpy.run_path(str(DOCS / "draw_scenarios.py"))
    shown = re.findall(r"\(pictures/([\w-]+)\.svg\)", PAGE)
    drawings = [draw() for draw in script["SCENARIOS"]]
    assert sorted(drawing.name for drawing in drawings) == sorted(shown)
    for name in shown:
        assert (DOCS / "pictures" / f"{name}.svg").stat().st_size > 5000
