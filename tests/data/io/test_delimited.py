"""The one reader of delimited text, and that every reader of tables parses as it does."""

from __future__ import annotations

from pathlib import Path

import pytest

from elman.data.audio.recordings import read_folder
from elman.data.image.captions import read_captions
from elman.data.io.arrays import read_csv_values
from elman.data.io.columns import Columns
from elman.data.io.delimited import read_delimited
from elman.data.io.labelled import read_table as read_labelled
from elman.data.io.tables import read_table
from elman.data.text.parallel import read_pairs
from elman.errors import UserError


def written(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_bytes(text.encode())
    return path


@pytest.mark.parametrize(
    ("name", "text", "header", "records"),
    [
        ("a.csv", "a,b\n1,2\n", ("a", "b"), [["1", "2"]]),
        ("a.csv", "\ufeffa;b\r\n1,5;2\r\n", ("a", "b"), [["1,5", "2"]]),
        ("a.csv", "sep=;\na;b\n1;2\n", ("a", "b"), [["1", "2"]]),
        ("a.csv", '"a, with a comma";b;c\n1;2;3\n', ("a, with a comma", "b", "c"), [["1", "2", "3"]]),
        ("a.csv", 'a,b\n"two\nlines","a ""quote"""\n', ("a", "b"), [["two\nlines", 'a "quote"']]),
        ("a.csv", "a|b\n\n1|2\n  \n", ("a", "b"), [["1", "2"]]),
        ("a.tsv", 'a\tb\n"yes\the said "no"\n"""x"""\ty\n', ("a", "b"), [['"yes', 'he said "no"'], ['"x"', "y"]]),
    ],
)
def test_reads(tmp_path: Path, name: str, text: str, header: tuple[str, ...], records: list[list[str]]) -> None:
    table = read_delimited(written(tmp_path, name, text))
    assert table.header == header
    assert [fields for _, fields in table.records] == records


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a,b\n1\n", "line 2 has 1 columns"),
        ("a,b\n1,2,3\n", "line 2 has 3 columns"),
        ('a,b\n"1,2\n', "mend its quotes"),
    ],
)
def test_a_damaged_record_is_named(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(UserError, match=said):
        read_delimited(written(tmp_path, "a.csv", text))


def test_lines_are_counted_from_the_file(tmp_path: Path) -> None:
    table = read_delimited(written(tmp_path, "a.csv", 'sep=,\na,b\n\n"x\ny",2\n3,4\n'))
    assert [line for line, _ in table.records] == [4, 6]


def test_every_reader_takes_what_excel_writes(tmp_path: Path) -> None:
    """A byte-order mark, "sep=;" and a quoted header that holds a comma."""
    start = "\ufeffsep=;\n"
    labelled = written(tmp_path, "labelled.csv", start + 'text;"label"\n"good, very";pos\n')
    assert [(row.text, row.label) for row in read_labelled(labelled, Columns())] == [("good, very", "pos")]
    series = read_table(written(tmp_path, "series.csv", start + '"day";"sales, net"\n2021-01-01;3\n'))
    assert series["sales, net"].tolist() == [3]
    values = read_csv_values(written(tmp_path, "values.csv", start + '"x, y";z\n1;2\n3;4\n'))
    assert values.tolist() == [[1, 2], [3, 4]]
    captions = read_captions(written(tmp_path, "captions.csv", start + '"image";caption\na.jpg;A dog, and a cat\n'))
    assert captions.texts == {"a.jpg": ("a dog and a cat",)}


def test_a_caption_with_commas_is_whole(tmp_path: Path) -> None:
    found = read_captions(written(tmp_path, "c.csv", "image,caption\na.jpg,A dog, a cat and a man, too\n"))
    assert found.texts == {"a.jpg": ("a dog a cat and a man too",)}
    with pytest.raises(UserError, match="line 2 has 4 columns"):  # the caption is not the last
        read_captions(written(tmp_path, "d.csv", "caption,image\nA dog, a cat and a man, too, a.jpg\n"))


def test_quotes_in_a_tsv_join_no_lines(tmp_path: Path) -> None:
    found = read_captions(
        written(tmp_path, "c.tsv", 'image\tcaption\nb.jpg\t"A dog\nc.jpg\tA cat\nd.jpg\tA "red" hat\n')
    )
    assert found.texts == {"b.jpg": ("a dog",), "c.jpg": ("a cat",), "d.jpg": ("a red hat",)}
    folder = tmp_path / "sounds"
    folder.mkdir()
    for name in ("1.wav", "2.wav"):
        written(folder, name, "")
    rows = '1.wav\t"Yes he said\tdev\tann\n2.wav\tno\ttesting\tbob\n'
    written(folder, "said.tsv", "File\tTranscript\tPart\tSpeaker\n" + rows)
    assert [(one.transcript, one.part, one.speaker) for one in read_folder(folder)] == [
        ('"Yes he said', "validation", "ann"),
        ("no", "test", "bob"),
    ]


def test_names_of_parts_are_one_table_and_the_unknown_is_refused(tmp_path: Path) -> None:
    rows = "a.jpg,a dog,dev\nb.jpg,a cat,valid\nc.jpg,a man,testing\nd.jpg,a hat,restval\n"
    found = read_captions(written(tmp_path, "c.csv", "image,caption,split\n" + rows))
    assert found.parts == {"a.jpg": "validation", "b.jpg": "validation", "c.jpg": "test", "d.jpg": "train"}
    with pytest.raises(UserError, match="line 2: 'later' is no part"):
        read_captions(written(tmp_path, "d.csv", "image,caption,split\na.jpg,a dog,later\n"))


def test_names_of_series_stay_texts(tmp_path: Path) -> None:
    path = written(tmp_path, "s.csv", "id,day,y\n007,2021-01-01,1\nNA,2021-01-01,2\nnull,2021-01-01,\n1,2021-01-01,4\n")
    table = read_table(path, texts={"id"})
    assert table["id"].tolist() == ["007", "NA", "null", "1"]
    assert table["y"].isna().tolist() == [False, False, True, False]


def test_a_first_pair_that_looks_like_codes_is_a_pair(tmp_path: Path) -> None:
    pairs, languages, _ = read_pairs([str(written(tmp_path, "p.tsv", "Yes\tJa\nNo\tNein\n"))])
    assert (pairs.source, languages) == (("Yes", "No"), ("", ""))
    pairs, languages, _ = read_pairs([str(written(tmp_path, "q.tsv", "en\tde\nNo\tNein\n"))])
    assert (pairs.source, languages) == (("No",), ("en", "de"))
