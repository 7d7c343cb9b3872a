"""Labelled text: public sets have their published sizes, own files are read, or refused by file and line."""

import gzip
import io
import os
import tarfile

import numpy as np
import pytest

from elman.data.text import public_sets as sentences
from elman.data.text.classification import read_labelled_part, read_labelled_text
from elman.errors import UserError

CSV = "text,label\n" + "".join(f"good {i},yes\nbad {i},no\n" for i in range(20))


def refused(parts, data, **options):
    with pytest.raises(UserError) as caught:
        read_labelled_text(data, **options)
    message = str(caught.value)
    assert "\n" not in message
    for part in parts:
        assert str(part) in message, message


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8", newline="")
    return path


def test_csv_is_split_evenly_in_file_order(tmp_path):
    data = read_labelled_text(write(tmp_path / "reviews.csv", CSV), validation_share=0.2, seed=3)
    assert data.classes == ("no", "yes")
    assert np.bincount(data.validation.labels).tolist() == [4, 4]
    assert np.bincount(data.train.labels).tolist() == [16, 16]
    assert len(data.test) == 0
    assert data.notes == ()
    assert sorted(data.train.texts + data.validation.texts) == sorted(
        f"{word} {i}" for i in range(20) for word in ("good", "bad")
    )
    for part in (data.train, data.validation):
        assert [text.startswith("good") for text in part.texts] == part.labels.astype(bool).tolist()
        numbers = [int(text.split()[1]) for text in part.texts]
        assert numbers == sorted(numbers)


def test_the_seed_decides_what_is_held_out(tmp_path):
    path = write(tmp_path / "reviews.csv", CSV)
    one, same, other = (read_labelled_text(path, seed=seed).validation.texts for seed in (1, 1, 2))
    assert one == same
    assert one != other


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.csv", 'id,Review,Stars\n1,"good, ""very""\nindeed",5\n\n2,bad,1\n3,good,5\n4,bad,1\n'),
        ("a.csv", 'Stars;Review\r\n5;"good, ""very""\nindeed"\r\n1;bad\r\n5;good\r\n1;bad\r\n'),
        ("a.tsv", 'text\tlabel\n"good, ""very"" indeed"\t5\nbad\t1\ngood\t5\nbad\t1\n'),
        (
            "a.jsonl",
            '{"text": "good, \\"very\\"\\nindeed", "label": 5}\n\n{"label": 1, "text": "bad"}\n'
            '{"text": "good", "label": 5}\n{"label": 1, "text": "bad"}\n',
        ),
    ],
)
def test_tables_and_the_columns_found_in_them(tmp_path, name, text):
    data = read_labelled_text(write(tmp_path / name, text), validation_share=0.5)
    assert data.classes == ("1", "5")
    texts = set(data.train.texts + data.validation.texts)
    separator = " " if name.endswith("tsv") else "\n"
    assert texts == {f'good, "very"{separator}indeed', "good", "bad"}


def test_quotes_in_a_tab_table_swallow_nothing(tmp_path):
    path = write(tmp_path / "a.tsv", 'text\tlabel\n"open\t0\nb\t1\nc\t0\nd "\t1\n')
    data = read_labelled_text(path, validation_share=0.5)
    assert set(data.train.texts + data.validation.texts) == {'"open', "b", "c", 'd "'}


def test_columns_by_name(tmp_path):
    path = write(tmp_path / "a.csv", "x,y1,y2\n" + "a,0,p\nb,1,q\n" * 2)
    data = read_labelled_text(path, text_column="x", label_column="y2")
    assert data.classes == ("p", "q")


def test_numbers_are_ordered_as_numbers(tmp_path):
    path = write(tmp_path / "a.csv", "text,stars\n" + "".join(f"t,{n}\n" for n in (10, 9, 1, -2)) * 2)
    assert read_labelled_text(path).classes == ("-2", "1", "9", "10")


def test_class_folders_and_parts(tmp_path):
    for part in ("train", "test"):
        for label in ("neg", "pos", "unsup"):
            for i in range(4):
                write(tmp_path / part / label / f"{i}.txt", f"{part} {label} {i}\n")
    write(tmp_path / "train" / "README.txt", "not a class")
    data = read_labelled_text(tmp_path)
    assert data.classes == ("neg", "pos")
    assert len(data.train) + len(data.validation) == 8
    assert len(data.test) == 8
    assert data.test.texts[0] == "test neg 0\n"
    inner = read_labelled_text(tmp_path / "train")
    assert inner.train.texts == data.train.texts
    assert len(inner.test) == 0


