"""Vocabularies: exact round trips, the same ids when saved and loaded, complaints that name the place."""

import json
import time
from pathlib import Path
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer

from elman.data.text.tokenizers import BOS, EOS, PAD, PIECE, UNK, Kind
from elman.data.text.vocabulary import Vocabulary
from elman.errors import UserError

TEXT = "First Citizen:\nSpeak, speak; we know't, we know't.\r\n\r\n\tThe  plot wo n't end ... -- é日\n" * 30
KINDS = ("characters", "bpe", "words")
SIZES = {"characters": None, "bpe": 300, "words": None}


def build(kind, **options):
    return Vocabulary.build(TEXT, kind, SIZES[kind], **options)


@settings(deadline=None)
@given(text=st.text(st.sampled_from(sorted(set(TEXT)))))
def test_characters_round_trip(text):
    vocabulary = build("characters")
    ids = vocabulary.encode(text)
    assert len(ids) == len(text)
    assert vocabulary.decode(ids) == text


BPE = build("bpe")


@settings(deadline=None)
@given(text=st.text(st.characters(exclude_categories=["Cs"])))
def test_bpe_round_trips_any_text(text):
    assert BPE.decode(BPE.encode(text)) == text


def test_characters_are_numbered_by_code_point():
    vocabulary = Vocabulary.build("banana\n", "characters")
    assert vocabulary.tokens == ("\n", "a", "b", "n")
    assert vocabulary.encode("nab") == [3, 1, 2]
    assert len(vocabulary) == 4
    assert vocabulary["b"] == 2
    assert "z" not in vocabulary
    assert (vocabulary.pad, vocabulary.unk, vocabulary.bos, vocabulary.eos) == (None,) * 4


@pytest.mark.parametrize("kind", KINDS)
def test_special_tokens_come_first_and_write_nothing(kind):
    vocabulary = build(kind, special=(PAD, UNK, BOS, EOS))
    assert (vocabulary.pad, vocabulary.unk, vocabulary.bos, vocabulary.eos) == (0, 1, 2, 3)
    ids = vocabulary.encode("we know't")
    marked = [vocabulary.bos, *ids, vocabulary.eos, vocabulary.pad]
    assert vocabulary.decode(marked) == vocabulary.decode(ids) == "we know't"
    assert "".join(vocabulary.pieces(marked)) == "we know't"


@pytest.mark.parametrize("kind", KINDS)
def test_a_persons_text_cannot_write_special_tokens(kind):
    vocabulary = Vocabulary.build(TEXT + "<pad><eos>", kind, SIZES[kind], special=(PAD, EOS))
    assert not {vocabulary.pad, vocabulary.eos} & set(vocabulary.encode("speak <pad> we <eos>"))


@pytest.mark.parametrize("kind", KINDS)
def test_saved_and_loaded_is_the_same(kind, tmp_path):
    vocabulary = build(kind, special=(PAD, BOS))
    path = tmp_path / "vocabulary.json"
    vocabulary.save(path)
    loaded = Vocabulary.load(path)
    assert loaded.kind == kind
    assert loaded.tokens == vocabulary.tokens
    assert loaded.encode(TEXT) == vocabulary.encode(TEXT)
    assert loaded.encode("<pad>" if kind != "characters" else "a") == vocabulary.encode(
        "<pad>" if kind != "characters" else "a"
    )
    loaded.save(tmp_path / "again.json")
    assert (tmp_path / "again.json").read_bytes() == path.read_bytes()


@pytest.mark.parametrize("kind", KINDS)
def test_building_twice_gives_the_same_bytes(kind, tmp_path):
    for name in ("one", "two"):
        build(kind, special=(PAD,)).save(tmp_path / name)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_saved_characters_are_a_tokenizer_that_others_read(tmp_path):
    vocabulary = build("characters")
    vocabulary.save(tmp_path / "v.json")
    other = Tokenizer.from_file(str(tmp_path / "v.json"))
    assert other.encode(TEXT[:200]).ids == vocabulary.encode(TEXT[:200])
    assert other.decode(vocabulary.encode(TEXT[:200])) == TEXT[:200]


@pytest.mark.parametrize("kind", KINDS)
def test_lines_and_pieces_agree_with_the_whole(kind):
    vocabulary = build(kind)
    lines = ["First Citizen: speak", "", "we know't \n\n é日 wo n't ..."]
    assert vocabulary.encode_lines(lines) == [vocabulary.encode(line) for line in lines]
    for line in lines:
        ids = vocabulary.encode(line)
        assert "".join(vocabulary.pieces(ids)) == vocabulary.decode(ids)


