"""How often a run, the runtime without torch, and the C program of it differ over the test part, and by how much.

elman train sentiment --out runs/sst2
python benchmarks/agreement.py runs/sst2 [RUN...]
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

import elman
from elman.errors import UserError
from elman.export.c.check import Compiled, compiler
from elman.export.c.programs import write_program
from elman.runtime import load
from elman.runtime.tasks.sentiment import SentimentModel
from elman.runtime.tasks.series import SeriesModel
from elman.runtime.text.ngrams import WithNgrams

PROMPTS, STRINGS, TABLES = 20, 200, 24
PIECE = 2_000


def inputs_of(run: Any) -> list[Any]:
    """What the run is asked: its test part, or where it has none, pieces of the validation part or new strings."""
    task = run.task
    match task.name:
        case "sentiment":
            return list(task.data.test.texts)
        case "series":
            return list(task.data.test.values)
        case "speech":
            return [str(one.path) for one in task.recordings.part("test")]
        case "language":
            text = task.vocabulary.decode(task.encoded.validation[: PROMPTS * PIECE].tolist())
            return [text[begin : begin + 40] for begin in range(0, len(text) - 40, max(1, len(text) // PROMPTS))]
        case "parity":
            generator = np.random.default_rng(1)
            return ["".join(map(str, generator.integers(0, 2, n % 60 + 1))) for n in range(STRINGS)]
        case "forecasting":
            from elman.data.timeseries.forecasting import read_source

            table, _ = read_source(task.settings.data, task.fitted.roles.series_id)
            return [table.iloc[: len(table) - left] for left in range(TABLES)]
    raise UserError(f"{run.folder.path}: a run of {task.name} is not compared here")


def texts_and_numbers(value: Any) -> tuple[list[str], list[float]]:
    """All texts and all numbers of a prediction."""
    if isinstance(value, float):
        return [], [value]
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    if inner is None:
        return [str(value)], []
    found = [texts_and_numbers(one) for one in inner]
    return [text for texts, _ in found for text in texts], [number for _, numbers in found for number in numbers]


def compare(path: Path) -> None:
    """Print a line for the runtime, and one for the C program where the run has classes of sequences."""
    run, model = elman.load(path), load(path)
    given = inputs_of(run)
    different, apart, answers = 0, 0.0, []
    for one in given:
        plain = {"opinion": False} if model.task == "sentiment" else {}
        options = type(run.task).options_type(**plain)
        own = model.predict([one], **plain)
        answers.append(own[0])
        for ours, theirs in zip(own, run.predict([one], options), strict=True):
            ours_json, theirs_json = ours.to_json(), theirs.to_json()
            (texts, numbers), (said, wanted) = (
                texts_and_numbers(ours_json),
                texts_and_numbers({k: theirs_json[k] for k in ours_json}),
            )
            different += texts != said
            relative = np.abs(np.subtract(numbers, wanted)) / np.maximum(np.abs(wanted), 1)
            apart = max(apart, float(relative.max(initial=0)))
    print(
        f"{path}: {len(given):,} inputs; runtime: {different} differ in a label or text, numbers by {apart:.1e} at most"
    )
    if isinstance(getattr(model, "model", None), WithNgrams):
        print(f"{path}: counted n-grams have no form in C")
    elif isinstance(model, SentimentModel | SeriesModel) and (command := compiler()):
        compare_program(path, model, given, answers, command)


def compare_program(
    path: Path, model: SentimentModel | SeriesModel, given: list[Any], answers: list[Any], command: str
) -> None:
    """Print how far the C program is from the runtime."""
    different, apart = 0, 0.0
    with tempfile.TemporaryDirectory() as folder:
        program = Compiled(write_program(model, "model", "float32"), "model", Path(folder), [command, "-O2"])
        for one, answer in zip(given, answers, strict=True):
            x = model.encode(one) if isinstance(model, SentimentModel) else one
            shares = program.whole(x) if program.program.kind == "whole" else program.steps(x)[-1]
            different += model.classes[int(shares.argmax())] != answer.label
            apart = max(apart, float(np.abs(shares - list(answer.probabilities.values())).max()))
    print(f"{path}: C: {different} differ in the label, probabilities by {apart:.1e} at most")


if __name__ == "__main__":
    for name in sys.argv[1:]:
        compare(Path(name))
