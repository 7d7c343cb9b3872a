"""Labelled tables that are not read into memory, against the same tables read whole; and what the cache keeps."""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow
import pytest

from elman.data import digests, entries
from elman.data.io.large import plain_text
from elman.data.text import blocks
from elman.data.text.classification import read_labelled_part, read_labelled_text
from elman.data.text.labelled import parts, rows
from elman.data.text.labelled.parts import StoredTexts
from elman.data.text.labelled.sequences import encode_stored
from elman.data.text.labelled.texts import TextClasses
from elman.data.text.labelled.vocabulary import learn_vocabulary
from elman.data.text.tokenizers import Kind
from elman.data.text.vocabulary import Vocabulary
from elman.errors import UserError
from elman.run import load
from elman.tasks.sentiment.settings import Settings
from elman.training_run import train

WORDS = ("good", "bad, really", 'the "best"', "two\nlines", "füße 😀", "a;b", "猫猫", "x" * 90)


def examples(count: int) -> list[tuple[str, str]]:
    return [(f"{WORDS[i % 8]} {i} {WORDS[i * i % 7]}", ("no", "yes", "10")[i % 3]) for i in range(count)]


def table(lines: list[tuple[str, ...]], delimiter: str = ",", end: str = "\n") -> str:
    out = io.StringIO(newline="")
    csv.writer(out, delimiter=delimiter, lineterminator=end).writerows(lines)
    return out.getvalue()


def json_lines(lines: list[tuple[str, ...]]) -> str:
    return "".join(json.dumps({"text": one[0], "label": one[1]}) + "\n" for one in lines)