def test_bpe_pieces_wait_for_a_whole_character():
    ids = BPE.encode("日本 €")
    pieces = list(BPE.pieces(ids))
    assert len(ids) > len("日本 €")
    assert "".join(pieces) == "日本 €"
    assert "\ufffd" not in "".join(pieces)


def test_words_of_tokenised_and_of_raw_text():
    vocabulary = Vocabulary.build("The plot (it is well-known) wo n't end ... do n't, U.S. 's\n", "words")
    ids = vocabulary.encode("The plot (it is well-known) wo n't end ...\nThe end, zebra")
    words = [vocabulary.tokens[i] for i in ids]
    assert words == [
        *("The", "plot", "(", "it", "is", "well-known", ")", "wo", "n't", "end", "...", "\n"),
        *("The", "end", ",", "<unk>"),
    ]
    assert vocabulary.decode(ids) == "The plot (it is well-known) won't end...\nThe end, <unk>"


def test_the_corpus_own_unk_is_unk():
    vocabulary = Vocabulary.build("the <unk> N\n", "words")
    assert vocabulary.tokens.count(UNK) == 1
    assert vocabulary.encode("<unk> zebra") == [vocabulary.unk, vocabulary.unk]


@pytest.mark.parametrize("special", [("<unk>",), ("<pad>", "<unk>", "<bos>", "<eos>"), ()])
@pytest.mark.parametrize("size", [None, 7])
def test_a_text_that_has_unk_leaves_no_gap_in_the_ids(special, size, tmp_path):
    text = "the <unk> cat , the <unk> <unk>\nthe dog\n"
    vocabulary = Vocabulary.build(text, "words", size, special=special)
    assert sorted(vocabulary[token] for token in vocabulary.tokens) == list(range(len(vocabulary)))
    assert vocabulary.unk == special.index("<unk>") if special else vocabulary.unk == 0
    ids = vocabulary.encode(text)
    assert [vocabulary.tokens[i] for i in ids[:2]] == ["the", "<unk>"]
    assert max(ids) < len(vocabulary)
    vocabulary.save(tmp_path / "vocabulary.json")
    assert Vocabulary.load(tmp_path / "vocabulary.json").encode(text) == ids


def test_words_are_cut_by_size_and_count():
    text = "a a a b b c"
    assert set(Vocabulary.build(text, "words", 3).tokens) == {UNK, "a", "b"}
    assert set(Vocabulary.build(text, "words", min_count=3).tokens) == {UNK, "a"}
    assert set(Vocabulary.build("Ab ab", "words", lowercase=True).tokens) == {UNK, "ab"}


def test_a_small_character_vocabulary_keeps_the_frequent_and_knows_the_unknown():
    vocabulary = Vocabulary.build("aaabbcd", "characters", 3)
    assert vocabulary.tokens == (UNK, "a", "b")
    assert vocabulary.encode("abcz") == [1, 2, 0, 0]
    assert Vocabulary.build("abc", "characters", 3).tokens == ("a", "b", "c")


def test_many_texts_count_as_one():
    parts = Vocabulary.build(["ab", "bc", ""], "characters")
    assert parts.tokens == ("a", "b", "c")


@pytest.mark.parametrize(
    ("prompt", "says"),
    [
        ("First é\nCit日zen €", "lacks '日', '€', first at line 2, column 4"),
        ("x" + chr(0xDCFF), "lacks 'x', '\\udcff', first at line 1, column 1"),
        ("0123456789abcdefg", "'7' ..., first at line 1"),
    ],
)
def test_prompt_with_characters_it_lacks(prompt, says):
    vocabulary = Vocabulary.build("First é\nCitzen ", "characters")
    with pytest.raises(UserError) as caught:
        vocabulary.encode(prompt)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "damage",
    [
        lambda whole: whole[: len(whole) // 2],
        lambda whole: b"{}",
        lambda whole: b"[1, 2",
        lambda whole: whole.replace(b"WordLevel", b"WordLeveX"),
        lambda whole: json.dumps({**json.loads(whole), "pre_tokenizer": None}).encode(),
    ],
)
def test_damaged_file(damage, tmp_path):
    path = tmp_path / "vocabulary.json"
    build("characters").save(path)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(UserError, match=r"vocabulary.json is (damaged|empty)"):
        Vocabulary.load(path)


