"""Captions in every form, and what is wrong with some."""

import json
from pathlib import Path

import pytest

from elman.data.image.captions import counts, plain_words, read_captions
from elman.errors import UserError

KARPATHY = {
    "images": [{"filename": "a.jpg", "split": "restval", "sentences": [{"raw": "A dog."}, {"raw": "Two, dogs"}]}]
}
COCO = {
    "images": [{"id": 7, "file_name": "a.jpg"}],
    "annotations": [{"image_id": 7, "caption": "A dog."}, {"image_id": 7, "caption": "Two, dogs"}],
}


@pytest.mark.parametrize(
    ("name", "text", "part"),
    [
        ("t.txt", "a.jpg#0\tA dog .\na.jpg#1\tTwo , dogs\n", {}),
        ("t.csv", 'image,caption\na.jpg, A dog.\na.jpg,"Two, dogs"\n', {}),
        ("t.tsv", "file\ttext\tsplit\na.jpg\tA dog.\tval\na.jpg\tTwo dogs\tval\n", {"a.jpg": "validation"}),
        ("k.json", json.dumps(KARPATHY), {"a.jpg": "train"}),
        ("c.json", json.dumps(COCO), {}),
    ],
)
def test_forms(tmp_path: Path, name: str, text: str, part: dict[str, str]) -> None:
    (tmp_path / name).write_text(text)
    captions = read_captions(tmp_path / name)
    assert captions.texts == {"a.jpg": ("a dog", "two dogs")}
    assert captions.parts == part


def test_plain_words() -> None:
    assert plain_words("A man's T-shirt -- is (very) RED , isn't it ?") == "a man's t-shirt is very red isn't it"


@pytest.mark.parametrize(
    ("name", "text", "what"),
    [
        ("t.csv", "image,words\na.jpg,x\n", "no column caption"),
        ("t.csv", "image,caption\n", "has no captions"),
        ("t.csv", "image,caption\na.jpg\n", "line 2 has 1 columns where the first line has 2"),
        ("t.txt", "a.jpg#0\tA dog\na.jpg#1 Two dogs\n", "line 2 has no tab"),
        ("t.json", "{", "is damaged: it holds no captions"),
        ("t.json", '{"images": [{}]}', "a picture without `filename`"),
    ],
)
def test_mistakes_say_where(tmp_path: Path, name: str, text: str, what: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(UserError, match=what):
        read_captions(tmp_path / name)


def test_what_has_no_partner_is_counted(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("image,caption\na.jpg,A dog\nb.jpg,A cat\nb.jpg,...\n")
    notes = counts(read_captions(tmp_path / "t.csv"), {"a.jpg": 0, "c.jpg": 1, "d.jpg": 2})
    assert notes[0].startswith("1 of 2 pictures with captions have no features")
    assert notes[1].startswith("2 of 3 pictures have no caption")
    assert notes[2].startswith("1 captions are empty")