def put(path: Path, content: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    os.utime(path, ns=(10**18, 10**18))
    return path


HEAD = [("text", "label")]
MANY = examples(90)
PART = [(*one, ("train", "dev", "test")[i // 3 % 3]) for i, one in enumerate(examples(60))]
FLAT = [(text.replace("\n", " "), label) for text, label in MANY]
TABLES: dict[str, str | bytes] = {
    "plain.csv": table(HEAD + MANY),
    "crlf.csv": table(HEAD + MANY, ";", "\r\n"),
    "mac.csv": table(HEAD + FLAT, ",", "\r"),
    "marked.csv": "\ufeffsep=|\n" + table(HEAD + MANY, "|"),
    "tabs.tsv": "text\tlabel\n" + "".join(f"{text}\t{label}\n" for text, label in FLAT),
    "nameless.csv": table([*MANY, *MANY]),
    "numbers.csv": table(MANY),
    "lines.jsonl": json_lines(MANY),
    "empty.csv": table([*HEAD, ("", "no"), *MANY, (" \n ", "yes")]),
    "parts.csv": table([(*HEAD[0], "split"), *PART]),
    "strange.csv": table([(*HEAD[0], "split"), *PART, ("odd", "no", "somewhere")]),
    "no-train.csv": table([(*HEAD[0], "set"), *[one for one in PART if one[2] != "train"]]),
    "packed.csv.gz": gzip.compress(table(HEAD + MANY).encode()),
    "packed.jsonl.zst": bytes(pyarrow.compress(json_lines(MANY).encode(), "zstd", asbytes=True)),
    "no-end.csv": table(HEAD + MANY).removesuffix("\n"),
}
WRONG: dict[str, str | bytes] = {
    "ragged.csv": table([*HEAD, *MANY, ("one", "two", "three")]),
    "quote.csv": table(HEAD + MANY) + 'a "b,"open,no\n',
    "no-label.csv": table([*HEAD, *MANY, ("text", " ")]),
    "single.csv": table([*HEAD, *MANY, ("text", "alone")]),
    "one-class.csv": table([*HEAD, *[(text, "no") for text, _ in MANY]]),
    "no-column.csv": table([("a", "b", "c"), *PART]),
    "all-empty.csv": table([*HEAD, ("", "a"), ("", "b")]),
    "json.jsonl": json_lines(MANY) + '{"text": 1\n',
    "list.jsonl": json_lines(MANY) + '{"text": ["a"], "label": "no"}\n',
    "half.jsonl": json_lines(MANY) + '{"text": "\\ud800", "label": "no"}\n',
    "latin.csv": table(HEAD + MANY).encode() + "é,no\n".encode("latin-1"),
    "nul.csv": table(HEAD + MANY).encode() + b"\0,no\n",
    "unseen.csv": table([(*HEAD[0], "split"), *PART, ("odd", "new", "test")]),
}


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ELMAN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(blocks, "BLOCK", 61)
    monkeypatch.setattr(plain_text, "BLOCK", 500)
    monkeypatch.setattr(rows, "_TOGETHER", 7)
    monkeypatch.setattr(rows, "_BLOCK", 200)


@pytest.fixture
def both(monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[TextClasses, TextClasses]]:
    def read(data: Path | str, **options: object) -> tuple[TextClasses, TextClasses]:
        found = []
        for most in (1 << 40, 0):
            monkeypatch.setattr(parts, "LARGE_BYTES", most)
            found.append(read_labelled_text(data, **options))  # type: ignore[arg-type]
        return found[0], found[1]

    return read


def same(small: TextClasses, large: TextClasses) -> None:
    assert isinstance(large.train.texts, StoredTexts)
    assert (large.classes, large.notes, large.held_out) == (small.classes, small.notes, small.held_out)
    for one, other in ((small.train, large.train), (small.validation, large.validation), (small.test, large.test)):
        assert list(other.texts) == list(one.texts)
        assert other.labels.tolist() == one.labels.tolist()
        assert other.count_characters() == one.count_characters()
        assert list(other.examples()) == list(one.examples())


def columns_of(name: str) -> dict[str, str]:
    return {"text_column": "1", "label_column": "2"} if name == "numbers.csv" else {}


@pytest.mark.parametrize("name", TABLES)
def test_texts_parts_classes_and_notes_are_those_of_the_table_read_whole(
    tmp_path: Path, both: Callable[..., tuple[TextClasses, TextClasses]], name: str
) -> None:
    same(*both(put(tmp_path / name, TABLES[name]), seed=3, **columns_of(name)))


def test_several_files_and_a_folder_of_parts(
    tmp_path: Path, both: Callable[..., tuple[TextClasses, TextClasses]]
) -> None:
    put(tmp_path / "some" / "a.csv", TABLES["plain.csv"])
    put(tmp_path / "some" / "b.csv", TABLES["empty.csv"])
    same(*both(str(tmp_path / "some" / "*.csv")))
    put(tmp_path / "parts" / "test.csv", TABLES["parts.csv"])
    put(tmp_path / "parts" / "train.jsonl.zst", TABLES["packed.jsonl.zst"])
    same(*both(tmp_path / "parts"))


@pytest.mark.parametrize("name", WRONG)
def test_what_cannot_be_read_is_refused_in_the_same_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    path, said = put(tmp_path / name, WRONG[name]), []
    for most in (1 << 40, 0):
        monkeypatch.setattr(parts, "LARGE_BYTES", most)
        with pytest.raises(UserError) as caught:
            read_labelled_text(path)
        said.append(str(caught.value))
    assert said[0] == said[1]
    assert not list(entries.folder().glob(".*"))


def test_a_part_to_evaluate_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("empty.csv", "parts.csv"):
        found = []
        for most in (1 << 40, 0):
            monkeypatch.setattr(parts, "LARGE_BYTES", most)
            part, notes = read_labelled_part(put(tmp_path / name, TABLES[name]), ("no", "x", "yes", "10"))
            found.append((list(part.texts), part.labels.tolist(), notes))
        assert found[0] == found[1]
        with pytest.raises(UserError, match="label '10' was never seen in training, which had no, yes"):
            read_labelled_part(tmp_path / name, ("no", "yes"))


@pytest.mark.parametrize("kind", ["words", "bpe", "characters"])
@pytest.mark.parametrize("most", [3, 400])
def test_ids_are_those_of_the_texts_in_memory(
    tmp_path: Path,
    both: Callable[..., tuple[TextClasses, TextClasses]],
    monkeypatch: pytest.MonkeyPatch,
    kind: Kind,
    most: int,
) -> None:
    small, large = both(put(tmp_path / "a.csv", TABLES["plain.csv"]))
    size = 320 if kind == "bpe" else 40
    vocabulary = Vocabulary.build(small.train.texts, kind, size, special=("<pad>", "<unk>"), lowercase=kind == "words")
    options = {"special": ("<pad>", "<unk>"), "lowercase": kind == "words"}
    again = learn_vocabulary(large.train, kind, size, **options)
    with monkeypatch.context() as patched:
        patched.setattr(Vocabulary, "build", None)  # is not called again
        assert learn_vocabulary(large.train, kind, size, **options).tokens == again.tokens
    (file,) = entries.folder().glob("*.vocabulary.json")
    file.write_text("{")
    assert learn_vocabulary(large.train, kind, size, **options).tokens == again.tokens
    assert learn_vocabulary(small.train, kind, size, **options).tokens == again.tokens
    assert again.tokens == vocabulary.tokens
    for one, other in ((small.train, large.train), (small.validation, large.validation)):
        assert isinstance(other.texts, StoredTexts)
        want = [ids[-most:] or [vocabulary.unk] for ids in vocabulary.encode_lines(one.texts)]
        got = encode_stored(other.texts, vocabulary, most)
        assert [ids.tolist() for ids in got] == want
        assert got.lengths.tolist() == list(map(len, want))
        assert [ids.tolist() for ids in got[2:5]] == want[2:5]
        assert got[0].dtype == np.int64
    assert len(list(entries.folder().glob("*.ids"))) == 1  # of all parts together


SMALL = {"hidden_size": 8, "embedding_size": 8, "batch_size": 16, "threads": 1, "steps": 4, "eval_every": 2}


@pytest.mark.parametrize(
    "more", [{"members": 1, "folds": 0}, {"tokens": "characters", "ngrams": "none", "members": 2, "folds": 3}]
)
def test_a_run_is_the_same_to_the_bit_and_goes_on_either_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, more: dict[str, object]
) -> None:
    path = put(tmp_path / "a.csv", TABLES["plain.csv"])
    settings = Settings(data=str(path), **{**SMALL, **more})  # type: ignore[arg-type]
    for name, most in (("small", 1 << 40), ("large", 0)):
        monkeypatch.setattr(parts, "LARGE_BYTES", most)
        train("sentiment", settings, tmp_path / name)
    names = ("model.safetensors", "vocabulary.json", "classes.json", "data.json", "choices.json")
    for name in names:
        assert (tmp_path / "small" / name).read_bytes() == (tmp_path / "large" / name).read_bytes(), name
    assert load(tmp_path / "large").evaluate() == load(tmp_path / "small").evaluate()
    longer = Settings(data=str(path), **{**SMALL, **more, "steps": 6})  # type: ignore[arg-type]
    train("sentiment", longer, tmp_path / "small", resume=True)  # the run that was trained in memory
    put(path, table(HEAD + MANY[1:]))
    with pytest.raises(UserError, match="the data have changed since the run"):
        train("sentiment", longer, tmp_path / "large", resume=True)


def test_rows_are_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(digests, "_FRESH", -1)
    monkeypatch.setattr(parts, "LARGE_BYTES", 0)
    path = put(tmp_path / "a.csv", TABLES["plain.csv"])
    first = read_labelled_text(path)
    monkeypatch.setattr(rows, "streamed_rows", None)  # is not called again
    assert list(read_labelled_text(path).train.texts) == list(first.train.texts)
    copied = put(tmp_path / "b.csv", TABLES["plain.csv"])
    again = read_labelled_text(copied, seed=5).train  # other parts of the same rows
    assert isinstance(again.texts, StoredTexts)
    assert str(copied) in again.texts.stored.place(0)
    with pytest.raises(TypeError):
        read_labelled_text(path, text_column="label", label_column="text")  # other columns are other rows


@pytest.mark.parametrize("harm", ["texts", "rows", "json", "nonsense", "gone"])
def test_an_entry_that_is_not_whole_is_made_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, harm: str) -> None:
    monkeypatch.setattr(parts, "LARGE_BYTES", 0)
    path = put(tmp_path / "a.csv", TABLES["plain.csv"])
    first = list(read_labelled_text(path).train.texts)
    (texts,) = entries.folder().glob("*.texts")
    if harm in ("texts", "rows"):
        file = texts.with_suffix("." + harm)
        file.write_bytes(file.read_bytes()[:-1])
    elif harm == "gone":
        for file in entries.folder().glob(texts.stem + ".*"):
            file.unlink()
    else:
        texts.with_suffix(".json").write_text("[1]" if harm == "nonsense" else "")
    assert list(read_labelled_text(path).train.texts) == first


def test_a_file_that_changes_while_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "LARGE_BYTES", 0)
    path = put(tmp_path / "a.csv", TABLES["plain.csv"])
    real = rows.streamed_rows

    def changing(*given: object, **how: object) -> object:
        yield from real(*given, **how)  # type: ignore[arg-type]
        path.write_text("text,label\n")

    monkeypatch.setattr(rows, "streamed_rows", changing)
    with pytest.raises(UserError, match="changed while it was read; try again when nothing writes to it"):
        read_labelled_text(path)
    assert not list(entries.folder().glob("*.json"))


@pytest.mark.parametrize(
    ("name", "ways"), [("plain.csv", [True]), ("crlf.csv", [True]), ("parts.csv", [True]), ("mac.csv", [True, False])]
)
def test_what_leaves_no_choice_is_read_by_arrow(
    name: str, ways: list[bool], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts, "LARGE_BYTES", 0)
    real, seen = rows.streamed_rows, list[object]()

    def watched(*given: object, plain: bool) -> object:
        seen.append(plain)
        return real(*given, plain=plain)  # type: ignore[arg-type]

    monkeypatch.setattr(rows, "streamed_rows", watched)
    read_labelled_text(put(tmp_path / name, TABLES[name]))
    assert seen == ways


def test_the_limit_counts_texts_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ELMAN_CACHE_GB", "0")
    monkeypatch.setattr(parts, "LARGE_BYTES", 0)
    data = read_labelled_text(put(tmp_path / "a.csv", TABLES["plain.csv"]))
    texts = list(data.train.texts)
    read_labelled_text(put(tmp_path / "b.csv", TABLES["empty.csv"]))
    assert len(list(entries.folder().glob("*.texts"))) == 1  # the newest alone
    if os.name != "nt":
        assert list(data.train.texts) == texts  # what is mapped stays readable


def test_two_processes_read_a_table_once(tmp_path: Path) -> None:
    path = put(tmp_path / "a.csv", TABLES["plain.csv"])
    program = (
        "import sys; from elman.data.text.labelled import parts, rows; parts.LARGE_BYTES = 0\n"
        "from elman.data.text.classification import read_labelled_text\n"
        "made = []; real = rows._make; rows._make = lambda *given: made.append(1) or real(*given)\n"
        "data = read_labelled_text(sys.argv[1]); print(len(made), len(data.train), data.train.texts[3])"
    )
    started = [
        subprocess.Popen([sys.executable, "-c", program, str(path)], stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    said = sorted(process.communicate()[0] for process in started)
    assert [line[0] for line in said] == ["0", "1"]
    assert said[0][1:] == said[1][1:]


def test_some_texts_are_evenly_spread(tmp_path: Path, both: Callable[..., tuple[TextClasses, TextClasses]]) -> None:
    small, large = both(put(tmp_path / "a.csv", TABLES["plain.csv"]))
    third = -(-large.train.count_characters() // 3)
    assert list(large.train.some(third)) == list(small.train.texts)[::3]
    assert list(large.train.texts[::20]) == list(small.train.texts)[::20]  # far apart: each is read by itself
    assert list(large.train.texts[::-1]) == list(small.train.texts)[::-1]
    both_parts = large.train.joined(large.validation)
    assert list(both_parts.texts) == [*small.train.texts, *small.validation.texts]
    for most in (7, 0, 10**9):
        assert list(large.train.thinned(most).texts) == list(small.train.thinned(most).texts)
        assert large.train.thinned(most).labels.tolist() == small.train.thinned(most).labels.tolist()
    assert len(large.train.thinned(7)) == 7
    assert list(large.train.some(10**9)) == list(small.train.some(1)) == list(small.train.texts)


def test_small_tables_stay_in_memory(tmp_path: Path) -> None:
    assert not isinstance(read_labelled_text(put(tmp_path / "a.csv", TABLES["plain.csv"])).train.texts, StoredTexts)
