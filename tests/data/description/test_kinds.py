"""What data are taken for: every form that a stranger may bring, and what tells it."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from elman.data.description.kinds import guess_kind, only_texts
from elman.errors import UserError


def put(path: Path, content: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


DAYS = "".join(f"2020-01-{day:02d},{day % 5}\n" for day in range(1, 30))
REVIEWS = "".join(f"the food was {word} on day {n}{{}}{word}\n" for n in range(5) for word in ("good", "bad"))


@pytest.mark.parametrize(
    ("name", "content", "kind"),
    [
        ("a.csv", "date,sales\n" + DAYS, "table"),
        ("a.csv", "year,month,sales\n2020,1,5\n2020,2,6\n2020,3,5\n", "table"),
        ("a.csv", "t,v\n" + "".join(f"{t},{t % 3}\n" for t in range(9)), "table"),
        ("a.csv", "text,label\n" + REVIEWS.format(*[","] * 10), "labelled text"),
        ("a.tsv", REVIEWS.format(*["\t"] * 10), "labelled text"),
        ("a.csv", "id,date,review,stars\n" + "".join(f"{n},2020-01-0{n},it was fine,{n % 2}\n" for n in range(1, 9)),
         "labelled text"),
        ("a.tsv", "English\tGerman\nYes\tJa\nNo\tNein\n", "parallel text"),
        ("a.tsv", "Good morning\tGuten Morgen\nGood evening\tGuten Abend\n", "parallel text"),
        ("a.csv", "image,caption\na.jpg,a dog\n", "captions"),
        ("a.txt", "a.jpg#0\ta dog\n", "captions"),
        ("a.csv", "file,transcript\na.wav,one\n", "audio"),
        ("a.txt", "Once upon a time\n", "text"),
        ("a.jsonl", '{"text": "x", "label": "y"}\n', "labelled text"),
        ("a.csv.gz", gzip.compress(("date,sales\n" + DAYS).encode(), mtime=0), "table"),
    ],
)  # fmt: skip
def test_files(name: str, content: str | bytes, kind: str, tmp_path: Path) -> None:
    assert guess_kind([str(put(tmp_path / name, content))]).kind == kind


def test_folders(tmp_path: Path) -> None:
    for name, inner, kind in (
        ("texts", "good/1.txt", "labelled text"),
        ("series", "up/1.csv", "sequences"),
        ("sounds", "one/1.wav", "audio"),
        ("pictures", "1.jpg", "captions"),
        ("parts", "train.csv", "labelled text"),
        ("books", "1.txt", "text"),
        ("archive", "Name_TRAIN.ts", "sequences"),
    ):
        put(tmp_path / name / inner, "some text\n")
        assert guess_kind([str(tmp_path / name)]).kind == kind, name
    put(tmp_path / "pictures" / "words.csv", "image,caption\n1.jpg,a dog\n")
    found = guess_kind([str(tmp_path / "pictures")])
    assert found.settings == {"captions": str(tmp_path / "pictures" / "words.csv")}
    assert guess_kind([str(tmp_path / "books")]).data == (f"{tmp_path / 'books'}/*.txt",)


def test_several_files(tmp_path: Path) -> None:
    one, other = put(tmp_path / "a.en", "Yes\nNo\n"), put(tmp_path / "a.de", "Ja\nNein\n")
    assert guess_kind([str(one), str(other)]).kind == "parallel text"
    assert guess_kind([str(one), str(put(tmp_path / "b.txt", "one line\n"))]).kind == "text"
    with pytest.raises(UserError, match="different kinds"):
        guess_kind([str(one), str(put(tmp_path / "b.jsonl", "{}"))])


def test_what_nothing_tells_is_asked_about(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"'a' \(numbers\).*say with `task`"):
        guess_kind([str(put(tmp_path / "a.csv", "a,b\n1.5,2\n0.5,3\n"))])
    np.save(tmp_path / "x.npy", np.zeros(3))
    with pytest.raises(UserError):
        guess_kind([str(tmp_path / "nothing")])
    with pytest.raises(UserError, match="nothing tells"):
        guess_kind([str(put(tmp_path / "odd" / "a.bin", b"x")).rpartition("/")[0]])


def test_another_kind_that_it_could_be_is_named(tmp_path: Path) -> None:
    rows = "".join(f"{text} word,{text} wort\n" for text in "abcab")
    assert guess_kind([str(put(tmp_path / "a.csv", "source,target\n" + rows))]).kind == "parallel text"


WORDS = "".join(f"{n},the food of day {n} was fine,{n % 2}\n" for n in range(9))


@pytest.mark.parametrize("header", ["comments", "text", "my notes"])
def test_a_single_column_of_texts_is_text(header: str, tmp_path: Path) -> None:
    path = put(tmp_path / "a.csv", header + "\n" + "".join(f"the food of day {n} was fine\n" for n in range(9)))
    assert guess_kind([str(path)]).kind == "text"


def test_the_only_column_of_long_texts_is_that_of_the_texts(tmp_path: Path) -> None:
    path = put(tmp_path / "a.csv", "id,remarks,label\n" + WORDS)
    guess = guess_kind([str(path)])
    assert (guess.kind, guess.others) == ("labelled text", ("table",))
    assert only_texts(path) == "remarks"
    assert only_texts(put(tmp_path / "b.csv", "id,text,label\n" + WORDS)) == ""
    assert (
        only_texts(put(tmp_path / "c.csv", "id,a,b\n" + "".join(f"{n},it was fine,so it was\n" for n in range(9))))
        == ""
    )


def test_numbers_whose_column_is_one_of_texts_for_a_dash(tmp_path: Path) -> None:
    rows = "".join(f"2020-01-{day:02d},{'-' if day == 7 else day}\n" for day in range(1, 30))
    with pytest.raises(UserError, match=r"of column 'sales', '-' is no number: .*leave the cell empty, or write 0"):
        guess_kind([str(put(tmp_path / "a.csv", "date,sales\n" + rows))])
