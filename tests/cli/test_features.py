"""`elman features`: pictures seen once, kept as they come, and a mistake that costs nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.cli.test_mistakes import check_mistake

from elman.cli import features as command
from elman.cli.main import main
from elman.data.image.features import FORMS, Features, read_features
from elman.data.image.io import read_picture
from elman.models.image_features import MAKER


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the pictures that were looked at; a vector is a picture's mean colour."""
    names: list[str] = []

    def extract_features(files: list[Path]) -> Features:
        vectors = [read_picture(file).mean((0, 1)) for file in files]
        names.extend(file.name for file in files)
        return Features(tuple(file.name for file in files), np.array(vectors, np.float32), MAKER)

    monkeypatch.setattr("elman.tasks.captioning.task.extract_with_progress", extract_features)
    monkeypatch.setattr(command, "SAVED_EVERY", 2)
    return names


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "pictures").mkdir()
    for number in range(5):
        Image.new("RGB", (20, 20), (number, 0, 0)).save(tmp_path / "pictures" / f"{number}.png")
    return tmp_path / "pictures"


@pytest.mark.parametrize("suffix", FORMS)
def test_a_bad_picture_loses_nothing_and_the_next_try_goes_on(
    suffix: str, folder: Path, tmp_path: Path, seen: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / f"seen{suffix}"
    whole = (folder / "4.png").read_bytes()
    (folder / "4.png").write_bytes(b"no picture")
    with pytest.raises(SystemExit) as stopped:
        main(["features", str(folder), "--out", str(out)])
    assert stopped.value.code == 2
    assert "4.png is no picture" in capsys.readouterr().err
    assert sorted(read_features(out).names) == ["0.png", "1.png", "2.png", "3.png"]
    (folder / "4.png").write_bytes(whole)
    seen.clear()
    main(["features", str(folder), "--out", str(out)])
    assert seen == ["4.png"]
    assert "5 pictures, 1 of them new" in capsys.readouterr().out
    found = read_features(out)
    assert [found.vectors[found.rows[f"{number}.png"], 0] for number in range(5)] == [0, 1, 2, 3, 4]


def test_mistakes(folder: Path, tmp_path: Path, seen: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    check_mistake(
        ["features", str(folder), "--out", str(tmp_path / "x.csv")],
        capsys,
        "x.csv is no file of features; name one that ends in .npz, .npy or .safetensors",
    )
    check_mistake(["features", str(tmp_path / "gone"), "--out", str(tmp_path / "x.npz")], capsys, "gone")
    Features(("a",), np.zeros((1, 3), np.float32), "eye").save(tmp_path / "own.npz")
    check_mistake(["features", str(folder), "--out", str(tmp_path / "own.npz")], capsys, "elman did not make")
    np.save(tmp_path / "own.npy", np.zeros((1, 3), np.float32))
    (tmp_path / "own.txt").write_text("a\n")
    check_mistake(["features", str(folder), "--out", str(tmp_path / "own.npy")], capsys, "elman did not make")
    (folder / "more").mkdir()
    Image.new("RGB", (9, 9)).save(folder / "more" / "1.png")
    twice = ["features", str(folder), str(folder / "more"), "--out", str(tmp_path / "x.npz")]
    check_mistake(twice, capsys, "two pictures are called 1.png")
    assert not (tmp_path / "x.npz").exists()
    assert not seen
