"""Which program a run becomes, by its task."""

from __future__ import annotations

from typing import Any

import numpy as np

from elman.errors import UserError
from elman.export.c.forecast import check_size, write_forecaster
from elman.export.c.layers import Answer, Reading, answer_of
from elman.export.c.networks import members_of, write_steps, write_transcriber, write_whole
from elman.export.c.program import Program, listed
from elman.export.c.source import Source
from elman.runtime.classifier import Classifier, Ensemble, MultiScaleClassifier
from elman.runtime.model import Model
from elman.runtime.scaling import Scaler
from elman.runtime.tasks.forecasting import ForecastingModel
from elman.runtime.tasks.language import LanguageModel
from elman.runtime.tasks.parity import ParityModel
from elman.runtime.tasks.sentiment import SentimentModel
from elman.runtime.tasks.series import SeriesModel
from elman.runtime.tasks.speech import SpeechModel
from elman.runtime.text.ngrams import WithNgrams

MOST_STEPS = 1024
"""Steps of the longest sequence that a program of two directions has room for, unless the run says another."""


def write_program(model: Model, name: str, precision: str) -> Program:
    """The program of a loaded run.

    Raises:
        UserError: a task or a part that has no form in C.
    """
    source = Source(name, precision)
    facts = {"task": model.task, "step": str(model.header.get("step", 0)), "precision": precision}
    match model:
        case LanguageModel():
            answer = Answer([model.output], [1.0], "")
            facts |= _facts(
                "a language model", f"A step is a token, its number in the run's vocabulary of {len(model.vocabulary)}."
            )
            reading = Reading(model.recurrent.input_size, model.embedding)
            return write_steps(source, facts, model.recurrent, reading, answer, "logits of the next token", ", a token")
        case ParityModel():
            return _parity(source, facts, model)
        case SentimentModel():
            if isinstance(model.model, WithNgrams):
                raise UserError(
                    "this run joins its network with counted n-grams, whose table has no form in C; train with"
                    " `ngrams=none`, or export it to onnx"
                )
            facts |= _facts(
                "a classifier of texts",
                f"A step is a token, its number in the run's vocabulary of {len(model.vocabulary)}.",
            )
            most, what = min(model.longest, 1 << 16), ", each a token"
            return _classifier(source, facts, model.model, None, model.classes, what, most)
        case SeriesModel():
            facts |= _facts("a classifier of series", f"A step is {model.channels} numbers as they were measured.")
            return _classifier(
                source, facts, model.model, model.scaler, model.classes, f" of {model.channels} numbers", MOST_STEPS
            )
        case SpeechModel():
            return _speech(source, facts, model)
        case ForecastingModel():
            check_size(model)
            facts |= _facts("a forecaster", "Numbers are in their own units; scales are inside.")
            return write_forecaster(source, facts, model)
    raise UserError(f"a run of the task {model.task} has no form in C; export it to onnx")


def _facts(what: str, about: str) -> dict[str, str]:
    return {"what": what, "about": about}


def _parity(source: Source, facts: dict[str, str], model: ParityModel) -> Program:
    classifier, tokens = model.model, model.problem != "adding"
    table = _table(classifier) if tokens else None
    reading = Reading(classifier.recurrent.input_size, table)
    last, said, about = {
        "parity": ("softmax", "probabilities of NO and YES", "A step is a bit, 0 or 1."),
        "adding": ("", "the sum", "A step is a number from 0 to 1 and its mark, 0 or 1."),
        "copy": (
            "softmax",
            "probabilities of the ten symbols",
            "A step is 0 to 7, 8 for nothing, or 9 for the sign to write.",
        ),
    }[model.problem]
    facts |= _facts(f"the problem {model.problem}", about)
    answer = answer_of(classifier, last)
    return write_steps(
        source, facts, classifier.recurrent, reading, answer, said, "", classifier.readout, classifier.attention
    )


def _classifier(
    source: Source,
    facts: dict[str, str],
    model: Classifier | MultiScaleClassifier | Ensemble,
    scaler: Scaler | None,
    classes: tuple[str, ...],
    what: str,
    most: int,
) -> Program:
    said = "probabilities of " + listed(classes)
    members = members_of(model)
    one, by_size = members[0], None
    if scaler is not None and scaler.floor is not None:
        scaler, by_size = None, scaler
    if isinstance(one, Classifier):
        readings = [
            Reading(member.recurrent.input_size, _table(member), scaler)
            for member in members
            if isinstance(member, Classifier)
        ]
        if len(members) == 1 and not one.shape.bidirectional and by_size is None:
            return write_steps(
                source, facts, one.recurrent, readings[0], answer_of(one), said, what, one.readout, one.attention
            )
        return write_whole(source, facts, members, readings, said, what, most, by_size=by_size)
    inputs = len(one.difference)
    readings = [Reading(inputs)] * len(members)
    return write_whole(source, facts, members, readings, said, what, most, scaler or _unscaled(inputs), by_size)


def _speech(source: Source, facts: dict[str, str], model: SpeechModel) -> Program:
    front = model.front_end
    about = (
        f"A step is {front.stack} log-mel frames of {front.bands} bands, 10 ms each at {front.rate} samples a second"
        + (f", as {front.cepstra} cepstra" if front.cepstra else "")
        + ("." if front.scaler is not None else ", scaled by the recording's own mean and size.")
    )
    facts |= _facts("a network that listens", about)
    what = f" of {front.size} numbers"
    if model.whole:
        return _classifier(source, facts, model.classifier, front.scaler, model.names, what, MOST_STEPS)
    answer = Answer([model.output], [1.0], "log_softmax")
    said = "log-probabilities of nothing and of " + listed(model.names)
    reading = Reading(front.size, None, front.scaler)
    if not model.recurrent.shape.bidirectional:
        return write_steps(source, facts, model.recurrent, reading, answer, said, what)
    return write_transcriber(source, facts, model.recurrent, reading, answer, f"for each step {said}", what, MOST_STEPS)


def _table(model: Classifier) -> Any:
    """The embedding of a classifier of tokens; None of one that reads numbers."""
    return model.table


def _unscaled(channels: int) -> Scaler:
    return Scaler(np.zeros(channels, np.float32), np.ones(channels, np.float32))
