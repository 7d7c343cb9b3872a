"""Runs of every task, whose files are changed one at a time: those of version 0.1, and the same with checksums."""

from __future__ import annotations

import atexit
import json
import os
import shutil
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

from tests.fuzz.mutations import mutated

OLD_RUNS = Path(__file__).parents[1] / "old_runs" / "runs_v0_1"
WEIGHTS = ("model.safetensors", "last.safetensors")
UNDER = "run"


@cache
def expected() -> dict[str, dict[str, Any]]:
    """What each run takes, by its name."""
    found: dict[str, dict[str, Any]] = json.loads((OLD_RUNS / "expected.json").read_text(encoding="utf-8"))
    return found


def names() -> list[str]:
    """All runs; those that end in "+" are of today."""
    return [name + end for name in expected() for end in ("", "+")]


@cache
def whole(name: str) -> Path:
    """A folder with a run and the data that it names, whole."""
    folder = Path(tempfile.mkdtemp(prefix="elman-fuzz-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    shutil.copytree(OLD_RUNS / name.removesuffix("+"), folder / UNDER)
    shutil.copytree(OLD_RUNS / "data", folder / "data")
    if name.endswith("+"):
        from elman.training.tensor_files import read_tensors, write_tensors

        for file in WEIGHTS:
            write_tensors(folder / UNDER / file, *read_tensors(folder / UNDER / file))
    return folder


def change(folder: Path, random: Random, _: str) -> Path:
    """Change one file of the run: now and then into something that is no file, or take it away."""
    path = random.choice(sorted(path for path in (folder / UNDER).iterdir() if path.is_file()))
    act = random.random()
    if act < 0.02:
        path.unlink()
    elif act < 0.04:
        path.unlink()
        path.mkdir()
    else:
        path.write_bytes(mutated(path.read_bytes(), random))
    return path


def use(name: str, changed: str) -> object:
    """Load the run in the working folder and let it predict; resume it where that reads the changed file."""
    import elman
    from elman.tasks import task_module
    from elman.training.run_folder import RunFolder, settings_from

    told = expected()[name.removesuffix("+")]
    folder = RunFolder(Path(UNDER))
    if changed in ("last.safetensors", "metrics.csv"):
        _, table = folder.read()
        settings = settings_from(task_module(told["task"]).Settings, table, folder.settings)
        elman.train(told["task"], settings, UNDER, resume=True)
    run = elman.load(UNDER, weights="last" if changed == "last.safetensors" else "best")
    return [prediction.show() for prediction in run.predict(told["inputs"][:1])]


def attempt(
    name: str,
    random: Random,
    judge: Callable[[Callable[[], object]], str],
    change: Callable[[Path, Random, str], Path],
) -> tuple[str, Path]:
    """Put one changed run to use in a folder of its own; give the verdict and the folder, which is to be removed."""
    folder = Path(tempfile.mkdtemp(prefix="elman-fuzz-"))
    shutil.copytree(whole(name), folder, dirs_exist_ok=True)
    changed = change(folder, random, name)
    before = Path.cwd()
    os.chdir(folder)
    try:
        return judge(lambda: use(name, changed.name)), folder
    finally:
        os.chdir(before)
