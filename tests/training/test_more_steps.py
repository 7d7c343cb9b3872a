"""A run that has ended goes on to more steps: as if so many had been asked for, the schedule being the same."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

import elman
from elman.errors import UserError
from elman.tasks.memory import Settings
from elman.training.monitoring.metrics_log import read_metrics
from elman.training.run_folder import RunFolder

FEW = {"max_length": 6, "curriculum": 0.0, "hidden_size": 4, "batch_size": 4, "threads": 1, "warmup": 0}


def settings(steps: int, **changes: object) -> Settings:
    return Settings(**{**FEW, "schedule": "constant", "steps": steps, "eval_every": 10, **changes})  # type: ignore[arg-type]


def test_a_run_goes_on_to_more_steps(tmp_path: Path) -> None:
    elman.train("parity", settings(20), tmp_path / "run")
    elman.train("parity", settings(30), tmp_path / "run", resume=True)
    elman.train("parity", settings(30), tmp_path / "whole")
    run, whole = (load_file(tmp_path / name / "last.safetensors") for name in ("run", "whole"))
    assert run.keys() == whole.keys()
    assert all(torch.equal(tensor, whole[key]) for key, tensor in run.items())
    rows = [read_metrics(tmp_path / name / "metrics.csv") for name in ("run", "whole")]
    losses = [[row["validation_loss"] for row in table if "validation_loss" in row] for table in rows]
    assert len(losses[0]) == 3
    assert losses[0] == losses[1]
    assert RunFolder(tmp_path / "run").read()[1]["steps"] == 30


def test_but_neither_to_fewer_nor_with_other_settings(tmp_path: Path) -> None:
    elman.train("parity", settings(20), tmp_path / "run")
    for asked, says in ((settings(10), "`steps=20`, not 10"), (settings(30, lr=0.5), "`lr=")):
        with pytest.raises(UserError, match=says):
            elman.train("parity", asked, tmp_path / "run", resume=True)
    assert RunFolder(tmp_path / "run").read()[1]["steps"] == 20
