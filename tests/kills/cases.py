"""One tiny training for every task and every kind of source of its data, on the small files of tests/old_runs."""

from __future__ import annotations

import gzip
import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from elman.data.datasets.cache import cached
from elman.tasks import task_module
from elman.training.run_folder import RunFolder, settings_from
from elman.training.settings import TrainingSettings

OLD_RUNS = Path(__file__).parents[1] / "old_runs" / "runs_v0_1"
SHORT = {"steps": 24, "eval_every": 8, "checkpoint_every": 6, "log_every": 5, "warmup": 4, "threads": 1}
OTHER_SOURCES: dict[str, tuple[str, dict[str, Any]]] = {
    "sentiment-jsonl": ("sentiment-words", {"data": "data/reviews.jsonl", "vectors": "data/vectors.txt"}),
    "sentiment-tsv": ("sentiment-words", {"data": "data/reviews.tsv"}),
    "series-ts": ("series-memory", {"data": "data/waves.ts"}),
    "series-folder": ("series-memory", {"data": "data/waves"}),
    "translation-table": ("translation-dot", {"data": ("data/pairs.tsv",)}),
    "translation-gz": ("translation-plain", {"data": ("data/pairs.en.gz", "data/pairs.de.gz")}),
    "captioning-pictures": ("captioning", {"data": "data/pictures", "captions": "data/pictures.csv"}),
    "captioning-features": ("captioning", {"data": "data/pictures", "features": "data/seen.npz"}),
    "forecasting-parquet": ("forecasting-direct", {"data": "data/shops.parquet"}),
    "forecasting-tsv": ("forecasting-recursive", {"data": "data/shops.tsv"}),
}
"""Kinds of source that the old runs lack: the run whose other settings are taken, and what differs."""

INPUTS = {
    "captioning-pictures": ["data/pictures/red.png"],
    "series-ts": ["data/waves/up/0.csv"],
    "series-folder": ["data/waves/up/0.csv"],
}


@dataclass(frozen=True)
class Case:
    """A training: its task, its settings, and inputs to predict."""

    name: str
    task: str
    settings: TrainingSettings
    inputs: list[str]


def make_cases(folder: Path) -> dict[str, Case]:
    """All trainings by name, for a process that works in `folder`, where their data are put."""
    make_data(folder / "data")
    expected = json.loads((OLD_RUNS / "expected.json").read_text(encoding="utf-8"))
    sources = {name: (name, {}) for name in expected} | OTHER_SOURCES
    if not cached("squeezenet"):
        sources.pop("captioning-pictures")
    found = {}
    for name, (base, change) in sources.items():
        old = RunFolder(OLD_RUNS / base)
        task, table = old.read()
        settings = settings_from(task_module(task).Settings, table | change | SHORT, old.settings)
        found[name] = Case(name, task, settings, INPUTS.get(name) or expected[base]["inputs"])
    return found


def make_data(folder: Path) -> None:
    """The data of the old runs, and the same in the other forms."""
    import numpy as np
    import pandas as pd
    from PIL import Image

    shutil.copytree(OLD_RUNS / "data", folder)
    reviews = pd.read_csv(folder / "reviews.csv")
    reviews.to_csv(folder / "reviews.tsv", sep="\t", index=False)
    reviews.to_json(folder / "reviews.jsonl", orient="records", lines=True)
    shops = pd.read_csv(folder / "shops.csv")
    shops.to_csv(folder / "shops.tsv", sep="\t", index=False)
    shops.to_parquet(folder / "shops.parquet")
    for language in ("en", "de"):
        with gzip.open(folder / f"pairs.{language}.gz", "wb") as file:
            file.write((folder / f"pairs.{language}").read_bytes())
    generator = np.random.default_rng(0)
    lines = ["@problemName waves", "@univariate true", "@classLabel true up down", "@data"]
    for number in range(12):
        label = ("up", "down")[number % 2]
        wave = np.sin(np.arange(9) * (1 + number % 2)) + generator.normal(0, 0.1, 9)
        lines.append(",".join(f"{value:.4f}" for value in wave) + f":{label}")
        place = folder / "waves" / label / f"{number}.csv"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text("\n".join(f"{value:.4f}" for value in wave) + "\n")
    (folder / "waves.ts").write_text("\n".join(lines) + "\n")
    (folder / "pictures").mkdir()
    captions = ["file,caption"]
    for name in ("red", "green", "blue", "black", "white", "grey", "brown", "pink", "yellow", "teal"):
        shade = np.asarray(Image.new("RGB", (40, 30), name)) // 2 + generator.integers(0, 99, (30, 40, 3))
        Image.fromarray(shade.astype(np.uint8)).save(folder / "pictures" / f"{name}.png")
        captions += [f"{name}.png,a {name} picture", f"{name}.png,this one is all {name}"]
    (folder / "pictures.csv").write_text("\n".join(captions) + "\n")
