"""Descriptions: facts that were put into files are found in them; what is ambiguous is asked about."""

from __future__ import annotations

import gzip
import os
import struct
from pathlib import Path

import numpy as np
import pytest

from elman.data.audio.recordings import read_recordings
from elman.data.description.facts import Description
from elman.data.description.formats import column_of, table_facts
from elman.data.description.recordings import describe_recordings
from elman.data.io.columns import Columns
from elman.data.io.delimited import read_delimited
from elman.data.io.files import LARGEST, reading_samples
from elman.data.io.labelled import read_rows
from elman.errors import UserError
from elman.tasks import task_module


def put(path: Path, content: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def describe(task: str, **settings: object) -> Description:
    module = task_module(task)
    found = module.Task.describe(module.Settings(**settings))
    assert isinstance(found, Description)
    return found


def facts(found: Description) -> dict[str, object]:
    told = found.to_json()["facts"]
    assert isinstance(told, dict)
    return told


def test_the_form_of_a_table(tmp_path: Path) -> None:
    excel = '\ufeffDatum;"Umsatz, netto"\r\n01.01.2020;1.002,5\r\n02.01.2020;998,5\r\n'
    told = {fact.name: fact.value for fact in table_facts(put(tmp_path / "a.csv", excel))}
    assert told["encoding"] == "UTF-8 with a byte-order mark"
    assert (told["line ends"], told["separator"], told["decimal mark"]) == ("CR LF", ";", ",")
    plain = {fact.name: fact.value for fact in table_facts(put(tmp_path / "b.tsv", "a\tb\n1.5\t2\n"))}
    assert (plain["encoding"], plain["separator"], plain["decimal mark"]) == ("ASCII", "\t", ".")
    packed = table_facts(put(tmp_path / "c.csv.gz", gzip.compress(b"a|b\n1|2\n")))
    assert "packed by gzip" in packed[0].text
    with pytest.raises(UserError, match="not UTF-8"):
        table_facts(put(tmp_path / "d.csv", "a,b\nä,1\n".encode("latin-1")))


def test_columns() -> None:
    assert column_of("a", ["1", "2", "NA"]).type == "whole numbers"
    assert column_of("a", ["1.5", "2", ""]).missing == 1
    assert column_of("a", ["2020-01-01", "2020-02-01"]).type == "dates"
    texts = column_of("a", ["x", "y", "x"])
    assert (texts.type, texts.distinct, texts.range.split(" ")[0]) == ("texts", 2, "'x'")
    assert column_of("a", ["", "NA"]).type == "empty"


def test_series_with_gaps_are_described_all_the_same(tmp_path: Path) -> None:
    days = [f"{day:02d}.01.2020;{day}" for day in range(1, 31) if day not in (5, 6)]
    found = describe("forecasting", data=str(put(tmp_path / "a.csv", "Tag;Wert\n" + "\n".join(days))))
    told = facts(found)
    assert (told["rows"], told["gaps"], told["step"], told["date order"]) == (30, 2, "D", "day-first")
    assert "13.01.2020 in row 11 can be nothing else" in " ".join(found.notes)
    assert "`missing=interpolate`" in found.questions[0]
    assert found.settings == {"missing": "interpolate"}


def test_an_ambiguous_order_of_dates_is_asked_about(tmp_path: Path) -> None:
    rows = "".join(f"01/{number:02d}/2020,{number}\n" for number in range(1, 13))
    path = str(put(tmp_path / "a.csv", "date,v\n" + rows))
    found = describe("forecasting", data=path)
    assert "`date_order=day-first` or `date_order=month-first`" in found.questions[0]
    assert "MS" in found.questions[1]
    assert "D, to 2020-01-12" in found.questions[1]
    told = describe("forecasting", data=path, date_order="month-first")
    assert not told.questions
    assert facts(told)["step"] == "D"


def test_a_column_that_tells_series_apart_is_found(tmp_path: Path) -> None:
    rows = [f"2020-01-{day:02d},{store},{day}" for store in "AB" for day in range(1, 25)]
    found = describe("forecasting", data=str(put(tmp_path / "a.csv", "day,store,sales\n" + "\n".join(rows))))
    assert found.settings == {"series_id": "store"}
    assert facts(found)["series"] == {"A": 24, "B": 24}
    with pytest.raises(UserError, match="stands twice"):  # and where no column tells them apart
        describe("forecasting", data=str(put(tmp_path / "b.csv", "day,v\n" + "2020-01-01,1\n" * 5)))


def test_numbers_may_tell_series_apart(tmp_path: Path) -> None:
    rows = "".join(f"2020-01-{day:02d},{day / 3:.2f},{who}\n" for who in (3, 1) for day in range(1, 29))
    found = describe("forecasting", data=str(put(tmp_path / "a.csv", "date,v,item_id\n" + rows)))
    assert found.settings == {"series_id": "item_id"}
    assert found.questions[0].endswith(": `series_id=item_id`")


def test_texts(tmp_path: Path) -> None:
    rows = ["comment,stars"] + [f"it was fine,{n % 2}" for n in range(8)] + [f"text {n},1" for n in range(20)]
    found = describe("sentiment", data=str(put(tmp_path / "a.csv", "\n".join(rows))))
    told = facts(found)
    assert told["classes"] == {"0": 4, "1": 24}
    assert told["read columns"] == {"text": "comment", "label": "stars"}
    notes = " ".join(found.notes)
    assert "7 texts repeat another" in notes
    assert "different labels" in notes
    assert "always answering '1' is right in 85.7%" in notes
    assert "28 texts; 2 classes (1 24, 0 4)" in found.brief()


def test_sequences(tmp_path: Path) -> None:
    x = np.arange(10 * 7 * 2, dtype=np.float32).reshape(10, 7, 2)
    x[1] = x[0]
    np.savez(tmp_path / "a.npz", x=x, y=np.array(["a", "b"] * 5), lengths=np.array([7] * 9 + [5]))
    found = describe("series", data=str(tmp_path / "a.npz"))
    told = facts(found)
    assert (told["channels"], told["steps"], told["classes"]) == (2, {"least": 5, "most": 7}, {"a": 5, "b": 5})
    assert "1 sequences repeat another" in found.notes


def test_texts_to_model_and_pairs(tmp_path: Path) -> None:
    found = describe("language", data=(str(put(tmp_path / "a.txt", "abc " * 100)),))
    assert facts(found)["characters"] == 400
    assert "one line" in found.notes[0]
    rows = "English,German\n" + "\n".join(f'"yes, {n}","ja, {n}"' for n in range(40))
    pairs = describe("translation", data=(str(put(tmp_path / "a.csv", rows)),))
    assert facts(pairs)["languages"] == ["en", "de"]
    assert facts(pairs)["first pair"] in (["yes, 0", "ja, 0"], ["yes, 1", "ja, 1"])


def test_recordings(tmp_path: Path) -> None:
    samples = (np.sin(np.arange(4000) / 5) * 9000).astype("<i2").tobytes()
    form = struct.pack("<IHHIIHH", 16, 1, 1, 8000, 16000, 2, 16)
    sound = b"WAVEfmt " + form + b"data" + struct.pack("<I", len(samples)) + samples
    for word in ("yes", "no"):
        for number in range(3):
            put(tmp_path / "w" / word / f"{number}.wav", b"RIFF" + struct.pack("<I", len(sound)) + sound)
    told = facts(describe_recordings(read_recordings(tmp_path / "w", speaker="", validation_share=0.2), "w"))
    assert told["sample rate"] == {8000: 6}
    assert told["seconds"] == {"least": 0.5, "most": 0.5}


def test_captions(tmp_path: Path) -> None:
    path = put(tmp_path / "a.csv", "image,caption\na.jpg,a dog\na.jpg,one dog\nb.jpg,a cat\n")
    found = describe("captioning", data=str(path))
    assert facts(found)["captions"] == 3
    assert "`data`" in found.questions[0]


def test_of_a_large_file_whole_records_of_the_beginning_are_read(tmp_path: Path) -> None:
    rows = "".join(f'{number},"two\nlines {number}"\n' for number in range(1000))
    path = put(tmp_path / "a.csv", "n,text\n" + rows)
    with reading_samples(5000, 10) as sample:
        table = read_delimited(path)
    assert 100 < len(table.records) < 400
    assert all("\n" in fields[1] for _, fields in table.records)
    assert sample.cut == {path: path.stat().st_size}
    assert len(read_delimited(path).records) == 1000
    long = put(tmp_path / "b.csv", "ä" * 10_000)
    with reading_samples(5001, 10):
        assert set(read_delimited(long).header[0]) == {"ä"}


def test_of_large_folders_some_files_are_read(tmp_path: Path) -> None:
    for number in range(40):
        put(tmp_path / "a" / f"{number:02d}.txt", f"text {number}")
    put(tmp_path / "b" / "1.txt", "other")
    with reading_samples(1 << 20, 10) as sample:
        assert len(read_rows(tmp_path, Columns())) == 11
    assert sample.thinned == {tmp_path / "a": 40}


def test_of_a_large_parquet_file_some_rows_are_read(tmp_path: Path) -> None:
    pd = pytest.importorskip("pandas")
    times = pd.date_range("2020-01-01", periods=20_000, freq="h")
    pd.DataFrame({"t": times, "v": np.random.default_rng(0).normal(size=20_000)}).to_parquet(tmp_path / "a.parquet")
    with reading_samples(20_000, 10):
        found = describe("forecasting", data=str(tmp_path / "a.parquet"))
    rows = facts(found)["rows"]
    assert isinstance(rows, int)
    assert 100 < rows < 10_000


def test_a_file_that_is_too_large_to_be_read_whole_is_described_by_its_beginning(tmp_path: Path) -> None:
    path = put(tmp_path / "a.csv", b"text,label\n" + b"good,yes\n" * 40_000)
    os.truncate(path, LARGEST + 1)  # what follows is a hole, which takes no room
    told = {fact.name: fact.value for fact in table_facts(path)}
    assert (told["size"], told["separator"]) == (LARGEST + 1, ",")
