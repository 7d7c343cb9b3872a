"""The runtime says what the run says: version 0.1's runs of every task, and every cell and option of new ones."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import elman
from elman.errors import UserError
from elman.runtime import load
from elman.runtime.model import TASKS
from elman.training.checkpoint import save_weights
from tests.old_runs.test_old_runs import EXPECTED, OLD_RUNS
from tests.runtime.runs import STEP, assert_alike, begun

LOADED = [name for name in EXPECTED if not name.startswith("translation")]
TEXT = "one for sorrow,\ntwo for joy, three for a girl"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the small runs as the working folder."""
    shutil.copytree(OLD_RUNS, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", LOADED)
def test_it_predicts_as_version_0_1_did(name: str, here: Path) -> None:
    predictions = [one.to_json() for one in load(name).predict(EXPECTED[name]["inputs"])]
    assert_alike(predictions, EXPECTED[name]["best"]["predictions"])


def test_every_task_is_met() -> None:
    assert {load(OLD_RUNS / name).task for name in LOADED} == set(TASKS)


def test_a_task_without_a_form_is_said(here: Path) -> None:
    with pytest.raises(UserError, match=r"is of the task 'translation', and elman.runtime has language, parity"):
        load("translation-dot")


@pytest.mark.parametrize("nonlinearity", ["tanh", "relu"])
@pytest.mark.parametrize("options", [{}, {"residual": True}, {"layer_norm": True}, {"cell": "lstm"}, {"cell": "gru"}])
def test_every_cell_writes_the_same_text(
    options: dict[str, Any], nonlinearity: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if "cell" in options and nonlinearity == "relu":
        pytest.skip("gated cells have no other function")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text.txt").write_text(TEXT * 30)
    more = {} if "cell" in options else {"nonlinearity": nonlinearity}
    folder = begun(
        tmp_path / "run",
        "language",
        data=("text.txt",),
        hidden_size=24,
        layers=2,
        tied=True,
        embedding_size=24,
        **options,
        **more,
    )
    run, model = elman.load(folder), load(folder)
    want = [one.to_json() for one in run.predict(["one for", ""])]
    assert [one.to_json() for one in model.predict(["one for", ""])] == want
    stream = model.stream()
    stream.push("one ")
    stream.push("for")
    assert "".join(stream.write(200)) == want[0]["text"]
    again = "".join(model.write("one for", 50, top_k=3, top_p=0.9, seed=5))
    assert again == "".join(model.write("one for", 50, top_k=3, top_p=0.9, seed=5))


@pytest.mark.parametrize("readout", ["last", "mean", "sum", "max", "mean-max", "attention"])
@pytest.mark.parametrize(
    "more", [{}, {"bidirectional": False}, {"cell": "gru", "layers": 2}, {"head": 5, "members": 3, "folds": 0}]
)
def test_every_readout_judges_alike(
    readout: str, more: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(OLD_RUNS / "data", tmp_path / "data")
    folder = begun(
        tmp_path / "run", "sentiment", data="data/reviews.csv", readout=readout, hidden_size=9, embedding_size=6,
        **{"members": 1, "folds": 0, "ngrams": "none", **more},
    )  # fmt: skip
    texts = ["A good film, it's GREAT!", "…", "bad " * 90]
    run, model = elman.load(folder), load(folder)
    assert_alike([one.to_json() for one in model.predict(texts)], [one.to_json() for one in run.predict(texts)])
    short = model.predict(texts[:1], opinion=False)[0]
    assert short.opinion == ()
    if more == {"bidirectional": False}:
        stream = model.stream()
        for piece in ("A good ", "film, ", "it's GREAT!"):
            said = stream.push(piece)
        assert_alike(said.probabilities, short.probabilities)
    else:
        with pytest.raises(UserError, match=r"`bidirectional=False`|several networks"):
            model.stream()


@pytest.mark.parametrize(
    "more", [{"stride": 2, "scales": 2}, {"stride": 9, "scales": 1}, {"stride": 1, "scales": 1, "bidirectional": False}]
)
def test_series_of_every_scale(more: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(OLD_RUNS / "data", tmp_path / "data")
    folder = begun(tmp_path / "run", "series", data="data/waves.npz", hidden_size=7, members=1, folds=0, **more)
    run, model = elman.load(folder), load(folder)
    channels = len(model.scaler.mean)
    series = [np.random.default_rng(n).normal(size=(n, channels)).astype(np.float32) for n in (1, 2, 17, 40)]
    assert_alike([one.to_json() for one in model.predict(series)], [one.to_json() for one in run.predict(series)])
    assert_alike(
        [one.to_json() for one in model.predict("data/waves.npz")],
        [one.to_json() for one in run.predict("data/waves.npz")],
    )
    if not more.get("bidirectional", True):
        stream = model.stream()
        answers = [stream.push(part) for part in np.array_split(series[-1], 4)]
        assert_alike(answers[-1].probabilities, model.predict(series[-1:])[0].probabilities)


def test_without_the_native_library_numbers_are_the_same(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from elman.runtime import recurrent

    monkeypatch.setattr(recurrent, "load_library", lambda: None)
    for name in LOADED:
        assert_alike(
            [one.to_json() for one in load(name).predict(EXPECTED[name]["inputs"])],
            EXPECTED[name]["best"]["predictions"],
        )


def test_numbers_with_decimal_commas_are_read_as_the_run_reads_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(OLD_RUNS / "data", tmp_path / "data")
    waves = begun(tmp_path / "waves", "series", data="data/waves.npz", hidden_size=7, members=1, folds=0)
    rows = ["a;b", *(f"{step},5;-0,{step}25" for step in range(10, 22))]
    files = {
        "semicolons.csv": rows,
        "named.csv": ["sep=;", *rows],
        "tabs.csv": [row.replace(";", "\t") for row in rows],
    }
    for name, lines in files.items():
        Path(name).write_text("\n".join(lines))
        want = [one.to_json() for one in elman.load(waves).predict(name)]
        assert_alike([one.to_json() for one in load(waves).predict(name)], want)
    days = [f"2020-01-{day:02};{day % 7},{day:02};1.0{day:02},5" for day in range(1, 29)]
    Path("sales.csv").write_text("\n".join(["date;sold;cost", *days]))
    sales = begun(tmp_path / "sales", "forecasting", data="sales.csv", target=("sold",), window=4, horizon=2)
    want = [one.to_json() for one in elman.load(sales).predict("sales.csv")]
    assert_alike([one.to_json() for one in load(sales).predict("sales.csv")], want)


@pytest.mark.parametrize("intervals", ["quantile", "gaussian"])
def test_intervals_of_one_width_a_step(intervals: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    days = [f"2020-01-{day:02},{day % 7 + day / 100}" for day in range(1, 29)]
    Path("sales.csv").write_text("\n".join(["date,sold", *days]))
    asked = {"intervals": intervals, "calibrate": "validation", "window": 4, "horizon": 2}
    run = begun(tmp_path / "sales", "forecasting", data="sales.csv", **asked)
    model: Any = elman.load(run).model
    model.interval_spread.zero_()
    model.share.zero_()
    model.widen.copy_(torch.tensor([[0.25], [0.5]]))
    save_weights(run / "model.safetensors", model, STEP)
    whole = elman.load(run)
    (want,) = whole.predict("sales.csv")
    ends = {name: np.array(want.to_json()["targets"]["sold"][name]) for name in ("forecast", "lower", "upper")}
    size = (ends["upper"] - ends["lower"])[0]
    np.testing.assert_allclose(ends["upper"] - ends["forecast"], size / 2 * np.array([1, 2]), rtol=1e-4)
    np.testing.assert_allclose(ends["forecast"] - ends["lower"], size / 2 * np.array([1, 2]), rtol=1e-4)
    assert_alike([one.to_json() for one in load(run).predict("sales.csv")], [want.to_json()])
    for to in ("onnx", "c"):  # each compares itself with the run
        whole.export(to)
    assert_alike([one.to_json() for one in elman.load(run / "model.onnx").predict("sales.csv")], [want.to_json()])


def test_a_comma_that_may_be_either_is_said(here: Path) -> None:
    Path("either.csv").write_text("a;b\n1,002;3\n2,004;4\n")
    with pytest.raises(UserError, match=r"either.csv row 1: '1,002' is one number with a decimal comma and another"):
        load("series-memory").predict("either.csv")
