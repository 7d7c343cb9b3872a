"""The scale of a series by its own size, inside the graph: ragged batches, extreme sizes, whole runs."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import elman
from elman.data.scaling import Scaler
from elman.export.onnx.graph import Graph
from elman.export.onnx.graphs.recurrent import lengths_input
from elman.export.onnx.graphs.scales import scaled
from tests.export.onnx.graphs import session
from tests.old_runs.test_old_runs import OLD_RUNS
from tests.runtime.runs import begun

APART = 1e-5
DRAW = np.random.default_rng(0)
KNOWN = [(DRAW.normal(size=(9, 2)) * size).astype(np.float32) for size in ([1, 50], [1e3, 2], [1e-4, 7])]
SIZES = ([1, 50], [1e30, 1e-30], [0, 0], [1e-45, 3e38], [3, 1], [1, 1])


def test_every_sequence_is_divided_by_its_own_size() -> None:
    scaler = Scaler.fit(KNOWN, "series")

    def write(g: Graph) -> None:
        x = g.input("x", "float32", ["T", "B", 2])
        g.output(scaled(g, x, lengths_input(g, x), scaler), "scaled", "float32", ["T", "B", 4])

    graph = session(write)
    for T in (1, 30):
        values = (DRAW.uniform(-1, 1, (T, 6, 2)) * np.array(SIZES)).astype(np.float32)
        lengths = np.minimum([30, 1, 17, 30, 2, 0], T)
        (found,) = graph(["scaled"], x=values, lengths=lengths)
        assert torch.isfinite(found).all()
        for column, length in enumerate(lengths.tolist()):
            want = scaler(values[:length, column])
            np.testing.assert_allclose(found[:length, column], want, rtol=APART, atol=APART)


RUNS: dict[str, dict[str, Any]] = {
    "patches": {"stride": 2, "scales": 2, "members": 2},
    "both ways": {"stride": 1, "scales": 1, "members": 1, "readout": "mean"},
    "one way": {"stride": 1, "scales": 1, "members": 1, "readout": "mean", "bidirectional": False},
}


@pytest.mark.parametrize("name", RUNS)
def test_a_file_answers_as_its_run(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(OLD_RUNS / "data", tmp_path / "data")
    settings = {"data": "data/waves.npz", "hidden_size": 7, "folds": 0, "scale": "series", **RUNS[name]}
    run = elman.load(begun(tmp_path / "run", "series", **settings))
    written = run.export()
    assert written.difference <= APART
    lengths = [1, 2, 9, 40, 5]
    series = [
        (DRAW.uniform(-1, 1, (length, 2)) * np.array(size)).astype(np.float32)
        for length, size in zip(lengths, SIZES[:5], strict=True)
    ]
    want = [list(one.probabilities.values()) for one in run.predict(series)]  # type: ignore[attr-defined]
    other = elman.load(written.path)
    got = [list(one.probabilities.values()) for one in other.predict(series)]  # type: ignore[attr-defined]
    np.testing.assert_allclose(got, want, atol=APART)
    network = other.model.session  # type: ignore[union-attr]
    assert network.inputs == ["x", "lengths"]  # no state: a piece does not know the size of the whole
    x = torch.full((40, 6, 2), float("nan"))
    for column, one in enumerate(series):
        x[: len(one), column] = torch.from_numpy(one)
    (shares,) = network(["probabilities"], x=x, lengths=torch.tensor([*lengths, 0]))
    np.testing.assert_allclose(shares[:5], want, atol=APART)
    (alone,) = network(["probabilities"], x=series[3][:, None])  # without lengths
    np.testing.assert_allclose(alone[0], want[3], atol=APART)
    if name == "both ways":
        assert torch.isfinite(shares).all()  # after no step, too
