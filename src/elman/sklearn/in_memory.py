"""A training that leaves nothing on disk: for programs that hold their data and want the network back."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from elman.training.checkpoint import load_weights
from elman.training.loop import Result, train
from elman.training.optim import start_accelerator
from elman.training.run_folder import RunFolder
from elman.training.signals import Interrupted
from elman.training.task import Task


def train_in_memory(task: Task[Any]) -> tuple[nn.Module, Result]:
    """Train a task's model by its settings.

    The loop is that of every run; the best weights lie in a temporary folder meanwhile. torch's random state is
    afterwards what it was.

    Arguments:
        task: with its data and all settings in place.

    Returns:
        the model with the best weights on the validation part, on the CPU in evaluation mode; and how the run ended,
        with the metrics of these weights.

    Raises:
        UserError: the loss is not finite.
        KeyboardInterrupt: Ctrl-C; what was learned until then is lost.
    """
    task.prepare()
    with tempfile.TemporaryDirectory(prefix="elman-") as place, torch.random.fork_rng():
        folder = RunFolder(Path(place))
        try:
            result = train(task, task.settings, folder, start_accelerator(task.settings), checkpoints=False)
        except Interrupted as stopped:
            raise KeyboardInterrupt("training was stopped; nothing is kept") from stopped
        task.begins = False
        model = task.build_model()
        best = load_weights(folder.weights, model)
    return model.eval(), replace(result, metrics={name: best[name] for name in result.metrics})
