"""Small runs for the tests of the runtime, with weights as they begin, and what it is to say the same."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from elman.tasks import task_module
from elman.training.checkpoint import save_weights
from elman.training.run_folder import RunFolder

APART = 1e-4
"""By how much the runtime's numbers may differ from the run's: absolutely below 1, relatively above."""
STEP = {"step": 0, "metrics": {}}


def begun(folder: Path, task: str, **settings: Any) -> Path:
    """A run whose weights are as they begin, without training."""
    import torch

    torch.manual_seed(1)
    module = task_module(task)
    made = module.Task.new(module.Settings(**settings))
    folder.mkdir()
    made.save(folder)
    RunFolder(folder).write_settings(task, made.settings)
    save_weights(folder / "model.safetensors", made.build_model(), STEP)
    return folder


def assert_alike(got: Any, want: Any, where: str = "") -> None:
    """The same labels and texts, and numbers within `APART`, in all that is wanted."""
    if isinstance(want, dict):
        assert want.keys() <= got.keys(), where
        for name, value in want.items():
            assert_alike(got[name], value, f"{where}/{name}")
    elif isinstance(want, list):
        assert len(got) == len(want), where
        for number, (one, other) in enumerate(zip(got, want, strict=True)):
            assert_alike(one, other, f"{where}/{number}")
    elif isinstance(want, float):
        assert math.isclose(got, want, rel_tol=APART, abs_tol=APART), (where, got, want)
    else:
        assert got == want, where
