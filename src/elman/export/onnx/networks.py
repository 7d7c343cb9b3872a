"""Which networks have a form in ONNX: how each is written, and what the graph does before the network."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import numpy as np
from torch import nn

from elman.data.scaling import Scaler
from elman.errors import UserError
from elman.export.onnx.graph import Graph
from elman.export.onnx.graphs.captioner import captioner
from elman.export.onnx.graphs.classifier import classifier
from elman.export.onnx.graphs.forecaster import forecaster
from elman.export.onnx.graphs.language import language_model
from elman.export.onnx.graphs.ngrams.network import with_ngrams
from elman.export.onnx.graphs.transcriber import transcriber
from elman.export.onnx.graphs.translator import translator
from elman.export.onnx.running.session import ExportedNetwork
from elman.models.captioner import Captioner
from elman.models.classification.ensemble import Ensemble
from elman.models.classification.multiscale import MultiScaleClassifier
from elman.models.classification.ngrams import WithNgrams
from elman.models.classifier import Classifier
from elman.models.forecasting.forecaster import DirectForecaster, RecursiveForecaster
from elman.models.language_model import LanguageModel
from elman.models.seq2seq import Translator
from elman.models.squeezenet import SqueezeNet
from elman.models.transcriber import Transcriber
from elman.tasks.captioning.task import Task as CaptioningTask
from elman.tasks.forecasting.task import Task as ForecastingTask
from elman.tasks.series.task import Task as SeriesTask
from elman.tasks.speech.recordings import SpeechTask
from elman.tasks.translation.task import Task as TranslationTask
from elman.training.task import Task

log = logging.getLogger("elman")


def write_network(g: Graph, task: Task[Any], model: nn.Module) -> None:
    """Write the graph of a run's network.

    Raises:
        UserError: it is of a class that has no form in ONNX, or has a part that has none.
    """
    if isinstance(model, ExportedNetwork):
        raise UserError("this is an exported file already; name the run that it was made of")
    if type(model) not in NETWORKS:
        raise UserError(
            f"the network of the task {task.name} is of the class {type(model).__name__}, which has no form in ONNX;"
            f" those that have are {', '.join(kind.__name__ for kind in NETWORKS)}"
        )
    NETWORKS[type(model)](g, task, model)


def extra_facts(model: nn.Module) -> dict[str, Any]:
    """What the file must say of a network that is neither in the graph nor in the settings, as JSON has it."""
    return {"widen": model.widen.tolist()} if isinstance(model, DirectForecaster | RecursiveForecaster) else {}


def inner_scaler(task: Task[Any]) -> Scaler | None:
    """What the graph does to values before the network."""
    if isinstance(task, SeriesTask):
        return task.scaler
    if isinstance(task, SpeechTask) and task.front_end.scaler is not None:
        count = task.front_end.stack
        return Scaler(np.tile(task.front_end.scaler.mean, count), np.tile(task.front_end.scaler.std, count))
    return None


def without_scale(scaler: Scaler) -> Scaler:
    """The scaler of a task whose graph scales: it changes nothing."""
    channels = scaler.channels
    difference = scaler.difference if scaler.floor is None else None
    return Scaler(np.zeros(channels, np.float32), np.ones(channels, np.float32), difference)


def _classifier(g: Graph, task: Task[Any], model: nn.Module) -> None:
    classifier(g, model, answers=task.answer_kind, scaler=inner_scaler(task))


def _with_ngrams(g: Graph, task: Task[Any], model: WithNgrams) -> None:
    with_ngrams(g, model)


def _language_model(g: Graph, task: Task[Any], model: LanguageModel) -> None:
    language_model(g, model)


def _transcriber(g: Graph, task: Task[Any], model: Transcriber) -> None:
    transcriber(g, model, scaler=inner_scaler(task))


def _forecaster(g: Graph, task: ForecastingTask, model: DirectForecaster | RecursiveForecaster) -> None:
    forecaster(g, model, list(task.fitted.scales.values()))


def _captioner(g: Graph, task: CaptioningTask, model: Captioner) -> None:
    assert task.vocabulary.bos is not None
    captioner(g, model, task.vocabulary.bos, _network_that_sees(task))


def _network_that_sees(task: CaptioningTask) -> SqueezeNet | None:
    """What made the features, to go into the file; None for another's network, and where its weights cannot be had."""
    from elman.models.image_features import MAKER, network_that_sees

    if task.seen.maker != MAKER:
        return None
    try:
        return network_that_sees()
    except UserError as error:
        log.warning("the file takes features and no pictures, since the network that sees cannot be had: %s", error)
        return None


def _translator(g: Graph, task: TranslationTask, model: Translator) -> None:
    assert task.codes.target.bos is not None
    translator(g, model, task.codes.target.bos)


NETWORKS: dict[type[nn.Module], Callable[[Graph, Any, Any], None]] = {
    Classifier: _classifier,
    MultiScaleClassifier: _classifier,
    Ensemble: _classifier,
    WithNgrams: _with_ngrams,
    LanguageModel: _language_model,
    Transcriber: _transcriber,
    DirectForecaster: _forecaster,
    RecursiveForecaster: _forecaster,
    Captioner: _captioner,
    Translator: _translator,
}
"""How each is written, with what its task does to inputs before they reach it."""