def test_parts_as_tables(tmp_path):
    for name in ("train.csv", "dev.tsv"):
        write(tmp_path / name, CSV.replace(",", "\t") if name.endswith("tsv") else CSV)
    data = read_labelled_text(tmp_path)
    assert len(data.train) == len(data.validation) == 40


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl"])
def test_a_column_of_parts_is_read_and_said(tmp_path, name):
    rows = [(f"text {i}", i % 2, "test" if i % 4 < 1 else "Train") for i in range(80)]
    if name == "a.csv":
        path = write(tmp_path / name, "text,label,split\n" + "".join(f"{a},{b},{c}\n" for a, b, c in rows))
    else:
        lines = (f'{{"text": "{a}", "label": {b}, "split": "{c}"}}\n' for a, b, c in rows)
        path = write(tmp_path / name, "".join(lines))
    data = read_labelled_text(path)
    assert (len(data.train) + len(data.validation), len(data.test), data.held_out) == (60, 20, True)
    assert data.notes == (f"{path}, column 'split' says which part a text belongs to: test 20, train 60",)
    part, notes = read_labelled_part(path, data.classes)
    assert len(part) == 80
    assert "all 80 texts are measured, whatever part column 'split' says" in notes[0]


def test_a_column_of_parts_that_cannot_be_used_is_named(tmp_path):
    path = write(tmp_path / "a.csv", "text,label,set\n" + "".join(f"t{i},{i % 2},{i % 3}\n" for i in range(40)))
    data = read_labelled_text(path)
    assert len(data.test) == 0
    assert data.notes == (
        f"{path}, column 'set' is not read as parts: '0' in line 2 is no part such as train, validation or test",
    )


def test_empty_texts_are_counted_said_and_skipped(tmp_path):
    path = write(tmp_path / "a.csv", CSV + ",yes\n  ,no\n")
    data = read_labelled_text(path)
    assert len(data.train) + len(data.validation) == 40
    assert data.notes == (f"2 of 42 texts are empty and are skipped; the first is {path} line 42",)
    refused(["all 2 texts are empty"], write(tmp_path / "b.csv", "text,label\n,yes\n ,no\n"))


@pytest.mark.parametrize(
    ("name", "text", "parts"),
    [
        (
            "a.csv",
            "review body,verdict,x\na,1,2\n",
            ["no column is called text", "'verdict'", "`text_column`"],
        ),
        ("a.csv", "text,verdict,x\na,1,2\n", ["no column is called label", "'x'", "`label_column`"]),
        ("a.csv", "text,label\na,yes\nb,yes\n", ["every example is 'yes'", "two classes"]),
        ("a.csv", "text,label\n", ["has no examples", "two classes"]),
        ("a.csv", CSV + "hm,maybe\n", ["class 'maybe' has one example", "a.csv line 42"]),
        ("a.csv", CSV + "a,b,yes\n", ["a.csv line 42 has 3 columns where the first line has 2"]),
        ("a.csv", CSV + "a\n", ["a.csv line 42 has 1 columns"]),
        ("a.csv", CSV + 'a,"yes\nb,no\n', ["a.csv line 42 is not a record", "quotes"]),
        ("a.csv", CSV + "a,\n", ["a.csv line 42 has no label"]),
        ("a.csv", "\n\n", ["no column is called text"]),
        ("a.jsonl", '{"text": "a", "label": 1}\n{"text": \n', ["a.jsonl line 2 is not JSON"]),
        ("a.jsonl", '{"text": "a", "label": 1}\n[1]\n', ["a.jsonl line 2 is not an object"]),
        ("a.jsonl", '{"text": "a", "label": 1}\n{"text": "b"}\n', ["a.jsonl line 2 has no 'label'"]),
        ("a.jsonl", '{"text": "a", "label": null}\n', ["a.jsonl line 1 has no label"]),
        ("a.ods", "text", ["cannot tell the format", ".csv, .tsv, .jsonl"]),
        ("a.csv", "", ["is empty"]),
    ],
)
def test_bad_tables(tmp_path, name, text, parts):
    refused([tmp_path, *parts], write(tmp_path / name, text))


