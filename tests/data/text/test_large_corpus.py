"""A text in blocks, against the same text read whole; and the cache that keeps it encoded."""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pytest
import torch

from elman.data import digests, entries
from elman.data.digests import content_digest, known_digest
from elman.data.io.text import read_text
from elman.data.text import blocks, corpora, large_corpus
from elman.data.text.blocks import cut_at, text_pieces, whole_tokens
from elman.data.text.bptt import Streams, spread_passages
from elman.data.text.corpora import TextCorpus, open_corpus
from elman.data.text.large_corpus import LargeCorpus
from elman.data.text.tokenizers import Kind
from elman.errors import UserError

ASCII = "The cat sat on the mat.\nIt's  a   dog?\n\n\tnot 42 times\r\nU.S. well-known\n" * 40
WIDE = "Füße, naïve 猫猫 😀 Ελλάδα\u2028next\x0bline\n\n  été " * 30 + "end"
PTB = " aer banknote <unk> N 's \n the n't  \n\n  end \n" * 30
RARE = "".join(chr(0x4E00 + i) for i in range(400)) + "\n"  # more symbols than a byte numbers


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ELMAN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(corpora, "LARGE_BYTES", 10)
    monkeypatch.setattr(blocks, "BLOCK", 61)
    monkeypatch.setattr(large_corpus, "_PIECE", 50)
    monkeypatch.setattr(large_corpus, "_TOGETHER", 3)


def files(tmp_path: Path, *texts: str) -> list[Path]:
    paths = [tmp_path / f"{number}.txt" for number in range(len(texts))]
    for path, text in zip(paths, texts, strict=True):
        path.write_bytes(text.encode())
        os.utime(path, ns=(10**18, 10**18))
    return paths


def opened(paths: Sequence[Path], share: float = 0.1) -> LargeCorpus:
    corpus = open_corpus([str(path) for path in paths], share)
    assert isinstance(corpus, LargeCorpus)
    return corpus


TEXTS = [(ASCII,), (WIDE,), (PTB,), (ASCII, WIDE), (WIDE, RARE, ASCII), ("\ufeffmark" * 10, "\ufeffa\n", "b" * 200)]


@pytest.mark.parametrize("texts", TEXTS, ids=range(len(TEXTS)))
def test_the_pieces_are_the_text(tmp_path: Path, texts: tuple[str, ...]) -> None:
    paths = files(tmp_path, *texts)
    whole = read_text(paths)
    assert "".join(text_pieces(paths)) == whole
    assert max(map(len, text_pieces(paths))) <= 61
    for cut in (0, 1, 60, 61, 62, len(whole) - 1, len(whole)):
        parts = ["".join(part) for part in cut_at(text_pieces(paths), cut)]
        assert parts == [whole[:cut], whole[cut:]]
    for path in paths:
        path.with_suffix(".gz").write_bytes(gzip.compress(path.read_bytes()))
        path.with_suffix(".zst").write_bytes(pyarrow.compress(path.read_bytes(), "zstd", asbytes=True))
    for ending in (".gz", ".zst"):
        assert "".join(text_pieces([path.with_suffix(ending) for path in paths])) == whole


@pytest.mark.parametrize("kind", ["characters", "words", "bpe"])
@pytest.mark.parametrize("texts", TEXTS, ids=range(len(TEXTS)))
def test_ids_and_vocabulary_are_those_of_the_text_read_whole(
    tmp_path: Path, texts: tuple[str, ...], kind: Kind
) -> None:
    paths, size = files(tmp_path, *texts), 300 if kind == "bpe" else None
    whole = read_text(paths)
    cut = int(len(whole) * 0.9)
    small, large = TextCorpus(whole[:cut], whole[cut:]), opened(paths)
    vocabulary = large.build_vocabulary(kind, size)
    assert vocabulary.tokens == small.build_vocabulary(kind, size).tokens
    want, got = small.encode(vocabulary), large.encode(vocabulary)
    assert got.training.dtype.itemsize == (1 if len(vocabulary) <= 256 else 2)
    np.testing.assert_array_equal(got.training, want.training)
    np.testing.assert_array_equal(got.validation, want.validation)
    assert got.validation_characters == want.validation_characters == len(whole) - cut
    one, other = Streams(got.training, 3, 5), Streams(torch.from_numpy(want.training), 3, 5)
    for step in range(one.chunks_per_epoch):
        for a, b in zip(one.chunk(step), other.chunk(step), strict=True):
            assert np.array_equal(np.asarray(a), np.asarray(b))


