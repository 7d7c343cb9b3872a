"""Pictures that were seen before are not looked at again."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from elman.data import entries
from elman.data.image import remembered as module
from elman.data.image.features import Features
from elman.data.image.io import read_picture
from elman.data.image.remembered import remembered
from elman.errors import UserError


class Eye:
    """Makes a picture's mean colour, and knows what it was asked for."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, int]] = []

    def __call__(self, files: Sequence[Path], before: int) -> Features:
        vectors = [read_picture(file).mean((0, 1)) for file in files]
        self.seen += [(file.name, before) for file in files]
        return Features(tuple(file.name for file in files), np.array(vectors, np.float32), "eye")

    def names(self) -> list[str]:
        """What was looked at since this was asked last."""
        found = [name for name, _ in self.seen]
        self.seen.clear()
        return found


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Five pictures, two of which make an entry."""
    monkeypatch.setenv("ELMAN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(module, "TOGETHER", 2)
    found = [tmp_path / f"{number}.png" for number in range(5)]
    for number, file in enumerate(found):
        Image.new("RGB", (20, 20), (number, 0, 0)).save(file)
    return found


def reds(features: Features) -> list[float]:
    return [float(vector[0]) for vector in features.vectors]


def test_a_second_time_nothing_is_looked_at(files: list[Path]) -> None:
    eye = Eye()
    first = remembered(files, eye, "eye")
    assert eye.seen == [("0.png", 0), ("1.png", 0), ("2.png", 2), ("3.png", 2), ("4.png", 4)]
    eye.seen.clear()
    second = remembered(files, eye, "eye")
    assert eye.names() == []
    assert second.names == first.names == ("0.png", "1.png", "2.png", "3.png", "4.png")
    assert reds(second) == reds(first) == [0, 1, 2, 3, 4]
    assert second.vectors.dtype == np.float32
    assert second.maker == "eye"


def test_another_content_and_another_network_are_looked_at(files: list[Path]) -> None:
    eye = Eye()
    remembered(files, eye, "eye")
    eye.seen.clear()
    Image.new("RGB", (20, 20), (9, 0, 0)).save(files[3])
    assert reds(remembered(files, eye, "eye")) == [0, 1, 2, 9, 4]
    assert eye.names() == ["2.png", "3.png"]
    remembered(files, eye, "other")
    assert len(eye.names()) == 5


def test_names_are_the_files_own(files: list[Path]) -> None:
    eye = Eye()
    remembered(files[:2], eye, "eye")
    eye.seen.clear()
    new = files[0].rename(files[0].with_name("new.png"))
    assert remembered([new, files[1]], eye, "eye").names == ("new.png", "1.png")
    assert eye.names() == []


def test_what_was_done_stays(files: list[Path]) -> None:
    whole = files[4].read_bytes()
    files[4].write_bytes(b"no picture")
    eye = Eye()
    with pytest.raises(UserError, match="png is no picture"):
        remembered(files, eye, "eye")
    files[4].write_bytes(whole)
    eye.seen.clear()
    assert reds(remembered(files, eye, "eye")) == [0, 1, 2, 3, 4]
    assert eye.names() == ["4.png"]
    files[4].unlink()
    with pytest.raises(UserError, match="there is no picture"):
        remembered(files, eye, "eye")


@pytest.mark.parametrize("ending", [".vectors", ".json"])
def test_a_damaged_entry_is_made_again(ending: str, files: list[Path]) -> None:
    eye = Eye()
    remembered(files, eye, "eye")
    for file in entries.folder().glob(f"*{ending}"):
        file.write_bytes(file.read_bytes()[:-3])
    eye.seen.clear()
    assert reds(remembered(files, eye, "eye")) == [0, 1, 2, 3, 4]
    assert len(eye.names()) == 5


def test_a_picture_that_changes_meanwhile_is_not_kept(files: list[Path]) -> None:
    whole, eye = files[1].read_bytes(), Eye()

    def change(some: Sequence[Path], before: int) -> Features:
        Image.new("RGB", (20, 20), (9, 0, 0)).save(files[1])
        return eye(some, before)

    with pytest.raises(UserError, match=r"1\.png changed while it was read"):
        remembered(files, change, "eye")
    files[1].write_bytes(whole)
    assert reds(remembered(files, eye, "eye")) == [0, 1, 2, 3, 4]
