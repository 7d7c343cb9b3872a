"""Exported runs beside the runs: predictions that differ over each test part, sizes of files, and latencies.

For each run its whole test part (the validation part where there is none) is answered by the run and by the file:
labels, texts and the likeliest token must be the same, and every number within 1e-4, absolutely below 1 and relatively
above. A latency is the median of 200 warm calls with one input, on one thread: `predict` from text to prediction, and
the network alone.

Run: python benchmarks/export.py RUN ... [--precision float32|float16|int8]
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

import elman
from elman.errors import UserError
from elman.models.decoding.config import Decoding
from elman.tasks.captioning.task import Task as CaptioningTask
from elman.tasks.classification.task import ClassificationTask
from elman.tasks.forecasting.task import Task as ForecastingTask
from elman.tasks.language.task import Task as LanguageTask
from elman.tasks.memory.task import TEST_LENGTHS, TEST_STRINGS
from elman.tasks.memory.task import Task as MemoryTask
from elman.tasks.speech.transcripts import TranscriptTask
from elman.tasks.translation.task import Task as TranslationTask

CALLS = 200
WORDS = "this film is not the worst of the year but it comes close and nobody will miss it when gone"
APART = 1e-4


class Answered(NamedTuple):
    """What was answered to one part of the data: labels, texts or tokens, and the numbers beside them."""

    said: list[Any]
    numbers: torch.Tensor


def answers(task: Any, model: Any) -> Iterator[Answered]:
    """All that a run or a file answers to the test part, a piece at a time."""
    part = "test"
    match task:
        case ClassificationTask():
            part = part if len(task.examples("test")) else "validation"
            scores = task._ask(model, task.examples(part)).scores
            yield Answered(scores.argmax(-1).tolist(), scores.softmax(-1))
        case MemoryTask():
            lengths = TEST_LENGTHS if task.settings.problem == "parity" else (task.settings.max_length,)
            every = {"every_step": True} if task.settings.problem == "copy" else {}
            for length in lengths:
                batch = task.memory.batch(length, TEST_STRINGS, 0, length, "test")
                scores = model(batch.inputs, batch.lengths, **every)
                one = task.settings.problem == "adding"
                yield Answered([] if one else scores.argmax(-1).flatten().tolist(), scores)
        case LanguageTask():
            streams, state = task.streams_of_validation(1), ()
            for step in range(streams.chunks_per_epoch):
                logits, state = model(streams.chunk(step)[0], state)
                chances = logits.log_softmax(-1)
                yield Answered(logits.argmax(-1).flatten().tolist(), chances)
        case ForecastingTask():
            windows = task.data.test if len(task.data.test) else task.data.validation
            found = task._ask(model, windows, task.data.held)
            given = [one for one in (found.point, found.lower, found.upper) if one is not None]
            yield Answered([], torch.from_numpy(np.stack(given)))
        case TranscriptTask():
            utterances = task._held_out["test"] or task._held_out["validation"]
            heard = task._hear(model, utterances, 8)
            each = [torch.from_numpy(one.steps).unsqueeze(1) for one in utterances]
            scores = [model(steps, torch.tensor([len(steps)])).log_softmax(-1).flatten() for steps in each]
            yield Answered([*heard.greedy, *heard.beam], torch.cat([torch.tensor([heard.loss]), *scores]))
        case CaptioningTask():
            from elman.tasks.captioning.steps import caption

            part = task.captioned.parts["test" if len(task.captioned.parts["test"]) else "validation"]
            found = caption(model, torch.from_numpy(part.vectors), task.vocabulary, task.decoding, 1)
            yield Answered([one.tokens for one in found], torch.tensor([one.log_probability for one in found]))
        case TranslationTask():
            from elman.tasks.translation.steps import translate

            encoded = task.encoded("test" if len(task.data.test) else "validation")
            found = translate(model, encoded.source, task.codes, Decoding(beam=5, max_length=10**6))
            chances = [one[0].log_probability for one in found]
            yield Answered([one[0].tokens for one in found], torch.tensor(chances))


def compared(run: Any, file: Any) -> tuple[int, int, float]:
    """How many answers there are, how many differ, and the largest difference of a number."""
    count, differ, apart = 0, 0, 0.0
    with torch.no_grad():
        for one, other in zip(answers(run.task, run.model), answers(file.task, file.model), strict=True):
            count += len(one.said) or one.numbers.numel()
            differ += sum(a != b for a, b in zip(one.said, other.said, strict=True))
            differences = (one.numbers - other.numbers).abs() / one.numbers.abs().clamp(min=1)
            apart = max(apart, float(differences.nan_to_num(0.0).max()))
    return count, differ, apart


def median_ms(call: Callable[[], Any]) -> float:
    """The median of warm calls, in milliseconds."""
    for _ in range(20):
        call()
    times = []
    for _ in range(CALLS):
        begin = time.perf_counter()
        call()
        times.append(time.perf_counter() - begin)
    return 1000 * statistics.median(times)


def latencies(run: Any, file: Any) -> Iterator[tuple[str, float, float]]:
    """What is asked, and the milliseconds of run and file; for classifiers of texts."""
    from elman.tasks.sentiment import Options

    plain = Options(opinion=False)
    yield (
        "predict, a text of 20 words",
        *(median_ms(lambda one=one: one.predict(WORDS, plain)) for one in (run, file)),
    )
    ids = torch.from_numpy(run.task.encode([WORDS])[0]).unsqueeze(1)
    lengths = torch.tensor([len(ids)])
    with torch.no_grad():
        found = [median_ms(lambda one=one: one.model(ids, lengths)) for one in (run, file)]
    yield ("the network alone", *found)


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", nargs="+")
    parser.add_argument("--precision", default="float32")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    console = Console(width=150)
    shown = Table(title=f"runs and their ONNX files, {asked.precision}")
    for column in ("run", "task", "answers", "differ", "largest difference", "weights KiB", "file KiB", "seconds"):
        shown.add_column(column, justify="left" if column in ("run", "task") else "right")
    times = Table(title="milliseconds, warm, one thread")
    for column in ("run", "asked", "run ms", "file ms"):
        times.add_column(column, justify="left" if column in ("run", "asked") else "right")
    with tempfile.TemporaryDirectory() as folder:
        for name in asked.runs:
            run = elman.load(name)
            begin = time.perf_counter()
            try:
                done = run.export("onnx", Path(folder) / "run.onnx", asked.precision)
            except UserError as error:
                shown.add_row(name, run.task.name, "", "", str(error)[:70])
                continue
            seconds, file = time.perf_counter() - begin, elman.load(done.path)
            count, differ, apart = compared(run, file)
            weights = run.folder.weights.stat().st_size
            sizes = f"{weights / 1024:,.0f}", f"{done.size / 1024:,.0f}"
            shown.add_row(name, run.task.name, f"{count:,}", f"{differ:,}", f"{apart:.1e}", *sizes, f"{seconds:.2f}")
            if run.task.name == "sentiment":
                for what, own, other in latencies(run, file):
                    times.add_row(name, what, f"{own:.3f}", f"{other:.3f}")
    console.print(shown)
    if times.row_count:
        console.print(times)


if __name__ == "__main__":
    main()
