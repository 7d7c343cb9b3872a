"""Pictures of every kind, and files of features."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import save_file

from elman.data.features import Features, read_features
from elman.data.pictures import picture_files, read_picture
from elman.errors import UserError


@pytest.mark.parametrize(
    ("mode", "size", "colour", "expected"),
    [
        ("RGB", (300, 200), (10, 20, 30), (10, 20, 30)),
        ("L", (50, 60), 90, (90, 90, 90)),
        ("RGBA", (224, 224), (200, 0, 0, 0), (255, 255, 255)),
        ("P", (30, 30), 3, None),
        ("RGB", (10_000, 40), (1, 2, 3), (1, 2, 3)),
        ("1", (40, 40), 1, (255, 255, 255)),
    ],
)
def test_all_become_224_points_of_three_colours(
    tmp_path: Path, mode: str, size: tuple[int, int], colour: object, expected: tuple[int, int, int] | None
) -> None:
    Image.new(mode, size, colour).save(tmp_path / "p.png")  # type: ignore[arg-type]
    picture = read_picture(tmp_path / "p.png")
    assert picture.shape == (224, 224, 3)
    assert picture.dtype == np.uint8
    if expected:
        assert tuple(picture[100, 100]) == expected


def test_a_jpeg_of_10000_points_a_side(tmp_path: Path) -> None:
    Image.new("L", (10_000, 10_000), 77).save(tmp_path / "large.jpg")
    assert abs(int(read_picture(tmp_path / "large.jpg")[0, 0, 0]) - 77) <= 2


def test_bad_pictures_are_one_line(tmp_path: Path) -> None:
    (tmp_path / "text.jpg").write_text("no picture")
    noise = np.random.default_rng(0).integers(0, 255, (200, 200, 3), np.uint8)
    Image.fromarray(noise).save(tmp_path / "whole.jpg")
    whole = (tmp_path / "whole.jpg").read_bytes()
    (tmp_path / "half.jpg").write_bytes(whole[: len(whole) // 2])
    for name, what in (
        ("text.jpg", "no picture that can be read"),
        ("half.jpg", "damaged"),
        ("gone.jpg", "no picture"),
    ):
        with pytest.raises(UserError, match=what):
            read_picture(tmp_path / name)


def test_a_folder_gives_its_pictures_in_order(tmp_path: Path) -> None:
    for name in ("b.PNG", "a.jpg", "notes.txt"):
        (tmp_path / name).write_bytes(b"")
    assert [path.name for path in picture_files([tmp_path])] == ["a.jpg", "b.PNG"]
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="holds no pictures"):
        picture_files([tmp_path / "empty"])


def test_features_in_three_forms(tmp_path: Path) -> None:
    vectors = np.arange(6, dtype=np.float32).reshape(2, 3)
    Features(("a", "b"), vectors, "eye").save(tmp_path / "f.npz")
    np.save(tmp_path / "f.npy", vectors)
    (tmp_path / "f.names.txt").write_text("a\nb\n")
    save_file({"a": vectors[0], "b": vectors[1]}, tmp_path / "f.safetensors")
    for suffix in ("npz", "npy", "safetensors"):
        read = read_features(tmp_path / f"f.{suffix}")
        assert read.names == ("a", "b")
        assert np.array_equal(read.vectors, vectors)
        assert read.maker == ("eye" if suffix == "npz" else "")


def test_bad_features_are_one_line(tmp_path: Path) -> None:
    np.save(tmp_path / "bare.npy", np.zeros((2, 3)))
    np.save(tmp_path / "few.npy", np.zeros((2, 3)))
    (tmp_path / "few.txt").write_text("a\n")
    np.save(tmp_path / "nan.npy", np.full((1, 3), np.nan))
    (tmp_path / "nan.txt").write_text("a\n")
    (tmp_path / "torn.npz").write_bytes(b"PK\x03\x04")
    (tmp_path / "torn.safetensors").write_bytes(b"12345678")
    cases = {"bare.npy": "has no names", "few.npy": "2 vectors and 1 names", "nan.npy": "not finite"}
    cases |= {
        "torn.npz": "damaged",
        "torn.safetensors": "damaged",
        "gone.npz": "there is no file",
        "x.csv": "no file of",
    }
    for name, what in cases.items():
        with pytest.raises(UserError, match=what):
            read_features(tmp_path / name)
