"""Small runs for the tests of the runtime, with weights as they begin, and what it is to say the same."""

from __future__ import annotations

import math
import random
from pathlib import Path
from typing import Any

from elman.models.classification.ngrams import NgramCounts, WithNgrams
from elman.tasks import task_module
from elman.training.checkpoint import save_weights
from elman.training.run_folder import RunFolder

APART = 1e-4
"""By how much the runtime's numbers may differ from the run's: absolutely below 1, relatively above."""
STEP = {"step": 0, "metrics": {}}
SHARES = (0.7, 1.3)
"""The weights of a network and of the counted n-grams beside it."""


def begun(folder: Path, task: str, **settings: Any) -> Path:
    """A run whose weights are as they begin, without training; n-grams beside are fitted, and have a share."""
    import torch

    torch.manual_seed(1)
    module = task_module(task)
    made = module.Task.new(module.Settings(**settings))
    folder.mkdir()
    made.save(folder)
    RunFolder(folder).write_settings(task, made.settings)
    model = made.build_model()
    if isinstance(model, WithNgrams):
        model.shares.copy_(torch.tensor(SHARES))
    save_weights(folder / "model.safetensors", model, STEP)
    return folder


def drawn_counts(vocabulary: int, longest: int, features: int, sets: int, classes: int) -> NgramCounts:
    """Counts of some n-grams, with weights that are drawn."""
    import torch

    counts = NgramCounts(vocabulary, longest, features, sets, classes)
    counts.codes.copy_(torch.randperm(counts.base**longest)[:features].sort().values)
    for part in (counts.idf, counts.weight, counts.bias):
        part.copy_(torch.rand_like(part) + 0.5)
    return counts


def write_texts(path: Path, count: int = 48) -> Path:
    """A file of texts of two classes, each of which has a word of its own."""
    draw = random.Random(0)
    rows = ["text,label"]
    for number in range(count):
        words = [f"w{draw.randrange(40)}" for _ in range(draw.randrange(1, 12))]
        words.insert(draw.randrange(len(words) + 1), ("good", "bad")[number % 2])
        rows.append(f"{' '.join(words)},{('pos', 'neg')[number % 2]}")
    path.write_text("\n".join(rows))
    return path


def assert_alike(got: Any, want: Any, where: str = "") -> None:
    """The same labels and texts, and numbers within `APART`, in all that is wanted."""
    if isinstance(want, dict):
        assert want.keys() <= got.keys(), where
        for name, value in want.items():
            assert_alike(got[name], value, f"{where}/{name}")
    elif isinstance(want, list):
        assert len(got) == len(want), where
        for number, (one, other) in enumerate(zip(got, want, strict=True)):
            assert_alike(one, other, f"{where}/{number}")
    elif isinstance(want, float):
        assert math.isclose(got, want, rel_tol=APART, abs_tol=APART), (where, got, want)
    else:
        assert got == want, where
