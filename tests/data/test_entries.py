"""A cache whose folder cannot be used: one line that names the folder, or the work done without it."""

from __future__ import annotations

import errno
import logging
import os
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from elman import atomic_io
from elman.data import entries
from elman.data.digests import content_digest, known_digest
from elman.data.image.features import Features
from elman.data.image.remembered import remembered
from elman.data.io.columns import Columns
from elman.data.io.large import stored_tables
from elman.data.io.tables import read_table
from elman.data.text.labelled import parts
from elman.data.text.labelled.sequences import encode_stored
from elman.data.text.labelled.vocabulary import learn_vocabulary
from elman.data.text.large_corpus import LargeCorpus
from elman.errors import UserError
from elman.training.checks.data_digest import digest

TABLE = "t,a\n" + "".join(f"2020-01-{1 + n // 24:02} {n % 24:02}:00,{n / 7:.3f}\n" for n in range(200))
LABELLED = "text,label\n" + "".join(f"word number {n},{'yes' if n % 2 else 'no'}\n" for n in range(40))


@pytest.fixture(autouse=True)
def cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A cache of the test's own, and files that are large from the first byte."""
    monkeypatch.setenv("ELMAN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(stored_tables, "LARGE_BYTES", 0)
    monkeypatch.setattr(parts, "LARGE_BYTES", 0)
    return tmp_path / "cache"


def in_its_place(cache: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    cache.write_text("no folder")
    return "not a directory"


def in_its_parents_place(cache: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    cache.write_text("no folder")
    monkeypatch.setenv("ELMAN_CACHE", str(cache / "here" / "or there"))
    return "not a directory"


def read_only(cache: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """As a read-only disk answers: permissions alone would not stop a superuser."""

    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(atomic_io.tempfile, "mkstemp", refuse)
    return "read-only file system"


def full(cache: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    def refuse(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", refuse)
    return "free some space"


FAULTS = [in_its_place, in_its_parents_place, read_only, full]
Fault = Callable[[Path, pytest.MonkeyPatch], str]


def file(tmp_path: Path, content: str, name: str) -> Path:
    path = tmp_path / name
    path.write_text(content)
    return path


def check_error(error: UserError, reason: str) -> None:
    message = str(error)
    assert isinstance(error, entries.CacheError)
    assert message.count("\n") == 0
    for words in (str(entries.folder()), reason, "environment variable ELMAN_CACHE"):
        assert words in message


@pytest.mark.parametrize("fault", FAULTS)
def test_a_text_is_refused(fault: Fault, tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reason = fault(cache, monkeypatch)
    corpus = LargeCorpus([file(tmp_path, "the quick brown fox\n" * 50, "text.txt")], 0.1)
    with pytest.raises(UserError) as error:
        corpus.build_vocabulary("characters", None)
    check_error(error.value, reason)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_table_of_texts_is_refused(
    fault: Fault, tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reason = fault(cache, monkeypatch)
    sources = parts.large_tables(file(tmp_path, LABELLED, "table.csv"), ())
    with pytest.raises(UserError) as error:
        parts.stored_classes(sources, Columns("text", "label"), "table", 0.1, 1)
    check_error(error.value, reason)


def test_what_is_made_of_texts_later_is_refused(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    corpus = LargeCorpus([file(tmp_path, "the quick brown fox\n" * 50, "text.txt")], 0.1)
    characters = corpus.build_vocabulary("characters", None)
    sources = parts.large_tables(file(tmp_path, LABELLED, "table.csv"), ())
    part = parts.stored_classes(sources, Columns("text", "label"), "table", 0.1, 1).train
    assert isinstance(part, parts.StoredPart)
    words = learn_vocabulary(part, "words", 20, special=("<unk>",))
    reason = full(cache, monkeypatch)
    for work in (
        lambda: corpus.encode(characters),
        lambda: corpus.build_vocabulary("words", 20),
        lambda: learn_vocabulary(part, "words", 19, special=("<unk>",)),
        lambda: encode_stored(part.texts, words, 100),
    ):
        with pytest.raises(UserError) as error:
            work()
        check_error(error.value, reason)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_table_of_series_is_read_into_memory_unless_it_is_very_large(
    fault: Fault, tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    path = file(tmp_path, TABLE, "table.csv")
    with monkeypatch.context() as patch:
        patch.setattr(stored_tables, "LARGE_BYTES", 1 << 60)
        expected = read_table(path)
    reason = fault(cache, monkeypatch)
    pd.testing.assert_frame_equal(read_table(path), expected, check_exact=True)
    said = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert len(said) == 1
    for words in (str(entries.folder()), reason, "environment variable ELMAN_CACHE", f"{path} is read into memory"):
        assert words in said[0].getMessage()
    monkeypatch.setattr(stored_tables, "FIT_IN_MEMORY", 100)
    with pytest.raises(UserError) as error:
        read_table(path)
    check_error(error.value, reason)


@pytest.mark.parametrize("fault", FAULTS)
def test_features_of_pictures_are_made_and_not_kept(
    fault: Fault, tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    pictures = [tmp_path / f"{number}.png" for number in range(300)]
    for number, picture in enumerate(pictures):
        Image.new("RGB", (4, 4), (number % 200, 0, 0)).save(picture)
    looked_at = []

    def make(some: Sequence[Path], before: int) -> Features:
        looked_at.append((len(some), before))
        numbers = np.arange(before, before + len(some), dtype=np.float32)
        return Features(tuple(one.name for one in some), numbers[:, None], "eye")

    reason = fault(cache, monkeypatch)
    found = remembered(pictures, make, "eye")
    assert found.vectors[:, 0].tolist() == list(range(300))
    assert looked_at == [(256, 0), (44, 256)]
    assert len(caplog.records) == 1
    for words in (str(entries.folder()), reason, "environment variable ELMAN_CACHE"):
        assert words in caplog.records[0].getMessage()


@pytest.mark.parametrize("said", ["x", "", "nan", "inf", "50 GB"])
def test_a_limit_that_is_no_number_is_refused_before_any_work(
    said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ELMAN_CACHE_GB", said)
    table, labelled = file(tmp_path, TABLE, "table.csv"), file(tmp_path, LABELLED, "labelled.csv")
    text = file(tmp_path, "the quick brown fox\n" * 50, "text.txt")
    Image.new("RGB", (4, 4)).save(tmp_path / "0.png")
    for work in (
        lambda: read_table(table),
        lambda: parts.stored_classes(parts.large_tables(labelled, ()), Columns("text", "label"), "", 0.1, 1),
        lambda: LargeCorpus([text], 0.1).build_vocabulary("characters", None),
        lambda: remembered([tmp_path / "0.png"], None, "eye"),  # type: ignore[arg-type]
    ):
        with pytest.raises(UserError, match="ELMAN_CACHE_GB is"):
            work()
    assert not entries.folder().exists()


def flipped(path: Path) -> Iterator[int]:
    """Make each letter of a file another in turn; yields its place."""
    whole = path.read_bytes()
    for place in range(len(whole)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        yield place


def test_a_description_with_a_wrong_letter_is_none() -> None:
    facts = stored_tables.Facts(True, 200, ["t", "a"], [stored_tables.Kind.NUMBER] * 2)
    entries.make_ready()
    entries.describe("0", facts, [])
    path = entries.folder() / "0.json"
    assert entries.description("0", stored_tables.Facts) == facts
    whole = path.read_bytes()
    for _ in flipped(path):
        assert entries.description("0", stored_tables.Facts) is None
    for damaged in (whole[:-1], whole + b"\n", whole.splitlines()[0] + b"\n", b""):
        path.write_bytes(damaged)
        assert entries.description("0", stored_tables.Facts) is None
    path.write_bytes(whole)
    assert entries.description("0", stored_tables.Facts) == facts


def test_a_digest_with_a_wrong_letter_is_computed_again(tmp_path: Path) -> None:
    path = file(tmp_path, TABLE, "table.csv")
    os.utime(path, (time.time() - 60, time.time() - 60))
    time.sleep(2.1)  # the time of the state cannot be set
    found = content_digest(path)
    (note,) = (entries.folder().parent / "digests").iterdir()
    assert known_digest(path) == found
    whole = note.read_bytes()
    for _ in flipped(note):
        assert known_digest(path) in ("", found)  # the last is the line's end
    note.write_bytes(whole)
    assert known_digest(path) == found


@pytest.mark.parametrize("ending", ["scan.json", "digest.json"])
def test_a_wrong_letter_in_what_a_text_is_known_by_changes_nothing(ending: str, tmp_path: Path) -> None:
    text = file(tmp_path, "the quick brown fox\n" * 50, "text.txt")
    sources = parts.large_tables(file(tmp_path, LABELLED, "table.csv"), ())

    def read() -> Any:
        if ending == "digest.json":
            return digest(
                {"train": parts.stored_classes(sources, Columns("text", "label"), "", 0.1, 1).train.examples()}
            )
        return LargeCorpus([text], 0.1).build_vocabulary("characters", None).tokens

    before = read()
    (path,) = entries.folder().glob(f"*.{ending}")
    whole = path.read_bytes()
    for place in range(0, len(whole), 5):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        assert read() == before
        assert path.read_bytes() == whole


def _read_columns(tmp_path: Path) -> Any:
    return read_table(file(tmp_path, TABLE, "table.csv")).to_dict("list")


def _read_text(tmp_path: Path) -> Any:
    corpus = LargeCorpus([file(tmp_path, "the quick brown fox\n" * 50, "text.txt")], 0.1)
    encoded = corpus.encode(corpus.build_vocabulary("words", 20))
    return encoded.training.tolist(), encoded.validation.tolist()


def _read_labelled(tmp_path: Path) -> Any:
    sources = parts.large_tables(file(tmp_path, LABELLED, "table.csv"), ())
    part = parts.stored_classes(sources, Columns("text", "label"), "table", 0.1, 1).train
    assert isinstance(part, parts.StoredPart)
    vocabulary = learn_vocabulary(part, "words", 20, special=("<unk>",))
    ids = encode_stored(part.texts, vocabulary, 100)
    return list(part.texts), part.labels.tolist(), [ids[number].tolist() for number in range(len(ids))]


def _see_pictures(tmp_path: Path) -> Any:
    Image.new("RGB", (4, 4)).save(tmp_path / "0.png")
    return remembered(
        [tmp_path / "0.png"], lambda *_: Features(("0.png",), np.ones((1, 8)), "eye"), "eye"
    ).vectors.tolist()


@pytest.mark.parametrize("harm", ["a wrong letter", "a letter less", "gone"])
@pytest.mark.parametrize("read", [_read_columns, _read_text, _read_labelled, _see_pictures])
def test_a_damaged_file_of_an_entry_is_made_again(read: Callable[[Path], Any], harm: str, tmp_path: Path) -> None:
    before = read(tmp_path)
    files = [path for path in entries.folder().iterdir() if path.suffix not in (".json", ".lock")]
    files += entries.folder().glob("*.vocabulary.json")
    assert files
    for path in files:
        whole = path.read_bytes()
        for place in {0, len(whole) // 2, len(whole) - 1} if harm == "a wrong letter" else {0}:
            if harm == "gone":
                path.unlink()
            elif harm == "a letter less":
                path.write_bytes(whole[:-1])
            else:
                path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
            assert read(tmp_path) == before
            assert path.read_bytes() == whole


def test_of_a_large_file_blocks_are_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(entries, "WHOLLY_CHECKED", 2 * 16 * 10)  # blocks of 10 bytes of two files
    entries.make_ready()
    facts, whole = stored_tables.Facts(False, 0, [], []), bytes(range(250)) * 4
    for ending in (".0", ".1"):
        (entries.folder() / f"0{ending}").write_bytes(whole)
    entries.describe("0", facts, [".0", ".1"], wholly=[".1"])
    seen: dict[str, list[int]] = {".0": [], ".1": []}
    for ending, places in seen.items():
        for place in flipped(entries.folder() / f"0{ending}"):
            if entries.description("0", stored_tables.Facts) is None:
                places.append(place)
        (entries.folder() / f"0{ending}").write_bytes(whole)
    begins = [990 * number // 15 for number in range(16)]
    assert seen == {".0": [begin + i for begin in begins for i in range(10)], ".1": list(range(1000))}


def test_errors_of_other_files_pass(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), entries.made_once("0"):
        (tmp_path / "none").read_text()
    with pytest.raises(atomic_io.UnwritableError, match="choose another folder"), entries.made_once("0"):
        atomic_io.write_text(file(tmp_path, "", "a") / "b", "")
    with pytest.raises(entries.CacheError, match="no such file"), entries.made_once("0"):
        (entries.folder() / "none").read_text()


def test_a_home_that_nobody_has(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ELMAN_CACHE", "~nobody-of-this-name/cache")
    with pytest.raises(UserError, match="ELMAN_CACHE is '~nobody"):
        entries.make_ready()
