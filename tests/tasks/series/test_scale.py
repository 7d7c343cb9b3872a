"""Series whose sizes are orders of magnitude apart: each is divided by its own, and the run goes everywhere."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from elman import insight
from elman.cli.main import main
from elman.errors import UserError
from elman.run import Run, load
from elman.runtime import load as load_runtime
from elman.tasks.series.settings import Settings
from elman.training_run import train

QUICK: dict[str, Any] = {"hidden_size": 8, "threads": 1, "stride": 1, "scales": 1}


def shapes(count: int, seed: int) -> dict[str, Any]:
    """Two shapes in two channels, sizes from 1e-3 to 1e3, lengths from 6 to 20."""
    generator = np.random.default_rng(seed)
    labels, lengths = np.arange(count) % 2, generator.integers(6, 21, count)
    x = generator.normal(0, 0.2, (count, 20, 2))
    x += np.where(labels[:, None, None], 1, np.sin(np.arange(20))[:, None])
    x *= 10 ** generator.uniform(-3, 3, (count, 1, 1)) * np.array([1, 50])
    return {"x": x.astype(np.float32), "y": np.where(labels, "flat", "wave"), "lengths": lengths}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("scale")
    np.savez(folder / "train.npz", **shapes(60, 0))
    np.savez(folder / "test.npz", **shapes(20, 1))
    settings = Settings(data=str(folder / "train.npz"), members=3, folds=3, steps=60, lr=1e-2, **QUICK)
    train("series", settings, folder / "run")
    return folder


@pytest.fixture(scope="module")
def run(folder: Path) -> Run:
    return load(folder / "run")


def test_the_data_chose_it_and_say_why(folder: Path, run: Run) -> None:
    assert run.task.settings.scale == "series"
    choices = {one["setting"]: one for one in json.loads((folder / "run/choices.json").read_text())}
    assert choices["scale"]["value"] == "series"
    assert re.match(r"the series' root mean squares differ [\d,.]+-fold", choices["scale"]["reason"])
    assert 'scale = "series"' in (folder / "run/settings.toml").read_text()


def test_it_learns_and_is_measured_on_another_file(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["evaluate", str(folder / "run"), "--data", str(folder / "test.npz"), "--json"])
    assert json.loads(capsys.readouterr().out)["accuracy"] >= 0.95


def test_a_resumed_run_is_the_same(folder: Path, tmp_path: Path) -> None:
    again = tmp_path / "run"
    asked = Settings(data=str(folder / "train.npz"), members=3, folds=3, steps=60, lr=1e-2, **QUICK)
    train("series", asked, again)
    wanted = (folder / "run/model.safetensors").read_bytes()
    assert (again / "model.safetensors").read_bytes() == wanted
    for weights in ("model.safetensors", "last.safetensors"):
        (again / weights).unlink()
    train("series", asked, again, resume=True)
    assert (again / "model.safetensors").read_bytes() == wanted


def extremes() -> list[NDArray[np.float32]]:
    """Series of every size and of ragged lengths."""
    generator = np.random.default_rng(3)
    drawn = [generator.normal(size=(length, 2)) for length in (1, 2, 17, 40)]
    sized = [drawn[2] * size for size in (1e30, 1e-30, [1e30, 1e-30], 0)]
    return [one.astype(np.float32) for one in (*drawn, *sized)]


def test_asked_about_arrays_numbers_and_files(run: Run, folder: Path, tmp_path: Path) -> None:
    np.savetxt(tmp_path / "one.csv", extremes()[2], delimiter=",")
    found = run.predict([*extremes(), str(tmp_path / "one.csv"), str(folder / "test.npz")])
    assert len(found) == len(extremes()) + 1 + 20
    shares = np.array([list(one.probabilities.values()) for one in found])  # type: ignore[attr-defined]
    assert np.isfinite(shares).all()
    np.testing.assert_allclose(shares[8], shares[2], atol=1e-5)
    numbers = run.predict([extremes()[2].tolist()])[0]
    np.testing.assert_allclose(list(numbers.probabilities.values()), shares[2], atol=1e-6)  # type: ignore[attr-defined]
    with pytest.raises(UserError, match="series 1 has 4 channels where the training part has 2"):
        run.predict([np.zeros((4, 4))])


def test_the_size_matters_by_its_logarithm_alone(run: Run) -> None:
    scaler, values = run.task.scaler, extremes()[3]  # type: ignore[attr-defined]
    one, other = scaler(values), scaler(values * np.float32(1024))
    np.testing.assert_allclose(one[:, :2], other[:, :2], atol=1e-6)
    np.testing.assert_allclose(other[:, 2:] - one[:, 2:], np.tile(np.log10(1024) / scaler.std[2:], (40, 1)), atol=1e-5)


def test_it_is_looked_into(run: Run, folder: Path) -> None:
    example = run.inspection_example(str(folder / "test.npz"))
    found = insight.unroll(run.inspected, example.inputs, example.targets, tokens=example.tokens, layer=example.layer)
    assert len(found.x) == len(example.tokens)
    assert insight.gradient_flow(run.inspected, run.batch(), run.cost) is not None


def test_pieces_are_read_anew_as_if_the_series_ended_there(run: Run) -> None:
    stream, values = run.open_stream(), extremes()[3]
    for begin in range(0, 40, 13):
        (event,) = stream.push(values[begin : begin + 13])
        (whole,) = run.predict([values[: begin + 13]])
        assert event["probabilities"] == pytest.approx(whole.probabilities, abs=1e-6)  # type: ignore[attr-defined]


ONE_WAY = {"members": 1, "folds": 0, "bidirectional": False, "steps": 2, "scale": "series"}


@pytest.mark.parametrize("more", [{}, {"stride": 2, "scales": 2}, ONE_WAY], ids=["both ways", "patches", "one way"])
def test_the_runtime_says_the_same(more: dict[str, Any], folder: Path, tmp_path: Path) -> None:
    plain: dict[str, Any] = {"members": 2, "folds": 0, "steps": 2}
    train("series", Settings(data=str(folder / "train.npz"), **QUICK | plain | more), tmp_path / "run")
    asked = [*extremes(), str(folder / "test.npz")]
    want = [list(one.probabilities.values()) for one in load(tmp_path / "run").predict(asked)]  # type: ignore[attr-defined]
    got = [list(one.probabilities.values()) for one in load_runtime(tmp_path / "run").predict(asked)]
    np.testing.assert_allclose(got, want, atol=1e-5)


def test_the_runtime_has_no_stream_of_it_in_one_line(folder: Path, tmp_path: Path) -> None:
    train("series", Settings(data=str(folder / "train.npz"), **QUICK | ONE_WAY), tmp_path / "run")
    with pytest.raises(UserError, match="scales a series by its own size, which its end decides") as error:
        load_runtime(tmp_path / "run").stream()
    assert len(str(error.value).splitlines()) == 1


@pytest.mark.parametrize("change", [{"floor": [1.0]}, {"floor": [1.0, 0.0]}, {"mean": [0.0] * 3}, {"std": [1.0] * 2}])
def test_a_damaged_scaler_is_one_line(change: dict[str, Any], folder: Path) -> None:
    path = folder / "run/scaler.json"
    whole = path.read_text()
    path.write_text(json.dumps(json.loads(whole) | change))
    try:
        for loaded in (load, load_runtime):
            with pytest.raises(UserError, match=r"scaler\.json is damaged") as error:
                loaded(folder / "run")
            assert len(str(error.value).splitlines()) == 1
    finally:
        path.write_text(whole)
