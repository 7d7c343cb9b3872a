"""Several processes: a share that an epoch's last batch leaves empty counts nothing, in every task that has epochs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from elman.data.batching import process_share
from elman.tasks import task_module
from elman.tasks.forecasting.outputs import compared

RUNS = Path(__file__).parents[1] / "old_runs" / "runs_v0_1"
NAMES = (
    "captioning",
    "forecasting-direct",
    "sentiment-words",
    "series-memory",
    "translation-plain",
    "speech-characters",
)


@pytest.mark.parametrize("name", NAMES)
def test_an_empty_share_counts_nothing(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from elman.training.run_folder import RunFolder, settings_from

    monkeypatch.chdir(RUNS)
    kind, table = RunFolder(Path(name)).read()
    module = task_module(kind)
    task: Any = module.Task.load(Path(name), settings_from(module.Settings, table, Path(name)))
    torch.manual_seed(0)
    model = task.build_model().eval()
    world = task.settings.batch_size + 1  # more processes than a batch has examples: the last one has none
    whole, last = (task.loss(model, task.batch(0, *share), ()) for share in ((0, 1), (world - 1, world)))
    assert whole.count > 0
    assert (float(last.total.detach()), last.count) == (0.0, 0)
    last.total.backward()  # every process takes part in the backward pass
    parts = [task.loss(model, task.batch(0, rank, 2), ()) for rank in range(2)]
    assert sum(part.count for part in parts) == whole.count
    total = sum(float(part.total.detach()) for part in parts)
    eps = float(torch.finfo(torch.float32).eps)
    assert total == pytest.approx(float(whole.total.detach()), rel=whole.count * 100 * eps)


def test_shares_make_up_the_batch() -> None:
    chosen = np.array([5, 3, 8])
    assert [process_share(chosen, rank, 2)[0].tolist() for rank in range(2)] == [[5, 8], [3]]
    share, counts = process_share(chosen[:1], 1, 2)
    assert (share.tolist(), counts) == ([5], False)


@pytest.mark.parametrize(
    ("own", "other", "words"),
    [
        (1.0, 2.0, "50% less than"),
        (3.0, 2.0, "50% more than"),
        (8.4, 2.0, "4.2 times"),
        (1.0, 0.0, "more than"),
        (0.0, 0.0, "as good as"),
    ],
)
def test_a_perfect_baseline_is_compared_in_words(own: float, other: float, words: str) -> None:
    assert compared(own, other) == words