def test_missing_file(tmp_path):
    with pytest.raises(UserError, match="there is no file"):
        Vocabulary.load(tmp_path / "vocabulary.json")


@pytest.mark.parametrize(
    ("text", "kind", "size", "says"),
    [
        ("", "words", None, "there is no text"),
        ([], "bpe", None, "there is no text"),
        ("abc", "syllables", None, "choose one of characters, bpe, words"),
        ("abc", "bpe", 200, "at least 256"),
        ("abc", "words", 1, "at least 2"),
        ("abc", "characters", 1, "at least 2"),
    ],
)
def test_what_cannot_be_built(text, kind, size, says):
    with pytest.raises(UserError, match=says):
        Vocabulary.build(text, kind, size)


def test_special_tokens_are_the_four():
    with pytest.raises(ValueError, match="must be among"):
        Vocabulary.build("abc", "words", special=("<mask>",))


def test_a_megabyte_of_characters_takes_well_under_a_second():
    text = TEXT * (1_000_000 // len(TEXT))
    vocabulary = build("characters")
    best = np.inf
    for _ in range(3):
        begin = time.perf_counter()
        vocabulary.encode(text)
        best = min(best, time.perf_counter() - begin)
    assert best < 0.5


@pytest.mark.parametrize("kind", ["characters", "bpe", "words"])
def test_what_is_written_is_cut_into_a_piece_for_each_id(kind: Kind) -> None:
    text = "  The naïve cat,\n\nthe \U0001f408 and “a hat”. "
    vocabulary = Vocabulary.build(text * 3, kind, 300 if kind == "bpe" else None)
    pieces = vocabulary.written(text)
    assert "".join(pieces) == text
    assert len(pieces) == len(vocabulary.encode(text))
    assert vocabulary.written("") == []


@pytest.mark.parametrize("kind", KINDS)
def test_what_would_end_the_process_is_not_handed_on(kind: Kind, tmp_path: Path) -> None:
    path = tmp_path / "vocabulary.json"
    made = build(kind)
    made.save(path)
    whole = json.loads(path.read_text(encoding="utf-8"))
    first = next(iter(whole["model"]["vocab"]))
    strange = {
        "truncation": {"max_length": 1, "direction": "Right", "strategy": "LongestFirst", "stride": 5},
        "padding": {
            "strategy": {"Fixed": 10**9},
            "direction": "Right",
            "pad_id": 0,
            "pad_type_id": 0,
            "pad_token": "",
        },
        "post_processor": {"type": "Nonsense"},
        "decoder": {"type": "Nonsense"},
    }
    path.write_text(json.dumps(whole | strange), encoding="utf-8")
    loaded = Vocabulary.load(path)
    assert loaded._tokenizer.to_str() == made._tokenizer.to_str()
    for number in (2**31, 2**32, -1, 10**30, 1.5, True, "1", None, len(made)):
        vocab = whole["model"]["vocab"] | {first: number}
        path.write_text(json.dumps({**whole, "model": {**whole["model"], "vocab": vocab}}), encoding="utf-8")
        with pytest.raises(UserError, match="damaged"):
            Vocabulary.load(path)
    for junk in ({"type": "Precompiled", "precompiled_charsmap": "AAAA"}, {"type": "NFC"}):
        path.write_text(json.dumps({**whole, "normalizer": junk}), encoding="utf-8")
        with pytest.raises(UserError, match="damaged"):
            Vocabulary.load(path)


@pytest.mark.parametrize("kind", ["words", "bpe"])
def test_a_long_text_is_encoded_in_pieces_as_a_whole(kind: Kind) -> None:
    """Spaces, line ends and long runs at every distance from where the pieces end; what has no spaces is cut."""
    random = Random(0)
    parts = ("word ", "a", " b", "\n", "\n\n", "  ", "--", "...", "don't ", "\u00e9cho ", "\t", "x1\n", " \n ")
    text = "".join(random.choices(parts, k=40_000))
    vocabulary = Vocabulary.build(text, kind, 400)
    assert vocabulary.encode(text) == vocabulary._tokenizer.encode(text).ids
    without = "ab" * (PIECE * 200)
    assert vocabulary.decode(vocabulary.encode(without)).replace(" ", "") in (without, "<unk>" * 7)