def test_pieces_are_cut_where_no_token_goes_on() -> None:
    text = "ab\n\ncd\nef \n gh\nij" + "x" * 30
    assert list(whole_tokens([text[:7], text[7:]], 3)) == ["ab\n\ncd\n", "ef \n", " gh\n", "ij" + "x" * 30]
    assert list(whole_tokens(["a  b c\n\n"], 1)) == ["a ", " b", " c\n\n"]
    assert list(whole_tokens(["y" * 700], 3)) == ["y" * 192, "y" * 192, "y" * 192, "y" * 124]
    assert list(whole_tokens([], 3)) == []


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "is empty"),
        (b"\xff\xfea\0b\0", "is UTF-16, not UTF-8"),
        (b"a" * 100 + b"\0", "NUL byte at byte offset 100"),
        (b"a\n" * 100 + b"\xe9a", r"byte 0xe9 at byte offset 200 \(line 101\)"),
        ("\ufeff".encode() + b"a" * 56 + b"\xe2\x82a", r"byte 0xe2 at byte offset 59 \(line 1\)"),  # over a block's end
        (b"abc\n" * 30 + b"\xe2\x82", r"byte 0xe2 at byte offset 120 \(line 31\)"),
    ],
)
def test_what_is_no_text_is_refused_as_in_a_small_file(tmp_path: Path, content: bytes, complaint: str) -> None:
    path = tmp_path / "bad.txt"
    path.write_bytes(content)
    with pytest.raises(UserError, match=complaint) as small:
        read_text([path])
    with pytest.raises(UserError, match=complaint) as large:
        list(text_pieces([path]))
    assert str(small.value) == str(large.value)


def test_a_damaged_gzip_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "text.gz"
    whole = gzip.compress(os.urandom(500).hex().encode())
    for content in (whole[:-20], b"no gzip at all", whole[:100] + bytes(20) + whole[120:]):
        path.write_bytes(content)
        with pytest.raises(UserError, match="is damaged"):
            list(text_pieces([path]))


def test_a_text_is_encoded_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(digests, "_FRESH", -1)
    paths = files(tmp_path, ASCII)
    corpus = opened(paths)
    vocabulary = corpus.build_vocabulary("characters", None)
    first = np.array(corpus.encode(vocabulary).training)
    monkeypatch.setattr(large_corpus, "text_pieces", None)  # is not called again
    again = opened(paths)
    assert again.build_vocabulary("characters", None).tokens == vocabulary.tokens
    np.testing.assert_array_equal(again.encode(vocabulary).training, first)
    (tmp_path / "elsewhere").mkdir()
    copied = files(tmp_path / "elsewhere", ASCII)
    assert content_digest(copied[0]) == content_digest(paths[0])
    np.testing.assert_array_equal(opened(copied).encode(vocabulary).training, first)


@pytest.mark.parametrize("harm", ["short", "gone", "nonsense", "list"])
def test_an_entry_that_is_not_whole_is_made_anew(tmp_path: Path, harm: str) -> None:
    paths = files(tmp_path, ASCII)
    corpus = opened(paths)
    vocabulary = corpus.build_vocabulary("characters", None)
    first = np.array(corpus.encode(vocabulary).training)
    (ids,) = entries.folder().glob("*.ids")
    if harm == "short":
        ids.write_bytes(ids.read_bytes()[:-1])
    elif harm == "gone":
        ids.unlink()
    else:
        ids.with_suffix(".json").write_text("[1]" if harm == "list" else '{"dtype": "O", "training": -1}')
    np.testing.assert_array_equal(opened(paths).encode(vocabulary).training, first)


