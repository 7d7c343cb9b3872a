"""Pictures of every kind, and files of features."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import save_file

from elman.data.image.features import FORMS, Features, read_features
from elman.data.image.io import picture_files, read_picture
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


@pytest.mark.parametrize(("suffix", "mode"), [("png", "1"), ("gif", "P"), ("tif", "1")])
def test_too_many_points_are_refused_before_they_are_decoded(suffix: str, mode: str, tmp_path: Path) -> None:
    Image.new(mode, (9000, 9000)).save(tmp_path / f"a.{suffix}")
    with pytest.raises(UserError, match="too many points"):
        read_picture(tmp_path / f"a.{suffix}")


def test_sixteen_bits_of_grey_keep_their_shades(tmp_path: Path) -> None:
    shades = np.linspace(0, 65535, 224).astype(np.uint16)
    Image.fromarray(np.tile(shades, (224, 1))).save(tmp_path / "deep.png")
    read = read_picture(tmp_path / "deep.png")[0, :, 0].astype(int)
    assert abs(read - shades.astype(int) // 256).max() <= 1


@pytest.mark.parametrize("suffix", ["jpg", "png"])
def test_of_a_picture_that_breaks_off_what_is_there_is_taken(
    tmp_path: Path, suffix: str, caplog: pytest.LogCaptureFixture
) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (224, 224, 3), np.uint8)
    Image.fromarray(noise).save(tmp_path / f"whole.{suffix}")
    whole = (tmp_path / f"whole.{suffix}").read_bytes()
    (tmp_path / f"half.{suffix}").write_bytes(whole[: len(whole) // 2])
    complete, half = (read_picture(tmp_path / f"{name}.{suffix}") for name in ("whole", "half"))
    assert np.array_equal(half[:90], complete[:90])
    assert not np.array_equal(half[-20:], complete[-20:])
    (said,) = caplog.messages
    assert "half" in said
    assert "breaks off" in said
    from PIL import ImageFile

    assert not ImageFile.LOAD_TRUNCATED_IMAGES  # as it was


def test_bad_pictures_are_one_line(tmp_path: Path) -> None:
    (tmp_path / "text.jpg").write_text("no picture")
    (tmp_path / "empty.jpg").write_bytes(b"")
    Image.new("RGB", (200, 200)).save(tmp_path / "whole.png")
    (tmp_path / "start.png").write_bytes((tmp_path / "whole.png").read_bytes()[:12])
    for name in ("text.jpg", "empty.jpg", "start.png", "gone.jpg"):
        with pytest.raises(UserError, match=r"no picture|damaged|is empty") as caught:
            read_picture(tmp_path / name)
        assert name in str(caught.value)


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


@pytest.mark.parametrize("suffix", FORMS)
def test_features_are_read_as_they_were_written(tmp_path: Path, suffix: str) -> None:
    vectors = np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32)
    made = Features(("b 1.jpg", "ä.png", "c"), vectors, "eye")
    made.save(tmp_path / f"f{suffix}")
    read = read_features(tmp_path / f"f{suffix}")
    assert read.maker == "eye"
    assert read.rows.keys() == made.rows.keys()
    for name, row in made.rows.items():
        assert np.array_equal(read.vectors[read.rows[name]], vectors[row])
    more = Features((*made.names, "d"), np.concatenate([vectors, vectors[:1]]), "eye")
    more.save(tmp_path / f"f{suffix}")
    assert len(read_features(tmp_path / f"f{suffix}").names) == 4


def test_a_list_of_names_holds_no_name_of_two_lines(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"cannot hold 'a\\nb'"):
        Features(("a\nb",), np.zeros((1, 3), np.float32)).save(tmp_path / "f.npy")
    assert not any(tmp_path.iterdir())


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


def test_a_chunk_that_claims_four_gigabytes_allocates_none(tmp_path: Path) -> None:
    import resource

    Image.new("RGBA", (12, 10)).save(tmp_path / "a.png")
    raw = (tmp_path / "a.png").read_bytes()
    place = raw.index(b"IDAT") - 4
    (tmp_path / "a.png").write_bytes(raw[:place] + b"\xff" * 4 + raw[place + 4 :])
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert read_picture(tmp_path / "a.png").shape == (224, 224, 3)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100 << 10  # KiB
