"""Which networks have a form in ONNX: how each is written, and what stands in its place when the file is run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from elman.data.scaling import Scaler
from elman.errors import UserError
from elman.export.onnx.graph import Graph
from elman.export.onnx.graphs.captioner import captioner
from elman.export.onnx.graphs.classifier import Answers, classifier
from elman.export.onnx.graphs.forecaster import forecaster
from elman.export.onnx.graphs.language import language_model
from elman.export.onnx.graphs.transcriber import transcriber
from elman.export.onnx.graphs.translator import translator
from elman.export.onnx.running.classifier import ExportedClassifier
from elman.export.onnx.running.forecaster import ExportedDirectForecaster, ExportedRecursiveForecaster
from elman.export.onnx.running.language import ExportedLanguageModel
from elman.export.onnx.running.session import Session
from elman.export.onnx.running.transcriber import ExportedTranscriber
from elman.export.onnx.running.writers import ExportedCaptioner, ExportedTranslator
from elman.models.captioner import Captioner
from elman.models.classification.ensemble import Ensemble
from elman.models.classification.multiscale import MultiScaleClassifier
from elman.models.classifier import Classifier
from elman.models.forecasting.forecaster import DirectForecaster, RecursiveForecaster
from elman.models.language_model import LanguageModel
from elman.models.seq2seq import Translator
from elman.models.transcriber import Transcriber
from elman.tasks.captioning.task import Task as CaptioningTask
from elman.tasks.forecasting.task import Task as ForecastingTask
from elman.tasks.memory.task import Task as MemoryTask
from elman.tasks.series.task import Task as SeriesTask
from elman.tasks.speech.recordings import SpeechTask
from elman.tasks.translation.task import Task as TranslationTask
from elman.training.task import Task

Scale = tuple[NDArray[np.float32], NDArray[np.float32]]


class Network(NamedTuple):
    """A network with a form in ONNX.

    Attributes:
        write: its graph, with what the task does to inputs before they reach it.
        run: an exported graph in its place, from what `extra` told of the run.
        extra: what `run` needs that is neither in the graph nor in the settings, as JSON has it.
    """

    write: Callable[[Graph, Any, Any], None]
    run: Callable[[Session, Any, dict[str, Any]], nn.Module]
    extra: Callable[[Any, Any], dict[str, Any]] = lambda task, model: {}


def network_of(task: Task[Any], model: nn.Module) -> Network:
    """How a run's network is exported.

    Raises:
        UserError: it is of a class that has no form in ONNX.
    """
    found = NETWORKS.get(type(model).__name__)
    if found is None or type(model).__module__.partition(".")[0] != "elman":
        raise UserError(
            f"the network of the task {task.name} is of the class {type(model).__name__}, which has no form in ONNX;"
            f" elman exports {', '.join(NETWORKS)}"
        )
    return found


def inner_scale(task: Task[Any]) -> Scale | None:
    """What the graph does to a step's values (I,) before the network: what is taken away, and what is divided by."""
    if isinstance(task, SeriesTask):
        return task.scaler.mean, task.scaler.std
    if isinstance(task, SpeechTask) and task.front_end.scaler is not None:
        count = task.front_end.stack
        return np.tile(task.front_end.scaler.mean, count), np.tile(task.front_end.scaler.std, count)
    return None


def without_scale(scaler: Scaler) -> Scaler:
    """The scaler of a task whose graph scales: it changes nothing."""
    return Scaler(np.zeros_like(scaler.mean), np.ones_like(scaler.std), scaler.difference)


def _answers(task: Task[Any]) -> Answers:
    problem = task.settings.problem if isinstance(task, MemoryTask) else ""
    return "number" if problem == "adding" else "classes at every step" if problem == "copy" else "classes"


def _write_classifier(g: Graph, task: Task[Any], model: nn.Module) -> None:
    classifier(g, model, answers=_answers(task), scale=inner_scale(task))


def _write_transcriber(g: Graph, task: Task[Any], model: Transcriber) -> None:
    transcriber(g, model, scale=inner_scale(task))


def _write_forecaster(g: Graph, task: ForecastingTask, model: DirectForecaster | RecursiveForecaster) -> None:
    forecaster(g, model, list(task.fitted.scales.values()))


def _write_captioner(g: Graph, task: CaptioningTask, model: Captioner) -> None:
    assert task.vocabulary.bos is not None
    captioner(g, model, task.vocabulary.bos)


def _write_translator(g: Graph, task: TranslationTask, model: Translator) -> None:
    assert task.codes.target.bos is not None
    translator(g, model, task.codes.target.bos)


def _widen(task: ForecastingTask, model: DirectForecaster | RecursiveForecaster) -> dict[str, Any]:
    return {"widen": model.widen.tolist()}


def _forecaster_in_place(
    kind: type[ExportedDirectForecaster | ExportedRecursiveForecaster],
) -> Callable[[Session, ForecastingTask, dict[str, Any]], nn.Module]:
    def run(session: Session, task: ForecastingTask, extra: dict[str, Any]) -> nn.Module:
        shape = task.settings.horizon, len(task.fitted.roles.targets)
        try:
            widen = torch.tensor(extra["widen"], dtype=torch.float32).reshape(shape)
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            raise UserError(f"{session.name} is damaged: it does not say how wide intervals are") from error
        return kind(session, task.head, widen, len(task.fitted.scales))

    return run


_CLASSIFIER = Network(_write_classifier, lambda session, task, extra: ExportedClassifier(session))
NETWORKS = {
    Classifier.__name__: _CLASSIFIER,
    MultiScaleClassifier.__name__: _CLASSIFIER,
    Ensemble.__name__: _CLASSIFIER,
    LanguageModel.__name__: Network(
        lambda g, task, model: language_model(g, model), lambda session, task, extra: ExportedLanguageModel(session)
    ),
    Transcriber.__name__: Network(_write_transcriber, lambda session, task, extra: ExportedTranscriber(session)),
    DirectForecaster.__name__: Network(_write_forecaster, _forecaster_in_place(ExportedDirectForecaster), _widen),
    RecursiveForecaster.__name__: Network(_write_forecaster, _forecaster_in_place(ExportedRecursiveForecaster), _widen),
    Captioner.__name__: Network(_write_captioner, lambda session, task, extra: ExportedCaptioner(session)),
    Translator.__name__: Network(_write_translator, lambda session, task, extra: ExportedTranslator(session)),
}
"""By the name of the network's class."""
