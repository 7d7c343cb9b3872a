"""Runs whose networks nobody has trained: made in a moment, and read like any other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from elman.tasks import task_module
from elman.training.checkpoint import save_weights
from elman.training.run_folder import RunFolder

TEXT = 'the "quick" brown fox (jumps)\nover the lazy dog.\n'
SERIES = [[0.1, 0.2], [0.3, -0.4], [0.5, 0.1], [0.2, 0.2]]


def write_data(folder: Path) -> None:
    """text.txt, reviews.csv, one.csv, and a folder of series in two classes."""
    (folder / "text.txt").write_text(TEXT * 30)
    reviews = [f"the food was {word} {n},{word}" for n in range(20) for word in ("good", "bad")]
    (folder / "reviews.csv").write_text("\n".join(["text,label", *reviews]))
    np.savetxt(folder / "one.csv", SERIES, delimiter=",")
    for name, scale in (("small", 1), ("large", 3)):
        (folder / "classes" / name).mkdir(parents=True)
        for number in range(12):
            values = scale * (np.array(SERIES) + 0.01 * number)
            np.savetxt(folder / "classes" / name / f"{number}.csv", values, delimiter=",")


def make_run(path: Path, task_name: str, **settings: Any) -> Path:
    """A run of the task with the weights that its network begins with."""
    torch.manual_seed(0)
    module, folder = task_module(task_name), RunFolder(path)
    task = module.Task.new(module.Settings(**settings))
    task.prepare()
    folder.write_settings(task_name, task.settings)
    task.save(path)
    save_weights(folder.weights, task.build_model(), {"step": 0})
    return path
