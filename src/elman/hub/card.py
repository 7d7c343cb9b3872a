"""The card of a run, for people who find it on a hub: what it does, what it learned from, how well, how to use it."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import elman
from elman.data.datasets.registry import CATALOGUE
from elman.errors import UserError, one_line_of, optional_imports
from elman.hub.address import HubAddress
from elman.hub.staging import public_settings
from elman.tasks import task_summary
from elman.training.report import figure
from elman.training.task import Task

HUB_TASKS = {
    "captioning": "image-to-text",
    "forecasting": "time-series-forecasting",
    "language": "text-generation",
    "sentiment": "text-classification",
    "speech": "automatic-speech-recognition",
    "translation": "translation",
}
"""What the hub calls the tasks of ours that it has a word for."""
_LONGEST_CELL = 200


@dataclass(frozen=True)
class Measured:
    """How good the weights are.

    Arguments:
        step: of the weights.
        metrics: by name.
        where: on what they were measured, and by which command, in words.
    """

    step: int
    metrics: Mapping[str, float]
    where: str


@dataclass(frozen=True)
class CardFacts:
    """What a card says beyond the settings.

    Arguments:
        parameters: numbers that were learned.
        measured: how good they are.
        licence: of the weights, by the hub's name for it ("apache-2.0"); empty where none is given.
        pictures: names of files beside the card.
        seconds: how long the training took; None where it is not known.
    """

    parameters: int
    measured: Measured
    licence: str
    pictures: Sequence[str]
    seconds: float | None


def model_card(address: HubAddress, task: Task[Any], facts: CardFacts) -> str:
    """The card as the hub wants it: a head for programs in YAML, and Markdown for people."""
    with optional_imports():
        from huggingface_hub import EvalResult, ModelCardData

    settings = public_settings(task)
    data = ", ".join(_sources(task, settings)) or "made on the spot"
    results = [
        EvalResult(
            task_type=HUB_TASKS.get(task.name, "other"),
            dataset_type=data,
            dataset_name=f"{data}",
            metric_type=name,
            metric_value=value,
        )
        for name, value in facts.measured.metrics.items()
        if math.isfinite(value)
    ]
    head = ModelCardData(
        license=facts.licence or None,
        library_name="elman",
        tags=["elman", "recurrent-neural-network", str(settings["cell"]), task.name],
        pipeline_tag=HUB_TASKS.get(task.name),
        model_name=address.name if results else None,
        eval_results=results or None,
    )
    fence = "-" * 3
    return f"{fence}\n{head.to_yaml()}\n{fence}\n\n{_body(address, task, facts, settings)}"


def _body(address: HubAddress, task: Task[Any], facts: CardFacts, settings: dict[str, Any]) -> str:
    what = task_summary(task.name).strip().splitlines()[0]
    parts = [
        f"# {address.name}",
        f"A recurrent network of elman {elman.__version__}. Its task, `{task.name}`: {what[:1].lower()}{what[1:]}",
    ]
    parts += [f"![{Path(name).stem}]({name})" for name in facts.pictures]
    network = (
        f"{settings['cell']}, {settings['layers']} x {settings['hidden_size']} units, {facts.parameters:,} parameters"
    )
    step = facts.measured.step
    took = "" if facts.seconds is None else f", {facts.seconds / 60:,.1f} minutes"
    table = {
        "task": task.name,
        "data": "; ".join(_described(name) for name in _sources(task, settings)) or "made on the spot by the task",
        "network": network,
        "training": f"{settings['steps']:,} steps{took}, seed {settings['seed']}; weights of step {step:,}",
        "licence of the weights": facts.licence or "none is stated",
    }
    parts.append(_table(("", ""), table.items()))
    parts.append("## Metrics")
    parts.append(f"Measured {facts.measured.where}.")
    parts.append(
        _table(
            ("metric", "value"),
            [(name.replace("_", " "), figure(value)) for name, value in facts.measured.metrics.items()],
        )
    )
    examples = " ".join(_quoted(word) for word in task.predict_example)
    parts.append("## Use")
    lines = ['pip install "elman[all,hub]"', f"elman predict {address} {examples}", f"elman evaluate {address}"]
    parts.append("\n".join(f"    {line}" for line in lines))
    parts.append(
        f'In Python: `elman.load("{address}")`. The weights are safetensors; nothing in this repository is a program.'
    )
    if different := _different(task, settings):
        parts.append("## Settings that differ from the task's own")
        parts.append(_fenced(different))
    return "\n\n".join(parts) + "\n"


def _sources(task: Task[Any], settings: dict[str, Any]) -> list[str]:
    """The datasets or files that the run learned from, by name."""
    value = settings.get("data")
    values = value if isinstance(value, tuple | list) else [] if value is None else [value]
    return [str(one) for one in values]


def _described(name: str) -> str:
    if name not in CATALOGUE:
        return f"`{name.replace('`', '')}`, a file of the author's"
    dataset = CATALOGUE[name]
    return f"{dataset.title} (`{name}`, licence: {dataset.licence})"


def _different(task: Task[Any], settings: dict[str, Any]) -> dict[str, Any]:
    defaults = {field.name: _plain(field.default) for field in fields(task.settings)}
    passing = {"task", "device", "threads", "log_every", "checkpoint_every", "watch", "tensorboard"}
    return {
        name: value for name, value in settings.items() if name not in passing and _plain(value) != defaults.get(name)
    }


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _fenced(table: dict[str, Any]) -> str:
    with optional_imports():
        import tomli_w

    text = tomli_w.dumps(table, multiline_strings=False)
    fence = "`" * (3 if "```" not in text else 12)
    return f"{fence}toml\n{text}{fence}"


def _table(columns: tuple[str, str], rows: Any) -> str:
    lines = [columns, ("-", "-"), *rows]
    return "\n".join("| " + " | ".join(_cell(str(cell)) for cell in line) + " |" for line in lines)


def _cell(text: str) -> str:
    short = text if len(text) <= _LONGEST_CELL else f"{text[:_LONGEST_CELL]}..."
    return one_line_of(short).replace("|", "\\|")


def _quoted(word: str) -> str:
    return f'"{word}"' if " " in word else word


def training_seconds(metrics: Path) -> float | None:
    """How long a training took by its metrics.csv; None where that is not known."""
    try:
        rows = list(csv.DictReader(metrics.read_text(encoding="utf-8").splitlines()))
        seconds = float(rows[-1]["seconds"])
    except (OSError, UserError, ValueError, KeyError, IndexError, TypeError):
        return None
    return seconds if math.isfinite(seconds) else None