def test_a_changed_file_is_another_text(tmp_path: Path) -> None:
    (path,) = files(tmp_path, ASCII)
    one = opened([path])
    vocabulary = one.build_vocabulary("characters", None)
    first = np.array(one.encode(vocabulary).training)
    (path,) = files(tmp_path, ASCII.swapcase())  # the same size and time of change
    second = opened([path]).encode(opened([path]).build_vocabulary("characters", None)).training
    assert first.tolist() != second.tolist()
    other = opened([path])
    path.write_text(ASCII * 2)
    with pytest.raises(UserError, match="changed while it was read"):
        other.build_vocabulary("characters", None)


def test_characters_that_a_vocabulary_lacks_are_named_with_their_line(tmp_path: Path) -> None:
    vocabulary = TextCorpus(ASCII, "x").build_vocabulary("characters", None)
    for odd in ("~", "é"):
        corpus = opened(files(tmp_path, ASCII + "a" + odd))
        with pytest.raises(UserError, match=rf"lacks '{odd}', first at line 201"):
            corpus.encode(vocabulary)
        assert not list(entries.folder().glob("*.ids"))
        assert not list(entries.folder().glob(".*"))


def test_a_digest_is_computed_once_for_an_untouched_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (path,) = files(tmp_path, ASCII)
    monkeypatch.setattr(digests, "_FRESH", 10**30)
    found = content_digest(path)
    assert not known_digest(path)  # it changed a moment ago, and may change again at the same moment
    monkeypatch.setattr(digests, "_FRESH", -1)
    assert content_digest(path) == found == known_digest(path)
    (note,) = (tmp_path / "cache" / "digests").iterdir()
    note.write_text("nonsense")
    assert not known_digest(path)
    assert content_digest(path) == found
    path.write_text("other")
    assert not known_digest(path)
    with pytest.raises(UserError, match="there is no file"):
        content_digest(tmp_path / "none")


def test_the_cache_keeps_within_its_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ELMAN_CACHE_GB", "0")
    for number, text in enumerate((ASCII, WIDE)):
        corpus = opened(files(tmp_path, text))
        corpus.encode(corpus.build_vocabulary("characters", None))
        assert len(list(entries.folder().glob("*.ids"))) == 1, number  # the newest alone
    monkeypatch.setenv("ELMAN_CACHE_GB", "much")
    with pytest.raises(UserError, match="ELMAN_CACHE_GB is 'much'"):
        entries.limit()


def test_a_vocabulary_of_words_is_learned_from_pieces_all_over_the_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(large_corpus, "VOCABULARY_CHARACTERS", 200)
    lines = [f"word{chr(97 + number % 26)} and so on\n" for number in range(400)]
    vocabulary = opened(files(tmp_path, "".join(lines))).build_vocabulary("words", None)
    assert "and" in vocabulary
    assert 2 < sum(token.startswith("word") for token in vocabulary.tokens) < 26


def test_passages_are_spread_from_the_beginning_to_the_end() -> None:
    found = spread_passages(np.arange(1000), 40, 4)
    assert found.tolist() == [start + i for start in (0, 330, 660, 990) for i in range(10)]


def test_small_texts_stay_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(corpora, "LARGE_BYTES", 10**6)
    (path,) = files(tmp_path, ASCII)
    assert isinstance(open_corpus([str(path)], 0.1), TextCorpus)
    packed = tmp_path / "text.txt.gz"
    packed.write_bytes(gzip.compress(ASCII.encode()))
    large: Any = open_corpus([str(packed)], 0.1)
    vocabulary = large.build_vocabulary("characters", None)
    cut = int(len(ASCII) * 0.9)
    assert large.encode(vocabulary).training.tolist() == vocabulary.encode(ASCII[:cut])
    scan = next(entries.folder().glob("*.scan.json")).read_text().splitlines()[0]  # its checksum is below it
    assert json.loads(scan)["characters"] == len(ASCII)
