"""Series to classes: learned from arrays of different lengths, asked about files and arrays."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from elman.cli.main import main
from elman.errors import UserError
from elman.run import Run, load
from elman.tasks.series.settings import Settings
from elman.training_run import train

LONGEST = 12


def waves(count: int, seed: int) -> dict[str, Any]:
    """Rising and falling series in two channels, of lengths 5 to 12."""
    generator = np.random.default_rng(seed)
    labels = np.arange(count) % 2
    steps = np.arange(LONGEST)[:, None] * np.array([1.0, 100.0])
    x = generator.normal(size=(count, LONGEST, 2)) * np.array([0.5, 50.0])
    x += np.where(labels[:, None, None] == 1, steps, -steps)
    names = np.where(labels == 1, "rising", "falling")
    return {"x": x.astype(np.float32), "y": names, "lengths": generator.integers(5, LONGEST + 1, count)}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("series")
    train_part, test_part = waves(80, 0), waves(30, 1)
    arrays = {f"{name}_train": array for name, array in train_part.items()}
    np.savez(folder / "waves.npz", **arrays, **{f"{name}_test": array for name, array in test_part.items()})
    settings = Settings(
        data=str(folder / "waves.npz"), steps=60, eval_every=30, hidden_size=8, batch_size=16, lr=1e-2, threads=1
    )
    train("series", settings, folder / "run")
    return folder / "run"


@pytest.fixture(scope="module")
def run(trained: Path) -> Run:
    return load(trained)


def test_learns(run: Run) -> None:
    metrics = run.evaluate()
    assert metrics["test_accuracy"] == 1.0
    assert set(metrics) == {"validation_loss", "validation_accuracy", "test_loss", "test_accuracy"}


def test_channels_are_scaled_alike(run: Run) -> None:
    values = np.concatenate([*run.task.examples("train").sequences])
    np.testing.assert_allclose(values.mean(0), 0, atol=1e-4)
    np.testing.assert_allclose(values.std(0), 1, atol=1e-4)


def test_asked_about_files_and_arrays(trained: Path, run: Run, tmp_path: Path) -> None:
    rising = np.arange(7)[:, None] * np.array([1.0, 100.0])
    path = tmp_path / "one.csv"
    path.write_text("a,b\n" + "\n".join(f"{a},{b}" for a, b in -rising))
    np.savez(tmp_path / "more.npz", **waves(3, 5))
    predictions = run.predict([rising, str(path), str(tmp_path / "more.npz")])
    assert [p.label for p in predictions] == ["rising", "falling", "falling", "rising", "falling"]
    assert [p.input for p in predictions[:3]] == ["series 1", "one.csv", "more.npz series 1"]
    assert "one.csv" in run.task.show(predictions)
    with pytest.raises(UserError, match="series 1 has 3 channels where the training part has 2"):
        run.predict([np.zeros((4, 3))])
    with pytest.raises(UserError, match="value of step 2, channel 1 is missing"):
        run.predict([np.array([[0, 0], [np.nan, 0]])])
    with pytest.raises(UserError, match="shape"):
        run.predict([np.zeros((4, 3, 2))])
    with pytest.raises(UserError, match="cannot tell the format"):
        run.predict(["one.wav"])


def test_evaluates_on_another_file(trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.savez(tmp_path / "other.npz", **waves(6, 3))
    main(["evaluate", str(trained), "--data", str(tmp_path / "other.npz"), "--json"])
    report = json.loads(capsys.readouterr().out)
    assert report["accuracy"] == 1.0
    assert report["tables"]["classes"][0]["examples"] == 3


def test_damaged_scaler(trained: Path, tmp_path: Path) -> None:
    scaler = trained / "scaler.json"
    whole = scaler.read_text()
    try:
        scaler.write_text('{"mean": [0, 0], "std": [1]}')
        with pytest.raises(UserError, match=r"scaler\.json is damaged"):
            load(trained)
    finally:
        scaler.write_text(whole)
