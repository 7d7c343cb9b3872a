"""An exported graph in the place of the network that it was exported from, by the name of that network's class."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import nn

from elman.errors import UserError
from elman.export.onnx.file import Facts
from elman.export.onnx.running.classifier import ExportedClassifier, ExportedWithNgrams
from elman.export.onnx.running.forecaster import ExportedDirectForecaster, ExportedRecursiveForecaster
from elman.export.onnx.running.language import ExportedLanguageModel
from elman.export.onnx.running.session import Session
from elman.export.onnx.running.transcriber import ExportedTranscriber
from elman.export.onnx.running.writers import ExportedCaptioner, ExportedTranslator
from elman.tasks.forecasting.task import Task as ForecastingTask
from elman.tasks.sentiment import Task as SentimentTask
from elman.training.task import Task

FORECASTERS = {
    "DirectForecaster": ExportedDirectForecaster,
    "RecursiveForecaster": ExportedRecursiveForecaster,
}
OTHERS = {
    "Classifier": ExportedClassifier,
    "MultiScaleClassifier": ExportedClassifier,
    "Ensemble": ExportedClassifier,
    "LanguageModel": ExportedLanguageModel,
    "Transcriber": ExportedTranscriber,
    "Captioner": ExportedCaptioner,
    "Translator": ExportedTranslator,
}


def in_place(session: Session, task: Task[Any], facts: Facts, path: Path) -> nn.Module:
    """The graph as a network, in evaluation mode.

    Raises:
        UserError: a network that this version does not know, or facts that do not fit the task.
    """
    name = facts.network
    if name == "WithNgrams" and isinstance(task, SentimentTask):
        return ExportedWithNgrams(session, task.settings.max_length).eval()
    if name in OTHERS:
        return OTHERS[name](session).eval()
    if name not in FORECASTERS or not isinstance(task, ForecastingTask):
        raise UserError(f"{path} holds a {name[:40]}, which this version does not know; export its run again")
    shape = task.settings.horizon, len(task.fitted.roles.targets)
    try:
        widen = torch.tensor(facts.extra["widen"], dtype=torch.float32).reshape(shape)
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise UserError(f"{path} is damaged: it lacks the width of its intervals; export its run again") from error
    return FORECASTERS[name](session, task.head, widen, len(task.fitted.scales)).eval()
