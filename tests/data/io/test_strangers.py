"""Files as strangers bring them: each is read rightly, or refused in one line that says what to do."""

from __future__ import annotations

import datetime
import gzip
import logging
import struct
import unicodedata
from pathlib import Path

import numpy as np
import pytest

from elman.data.audio.io import read_sound, sound_seconds
from elman.data.audio.recordings import read_folder
from elman.data.image.captions import read_captions
from elman.data.image.features import Features
from elman.data.image.io import picture_files
from elman.data.io.arrays import read_csv_values, read_npz
from elman.data.io.columns import Columns
from elman.data.io.labelled import read_parts
from elman.data.io.tables import checked_table, read_table
from elman.data.io.ts import read_ts
from elman.data.text.classification import read_labelled_text
from elman.data.text.corpora import read_corpus
from elman.errors import UserError

COLUMNS = Columns()
TONE = (np.sin(np.arange(800) / 5) * 10_000).astype("<i2")


def put(path: Path, content: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def wav(
    path: Path, samples: np.ndarray = TONE, *, rate: int = 8000, size: int | None = None, extra: bytes = b""
) -> Path:
    """A WAV file, whose header may say another size than it has."""
    channels = 1 if samples.ndim == 1 else samples.shape[1]
    data = samples.tobytes()
    said = len(data) if size is None else size
    form = struct.pack("<IHHIIHH", 16, 1, channels, rate, rate * 2 * channels, 2 * channels, 16)
    inside = b"WAVEfmt " + form + extra + b"data" + struct.pack("<I", said) + data
    return put(path, b"RIFF" + struct.pack("<I", len(inside) if size is None else size) + inside)


def texts(path: Path, columns: Columns = COLUMNS) -> list[tuple[str, str]]:
    return [(row.text, row.label) for row in read_parts(path, columns)[0]["train"]]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.tsv", "good film\tpos\nbad film\tneg\nbest\tpos\nworst\tneg\n"),
        ("a.csv", "pos,good film\nneg,bad film\npos,best\nneg,worst\n"),
        ("a.csv", "\n;\ngood film;pos\nbad film;neg\nbest;pos\nworst;neg\n"),
    ],
)
def test_a_table_without_names(name: str, content: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "elman"):
        found = texts(put(tmp_path / name, content))
    assert found == [("good film", "pos"), ("bad film", "neg"), ("best", "pos"), ("worst", "neg")]
    assert "has no line of names" in caplog.text


def test_a_table_without_names_where_nothing_tells_the_label_is_asked_about(tmp_path: Path) -> None:
    path = put(tmp_path / "a.tsv", "7\tgood film\tpos\n4\tbad film\tneg\n")
    with pytest.raises(UserError, match=r"no column is called text.*`text_column`, by its number"):
        texts(path)
    assert texts(path, Columns("2", "3")) == [("good film", "pos"), ("bad film", "neg")]


@pytest.mark.parametrize("name", ["a.csv.gz", "a.tsv.gz", "A.CSV.GZ"])
def test_packed_tables(name: str, tmp_path: Path) -> None:
    content = "text,label\none,a\ntwo,b\n".replace(",", "\t" if ".tsv" in name else ",")
    assert texts(put(tmp_path / name, gzip.compress(content.encode()))) == [("one", "a"), ("two", "b")]
    packed = put(tmp_path / ("t" + name), gzip.compress(content.replace("one", "1").replace("two", "2").encode()))
    assert read_table(packed).columns.tolist() == ["text", "label"]
    assert read_table(packed)["text"].tolist() == [1, 2]


def test_several_files_by_a_pattern(tmp_path: Path) -> None:
    for name in ("b", "a", "._a"):
        put(tmp_path / f"{name}.txt", f"{name} " * 10)
        put(tmp_path / f"{name}.csv", f"text,label\n{name} one,x\n{name} two,x\n{name} three,y\n{name} four,y\n")
    train, validation = read_corpus([str(tmp_path / "*.txt")], 0.1)
    assert (train + validation).split() == ["a"] * 10 + ["b"] * 10
    data = read_labelled_text(str(tmp_path / "*.csv"), validation_share=0.5)
    assert len(data.train) + len(data.validation) == 8
    with pytest.raises(UserError, match="no file matches"):
        read_corpus([str(tmp_path / "*.text")], 0.1)


