"""What a stream says of one input: by the task's own stream where it has one, else its predictions as they come."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from elman.errors import UserError
from elman.training.predicting.input_stream import Event
from elman.web.service.requests.bodies import Asked
from elman.web.service.requests.encoding import plain_prediction
from elman.web.service.requests.inputs import checked_inputs
from elman.web.service.requests.problems import Problem
from elman.web.service.served_run import ServedRun

_SOUND_RATE = 16_000
"""To which a file is brought before the run brings it to its own."""


def said_of(asked: Asked, served: ServedRun) -> Callable[[], Iterator[Event]]:
    """What is said of the one input of a request.

    Raises:
        Problem: an input or options that the run does not take.
    """
    options = served.options(asked.options)
    (given,) = checked_inputs(asked, served)
    return lambda: _named(_said(served, given, options), asked)


def _said(served: ServedRun, given: Any, options: Any) -> Iterator[Event]:
    if served.streams is None or (served.streams == "numbers" and isinstance(given, str)):
        for prediction in served.run.stream([given], options):
            yield {"event": "prediction", **plain_prediction(prediction)}
        return
    stream = served.run.open_stream(options)
    if stream.takes == "sound":
        from elman.data.audio.io import sound_pieces

        for piece in sound_pieces(Path(given), _SOUND_RATE):
            yield from stream.push((piece, _SOUND_RATE))
    else:
        # the whole input is here, and nothing of it may still grow
        yield from (event for event in stream.push(given) if event["event"] != "provisional")
    yield from stream.finish()


def _named(events: Iterator[Event], asked: Asked) -> Iterator[Event]:
    try:
        for event in events:
            if isinstance(event.get("input"), str):
                event = {**event, "input": asked.named(event["input"])}
            yield event
    except UserError as error:
        raise Problem(422, asked.named(str(error))) from error