def test_wrong_encoding_says_the_line(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes(CSV.encode() + "caf\xe9,yes\n".encode("latin-1"))
    refused([path, "line 42", "iconv"], path)


def test_bad_names_and_folders(tmp_path):
    refused(["neither a dataset nor a file called sst3", "did you mean sst"], "sst3")
    refused(["mnist is a dataset of sequences, not of labelled text", "sst2"], "mnist")
    refused(["there is no file or folder", "reviews.csv"], tmp_path / "reviews.csv")
    refused(["has no class folders"], tmp_path)
    (tmp_path / "happy").mkdir()
    refused([tmp_path / "happy", "no .txt files"], tmp_path)
    write(tmp_path / "a.csv", CSV)
    refused(["has no column 'lable'", "did you mean 'label'?"], tmp_path / "a.csv", label_column="lable")
    refused(["cannot be both"], tmp_path / "a.csv", label_column="text", text_column="text")
    refused(["must lie between 0 and 1"], tmp_path / "a.csv", validation_share=0.0)


def test_a_part_for_evaluation(tmp_path):
    path = write(tmp_path / "new.csv", "text,label\nfine,yes\n,no\nawful,no\n")
    part, notes = read_labelled_part(path, ("no", "yes"))
    assert part.texts == ("fine", "awful")
    assert part.labels.tolist() == [1, 0]
    assert len(notes) == 1
    write(path, "text,label\nfine,yes\nodd,maybe\n")
    with pytest.raises(UserError, match=r"new.csv line 3: label 'maybe' was never seen in training, which had no, yes"):
        read_labelled_part(path, ("no", "yes"))


def archive(path, files):
    with tarfile.open(path, "w:gz") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return path


REVIEWS = {
    "aclImdb/README": b"not a review",
    "aclImdb/train/pos/10_9.txt": b"Fine.<br /><br />Very <br/> fine.",
    "aclImdb/train/pos/2_7.txt": b"Good",
    "aclImdb/train/neg/0_1.txt": "na\xefve".encode(),
    "aclImdb/train/unsup/0_0.txt": b"no label",
    "aclImdb/test/neg/3_1.txt": b"Bad",
}


def test_imdb_out_of_the_archive(tmp_path):
    archive(tmp_path / "aclImdb_v1.tar.gz", REVIEWS)
    parts = sentences.read_imdb(tmp_path)
    assert [(row.text, row.label) for row in parts["train"]] == [
        ("na\xefve", "negative"),
        ("Good", "positive"),
        ("Fine. Very fine.", "positive"),
    ]
    assert [row.text for row in parts["test"]] == ["Bad"]


def test_imdb_is_the_same_in_whatever_order_the_archive_has_it(tmp_path):
    (tmp_path / "other").mkdir()
    archive(tmp_path / "aclImdb_v1.tar.gz", REVIEWS)
    archive(tmp_path / "other" / "aclImdb_labelled.tar.gz", dict(reversed(REVIEWS.items())))
    one, other = (sentences.read_imdb(folder) for folder in (tmp_path, tmp_path / "other"))
    assert [row.text for row in one["train"]] == [row.text for row in other["train"]]


@pytest.mark.parametrize("damage", ["cut", "not gzip", "gzip of nothing", "no reviews", "missing"])
def test_damaged_archive(tmp_path, damage):
    path = archive(tmp_path / "aclImdb_v1.tar.gz", {name: os.urandom(5000) for name in ("a", "b")})
    whole = path.read_bytes()
    path.write_bytes(
        {
            "cut": whole[: len(whole) // 2],
            "not gzip": b"<html>not found</html>",
            "gzip of nothing": gzip.compress(b"nothing of a tar file" * 100),
            "no reviews": whole,
            "missing": b"",
        }[damage]
    )
    if damage == "missing":
        path.unlink()
    with pytest.raises(UserError, match=str(path)):
        sentences.read_imdb(tmp_path)


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "classes", "sizes"),
    [
        ("sst2", 2, (6920, 872, 1821)),
        ("sst5", 5, (8544, 1101, 2210)),
        ("trec", 6, (4906, 546, 500)),
        ("yelp", 2, (46793, 5199, 5777)),
        pytest.param("imdb", 2, (22500, 2500, 25000), marks=pytest.mark.slow),
    ],
)
def test_public_sets(name, classes, sizes):
    if "ELMAN_DATA" not in os.environ:
        pytest.skip("ELMAN_DATA names no filled cache folder")
    data = read_labelled_text(name)
    parts = (data.train, data.validation, data.test)
    assert tuple(map(len, parts)) == sizes
    assert len(data.classes) == classes
    assert data.notes == ()
    for part in parts:
        assert set(part.labels.tolist()) == set(range(classes))
        assert all(text.strip() for text in part.texts)
        assert not any("<br" in text for text in part.texts)
    if name == "yelp":
        assert not set(data.test.texts) & set(data.train.texts + data.validation.texts)
    if name == "sst5":
        assert data.classes[0] == "very negative"
        assert data.classes[4] == "very positive"