@pytest.mark.parametrize(
    "line", ['{"text": ["a"], "label": 1}', '{"text": "a", "label": {}}', "[" * 100_000, '{"a": 1e']
)
def test_json_lines_of_another_form(line: str, tmp_path: Path) -> None:
    path = put(tmp_path / "a.jsonl", '{"text": "a", "label": 1}\n' + line + "\n")
    with pytest.raises(UserError, match="line 2 "):
        texts(path)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", "a.jpg,A dog, a cat and a man\nb.jpg,Two cats\n"),
        ("a.tsv", 'a.jpg\t"A dog, a cat and a man\nb.jpg\tTwo "cats"\n'),
        ("a.txt", "a.JPG;A dog, a cat, and, a man\nb.png;Two cats\n".replace(" and,", " and")),
    ],
)
def test_captions_without_names(name: str, content: str, tmp_path: Path) -> None:
    found = read_captions(put(tmp_path / name, content))
    assert list(found.texts.values()) == [("a dog a cat and a man",), ("two cats",)]


@pytest.mark.parametrize(
    "content",
    [
        '{"images": [{"id": 1, "file_name": "a.jpg"}], "annotations": [{"image_id": 1, "caption": 5}]}',
        '{"images": [{"id": 1, "file_name": {"a": 1}}], "annotations": [{"image_id": 1, "caption": "a"}]}',
        '{"images": [{"id": 1, "file_name": "a.jpg"}], "annotations": [{"image_id": 2, "caption": "a"}]}',
        '{"images": [{"filename": "a.jpg", "sentences": [5]}]}',
        "[" * 100_000,
        "null",
        '{"images": 1' + "1" * 5000 + "}",
    ],
)
def test_captions_of_another_form(content: str, tmp_path: Path) -> None:
    with pytest.raises(UserError):
        read_captions(put(tmp_path / "a.json", content))


def test_accents_of_another_form(tmp_path: Path) -> None:
    apart, together = (unicodedata.normalize(form, "Café.wav") for form in ("NFD", "NFC"))
    assert apart != together
    for folder, on_disk, in_table in (("1", apart, together), ("2", together, apart)):
        wav(tmp_path / folder / on_disk)
        put(tmp_path / folder / "t.csv", f"file,transcript\n{in_table},yes\n")
        assert [one.transcript for one in read_folder(tmp_path / folder)] == ["yes"]
    captions = read_captions(put(tmp_path / "c.csv", f"image,caption\n{apart},A dog\n"))
    assert captions.texts == {together: ("a dog",)}


def test_captions_and_features_meet_whatever_the_form_of_accents(tmp_path: Path) -> None:
    from elman.data.image.dataset import read_captioned

    names = tuple(unicodedata.normalize("NFD", f"é{number}.jpg") for number in range(4))
    Features(names, np.eye(4, dtype=np.float32)).save(tmp_path / "f.npz")
    rows = "".join(unicodedata.normalize("NFC", f"{name},A dog\n") for name in names)
    put(tmp_path / "c.csv", "image,caption\n" + rows)
    read = read_captioned(
        str(tmp_path / "f.npz"),
        str(tmp_path / "c.csv"),
        "",
        lambda paths: pytest.fail("not asked for"),
        validation_share=0.5,
        seed=0,
    )
    assert sorted(read.parts["train"].names + read.parts["validation"].names) == sorted(names)


LIST = b"LIST" + struct.pack("<I", 26) + b"INFOISFT" + struct.pack("<I", 14) + b"Lavf58.29.100\0"


@pytest.mark.parametrize("size", [0, 0xFFFFFFFF, 0x7FFFFFFF, 0x80000000])
@pytest.mark.parametrize("extra", [b"", LIST])
def test_a_wav_of_a_stream(size: int, extra: bytes, tmp_path: Path) -> None:
    path = wav(tmp_path / "a.wav", size=size, extra=extra)
    np.testing.assert_allclose(read_sound(path, 8000), TONE / 32768, atol=1e-6)
    assert sound_seconds(path) == 0.1


def test_a_flac_of_a_stream(tmp_path: Path) -> None:
    import soundfile

    soundfile.write(tmp_path / "a.flac", TONE, 8000)
    raw = bytearray((tmp_path / "a.flac").read_bytes())
    raw[21] &= 0xF0  # the 36 bits of the number of samples
    raw[22:26] = bytes(4)
    with pytest.raises(UserError, match="does not say how long it is"):
        read_sound(put(tmp_path / "b.flac", bytes(raw)), 8000)


def test_a_wav_that_really_has_no_samples(tmp_path: Path) -> None:
    empty = np.zeros(0, "<i2")
    for path in (
        wav(tmp_path / "a.wav", empty),
        put(tmp_path / "b.wav", wav(tmp_path / "a.wav", empty).read_bytes() + LIST),
    ):
        with pytest.raises(UserError, match="no sound in it"):
            read_sound(path, 8000)


@pytest.mark.parametrize("rate", [1, 999, 2_000_000_000])
def test_a_rate_that_no_recording_has(rate: int, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="samples a second"):
        read_sound(wav(tmp_path / "a.wav", rate=rate), 8000)


