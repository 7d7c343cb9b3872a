"""`elman evaluate` and `elman sample`: measure a run, let it write."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from elman.cli.messages import show, show_json, show_rich

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from elman.run import Run
    from elman.training.report import Report

Json = Annotated[bool, Parameter(name="--json", negative="", help="Print JSON, for machines.")]
Weights = Annotated[Literal["best", "last"], Parameter(help="The best weights on validation, or the last ones.")]
RunPath = Annotated[Path, Parameter(help="The run's folder, hf://USER/NAME, or a file that elman export wrote.")]


def evaluate(
    run: RunPath,
    /,
    *,
    data: Annotated[
        tuple[Path, ...],
        Parameter(
            negative="",
            consume_multiple=True,
            help="Measure on this file or folder, or two parallel texts; leaves the run's tables alone.",
        ),
    ] = (),
    json: Json = False,
    weights: Weights = "best",
) -> None:
    """Measure a run on its held-out data; tables, where the task has them, also go into the run folder.

    Example: elman evaluate runs/shakespeare
    """
    from elman.run import ExportedRun, load

    loaded = load(run, weights=weights)
    report = loaded.examine(data)
    written = [] if data or isinstance(loaded, ExportedRun) else [table.write(run) for table in report.tables]
    if json:
        show_json(evaluation_facts(loaded, data, report))
        return
    from elman.cli.terminal.tables import metrics_table, rich_table

    on = " on " + " and ".join(map(str, data)) if data else ""
    title = f"{run}: {loaded.task.name}, weights of step {loaded.header['step']}{on}"
    tables = [table for table in report.tables if not table.only_file]
    shown = [rich_table(table) if table.rows else f"{table.title}: none" for table in tables]
    show_rich(metrics_table(title, report.metrics), *shown)
    if written:
        show_rich("written: " + ", ".join(map(str, written)))


def evaluation_facts(run: Run, data: Sequence[Path], report: Report) -> dict[str, Any]:
    """All of it by name: `validation_` and `test_` metrics of the run's own parts, without either those of `data`."""
    header = {name: value for name, value in run.header.items() if name != "step"}
    facts = {"run": run.folder.path, "task": run.task.name, "step": run.header["step"], "data": list(data)}
    facts |= {f"validation_{name}": value for name, value in header.items()} | report.metrics
    tables = {table.name: table.records() for table in report.tables}
    return facts | ({"tables": tables} if tables else {})


def sample(
    run: RunPath,
    /,
    *,
    prompt: Annotated[str | None, Parameter(help="Text to go on from.")] = None,
    prompt_file: Annotated[
        Path | None, Parameter(allow_leading_hyphen=True, help="File with the prompt; - reads standard input.")
    ] = None,
    length: Annotated[int, Parameter(help="Tokens to write: characters, for a character model.")] = 500,
    temperature: Annotated[
        float, Parameter(help="Below 1 more careful, above 1 bolder, 0 always the likeliest.")
    ] = 0.8,
    top_k: Annotated[int, Parameter(help="Choose among this many likeliest tokens; 0: all.")] = 0,
    top_p: Annotated[float, Parameter(help="Choose among the likeliest that make up this probability.")] = 1.0,
    samples: Annotated[int, Parameter(help="How many texts.")] = 1,
    seed: Annotated[int, Parameter(help="The same seed writes the same text.")] = 1,
    precision: Annotated[
        Literal["float32", "bfloat16"], Parameter(help="bfloat16 rounds the weights: faster, a little less exact.")
    ] = "float32",
    weights: Weights = "best",
) -> None:
    """Let a trained language model write; the text appears as it is written.

    Example: elman sample runs/shakespeare --prompt "KING LEAR:" --length 500 --temperature 0.8 --top-p 0.95 --seed 1
    """
    from elman.data.io.text import read_text
    from elman.errors import UserError
    from elman.export.at_path import check_task
    from elman.training.predicting.inputs import text_of

    if prompt is not None and prompt_file is not None:
        raise UserError("--prompt and --prompt-file are both given; leave one out")
    if length < 1 or samples < 1:
        raise UserError(f"--length is {length} and --samples is {samples}; both must be at least 1")
    check_task(run, "language")
    if prompt_file is not None:
        prompt = sys.stdin.read() if str(prompt_file) == "-" else read_text([prompt_file])
    prompt = text_of(prompt or "", "the prompt")
    write = _writer(run, weights, precision, samples * length)
    for number in range(samples):
        if samples > 1:
            show(f"--- sample {number + 1} of {samples}")
        pieces = write(prompt, length, temperature, seed + number, top_k, top_p)
        show(prompt, end="")
        try:
            for piece in pieces:
                show(piece, end="")
        finally:  # after Ctrl-C too: what is said then stands on a line of its own
            show("")


def _writer(run: Path, weights: Literal["best", "last"], precision: str, tokens: int) -> Callable[..., Iterator[str]]:
    """What writes on from (prompt, length, temperature, seed, top_k, top_p): without torch where few tokens are asked.

    Raises:
        UserError: the run cannot be loaded.
    """
    from elman.tasks import language
    from elman.tasks.language.task import SHORT, Task

    if weights == "best" and precision == "float32" and tokens <= SHORT:
        from elman.runtime.tasks.language import LanguageModel
        from elman.training.predicting.without_torch import load_without_torch

        loaded_so = load_without_torch(run, language)
        if loaded_so is not None and isinstance(model := loaded_so[1], LanguageModel):
            return model.write
    from elman.kernels.decoder import SamplingParams
    from elman.run import load

    loaded = load(run, weights=weights)
    task = loaded.task
    assert isinstance(task, Task)

    def write(prompt: str, length: int, temperature: float, seed: int, top_k: int, top_p: float) -> Iterator[str]:
        params = SamplingParams(temperature, top_k, top_p, seed)
        return task.sample(loaded.model, prompt, length, params, bfloat16=precision == "bfloat16")

    return write