@pytest.mark.parametrize("other", [-TONE, -TONE + 1, (-TONE * 0.995).astype("<i2")])
def test_channels_that_cancel(other: np.ndarray, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="opposite phase"):
        read_sound(wav(tmp_path / "a.wav", np.stack([TONE, other], axis=1)), 8000)
    one_side = read_sound(wav(tmp_path / "b.wav", np.stack([TONE, 0 * TONE], axis=1)), 8000)
    np.testing.assert_allclose(one_side, TONE / 65536, atol=1e-6)


def test_speech_by_class_folders(tmp_path: Path) -> None:
    for place in ("yes/1", "yes/2", "no/1", "no/._1"):
        wav(tmp_path / "a" / f"{place}.wav")
    assert [(one.transcript, one.part) for one in read_folder(tmp_path / "a")] == [
        ("no", "train"),
        ("yes", "train"),
        ("yes", "train"),
    ]
    for place in ("Train/yes/1", "Train/no/1", "dev/yes/1", "testing/no/1"):
        wav(tmp_path / "b" / f"{place}.wav")
    parts = [(one.transcript, one.part) for one in read_folder(tmp_path / "b")]
    assert parts == [("no", "train"), ("yes", "train"), ("yes", "validation"), ("no", "test")]


def test_speech_without_names_and_with_commas(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for name in ("1", "2"):
        wav(tmp_path / f"{name}.wav")
    path = put(tmp_path / "t.csv", "1.wav,yes, he said\n2.wav,no\n")
    assert [one.transcript for one in read_folder(tmp_path)] == ["yes, he said", "no"]
    path.write_text("FILE,Mood,Speaker,Transcript\n1.wav,calm,a,yes, he said\n2.wav,calm,b,no\n")
    with caplog.at_level(logging.INFO, "elman"):
        found = read_folder(tmp_path)
    assert [(one.transcript, one.speaker) for one in found] == [("yes, he said", "a"), ("no", "b")]
    assert "these columns are not used: Mood" in caplog.text


@pytest.mark.parametrize("names", [("Train", "Valid", "TEST"), ("training", "dev", "testing"), ("trn", "val", "eval")])
def test_names_of_parts(names: tuple[str, ...], tmp_path: Path) -> None:
    for name in names:
        put(tmp_path / "folders" / name / "a" / "1.txt", "x")
        put(tmp_path / "tables" / f"{name}.csv", "text,label\nx,a\n")
    for folder in ("folders", "tables"):
        assert {part: len(rows) for part, rows in read_parts(tmp_path / folder, COLUMNS)[0].items()} == dict.fromkeys(
            ("train", "validation", "test"), 1
        )
    x, y = np.zeros((2, 3)), np.array([1, 2])
    np.savez(tmp_path / "a.npz", **{f"{which}_{name}": v for name in names for which, v in (("x", x), ("y", y))})
    assert list(read_npz(tmp_path / "a.npz")) == ["train", "validation", "test"]


def test_parts_that_are_none_or_twice(tmp_path: Path) -> None:
    for name in ("train", "dev", "extra"):
        put(tmp_path / "a" / name / "a" / "1.txt", "x")
    with pytest.raises(UserError, match="extra is no part of a dataset"):
        read_parts(tmp_path / "a", COLUMNS)
    for name in ("train", "dev", "valid"):
        put(tmp_path / "b" / f"{name}.csv", "text,label\nx,a\n")
    with pytest.raises(UserError, match="both for validation"):
        read_parts(tmp_path / "b", COLUMNS)
    np.savez(tmp_path / "a.npz", x=np.zeros((2, 3)), y=np.array([1, 2]), x_extra=np.zeros((2, 3)))
    with pytest.raises(UserError, match="'extra' is no part"):
        read_npz(tmp_path / "a.npz")


def test_hidden_files_are_passed_over_and_counted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for name in ("a.png", "._a.png", ".b.png", "Thumbs.db", ".DS_Store"):
        put(tmp_path / name, b"x")
    with caplog.at_level(logging.INFO, "elman"):
        assert [path.name for path in picture_files([tmp_path])] == ["a.png"]
    assert "2 hidden files are passed over" in caplog.text


@pytest.mark.parametrize("cell", ["1_0", "１", "1e", "0x10", "٣"])
def test_numbers_of_another_form(cell: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is no number"):
        read_ts(put(tmp_path / "a.ts", f"@classLabel true a\n@data\n{cell},2:a\n"))
    for content in (f"1,2\n{cell},2\n", f"{cell},2\n1,2\n"):
        with pytest.raises(UserError, match="is no number"):
            read_csv_values(put(tmp_path / "a.csv", content))


def test_a_cell_that_is_too_long(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="line 3 has a cell of 200,000 characters"):
        read_table(put(tmp_path / "a.csv", "time,value\n2020-01-01,1\n" + "9" * 200_000 + ",2\n"))
    assert texts(put(tmp_path / "b.csv", "text,label\n" + "x" * 200_000 + ",a\n"))[0][0] == "x" * 200_000


def test_ids_stay_what_they_are(tmp_path: Path) -> None:
    import pandas as pd

    path = put(tmp_path / "a.csv", "id,v\nNA,1\nnull,1\nNone,1\n007,1\n1,2\n2,3\n3,\n")
    assert read_table(path, texts={"id"})["id"].tolist() == ["NA", "null", "None", "007", "1", "2", "3"]
    frame = checked_table(pd.DataFrame({"id": [1.0, 2.0, None], "v": [1, 2, 3]}), "the table", texts={"id"})
    assert frame["id"].tolist() == ["1", "2", None]
    pd.DataFrame({"id": [1, 2, 3], "v": [1, 2, 3]}).to_parquet(tmp_path / "a.parquet")
    assert read_table(tmp_path / "a.parquet", texts={"id"})["id"].tolist() == ["1", "2", "3"]


@pytest.mark.parametrize("text_first", [True, False])
def test_a_table_without_names_in_which_a_text_comes_twice(tmp_path: Path, text_first: bool) -> None:
    rows = [
        ("The hotel was bad.", "sad"),
        ("A nice meal.", "happy"),
        ("The hotel was bad.", "sad"),
        ("So dull.", "sad"),
    ]
    rows += [(f"Day {number} was fine.", "happy") for number in range(4)]
    path = tmp_path / "k.tsv"
    path.write_text("".join("\t".join(row if text_first else row[::-1]) + "\n" for row in rows), encoding="utf-8")
    assert [(row.text, row.label) for row in read_parts(path, Columns())[0]["train"]] == rows
    one = Columns(text="1" if text_first else "2")
    assert [(row.text, row.label) for row in read_parts(path, one)[0]["train"]] == rows


def test_ragged_arrays(tmp_path: Path) -> None:
    lengths, flat = np.array([3, 1, 2]), np.arange(12, dtype=np.float32).reshape(6, 2)
    np.savez(tmp_path / "flat.npz", x=flat, y=np.array(["a", "b", "a"]), lengths=lengths)
    found = [record.values.tolist() for record in read_npz(tmp_path / "flat.npz")["train"]]
    assert found == [flat[:3].tolist(), flat[3:4].tolist(), flat[4:].tolist()]
    np.savez(tmp_path / "one.npz", x=flat[:, 0], y=np.array([0, 1, 0]), lengths=lengths)
    assert [len(record.values) for record in read_npz(tmp_path / "one.npz")["train"]] == [3, 1, 2]
    padded = np.array([[1, 2, np.nan], [np.nan, 4, 5], [6, np.nan, np.nan]])
    np.savez(tmp_path / "nan.npz", x=padded, y=np.array([0, 1, 0]))
    found = [len(record.values) for record in read_npz(tmp_path / "nan.npz")["train"]]
    assert found == [2, 3, 1]  # a gap at the beginning is a gap
    np.savez(tmp_path / "odd.npz", x=flat, y=np.array([0, 1, 0]), lengths=lengths + 1)
    with pytest.raises(UserError, match=r"for 3 labels.*as many steps as lengths has together \(9\)"):
        read_npz(tmp_path / "odd.npz")


def test_excel_sheets(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    book.active.append(["text", "label", None])
    for row in (["one, two", "a"], [None, None], ["007", "b"], ["three", "a"], ["four", "b"]):
        book.active.append(row)
    book.create_sheet("more").append(["x"])
    book.save(tmp_path / "a.xlsx")
    with caplog.at_level(logging.INFO, "elman"):
        assert texts(tmp_path / "a.xlsx") == [("one, two", "a"), ("007", "b"), ("three", "a"), ("four", "b")]
    assert "the others ('more') are not" in caplog.text
    dated = openpyxl.Workbook()
    dated.active.append(["day", "sales"])
    for day in range(1, 9):
        dated.active.append([datetime.datetime(2020, 1, day), day * 1.5])
    dated.save(tmp_path / "b.xlsx")
    table = read_table(tmp_path / "b.xlsx")
    assert table["day"].tolist()[0] == "2020-01-01"
    assert table["sales"].tolist() == [day * 1.5 for day in range(1, 9)]
    with pytest.raises(UserError, match=r"cannot be read as .xlsx"):
        read_table(put(tmp_path / "c.xlsx", b"no sheet"))
    openpyxl.Workbook().save(tmp_path / "d.xlsx")
    with pytest.raises(UserError, match="no cells"):
        read_table(tmp_path / "d.xlsx")
