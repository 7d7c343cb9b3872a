"""Texts are cut, numbered and put together as the package tokenizers does it, in every kind of vocabulary."""

from __future__ import annotations

import sys
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elman.data.text.tokenizers import SPECIAL
from elman.data.text.vocabulary import Vocabulary as Whole
from elman.errors import UserError
from elman.runtime.text.characters import lowered, pieces, words
from elman.runtime.text.vocabulary import Vocabulary

CORPUS = (
    "Don't stop! The naïve café's 3.5 U.S. well-known <unk> ÉTUDES… (a) [b]\n\n \t x²½ Ⓐ 日本語 -- ''s İ ΟΣ é_é 9,0\r\n"
    * 3
)
SIGNS = "aAéİΣ's-.’_ \n\t1²½<unk>\x1c\u200b日Ⓐ\u0301😀"
TEXTS = st.text(st.one_of(st.sampled_from(SIGNS), st.characters(exclude_categories=["Cs", "Cn"])))


def both(tmp_path: Path, kind: str, lowercase: bool) -> tuple[Whole, Vocabulary]:
    whole = Whole.build(CORPUS, kind, 400 if kind == "bpe" else None, special=SPECIAL, lowercase=lowercase)  # type: ignore[arg-type]
    whole.save(tmp_path / "vocabulary.json")
    return whole, Vocabulary.load(tmp_path / "vocabulary.json", kind, SPECIAL)


@pytest.fixture(scope="module", params=["characters", "words", "words-lower", "bpe", "bpe-lower"])
def pair(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Whole, Vocabulary]:
    """A vocabulary by tokenizers, and the runtime's reading of its file."""
    kind, _, lower = request.param.partition("-")
    return both(tmp_path_factory.mktemp("vocabulary"), kind, bool(lower))


@settings(max_examples=150, deadline=None)
@given(text=TEXTS)
def test_any_text_has_the_same_ids_and_tokens(pair: tuple[Whole, Vocabulary], text: str) -> None:
    whole, own = pair
    ids = whole.encode(text)
    assert own.encode(text) == ids
    assert own.token_texts(text) == whole.token_texts(text)
    assert "".join(own.pieces(ids)) == "".join(whole.pieces(ids))


@settings(max_examples=60, deadline=None)
@given(ids=st.lists(st.integers(0, 399)))
def test_any_ids_have_the_same_text(pair: tuple[Whole, Vocabulary], ids: list[int]) -> None:
    whole, own = pair
    ids = [number % len(own) for number in ids]
    assert "".join(own.pieces(ids)) == "".join(whole.pieces(ids))


def test_every_character_is_of_the_kind_that_tokenizers_sees() -> None:
    from tokenizers import Regex, normalizers, pre_tokenizers

    from elman.data.text.tokenizers import _ONE_WORD

    by_word = pre_tokenizers.Split(Regex(_ONE_WORD), "removed", invert=True)
    by_piece, lower = pre_tokenizers.ByteLevel(add_prefix_space=False), normalizers.Lowercase()
    points = [*range(0x3000), *range(0x3000, sys.maxunicode + 1, 97)]
    shown = [chr(point) for point in points if unicodedata.category(chr(point)) not in ("Cs", "Cn")]
    for character in shown:
        text = f"a{character}b {character}{character}1"
        assert list(words(text)) == [span for _, span in by_word.pre_tokenize_str(text)], hex(ord(character))
        assert [len(piece) for piece in pieces(text)] == [
            end - begin for _, (begin, end) in by_piece.pre_tokenize_str(text)
        ]
        assert lowered(character) == lower.normalize_str(character)


def test_a_character_that_is_lacking_is_named_with_its_place(tmp_path: Path) -> None:
    Whole.build("abc\n", "characters").save(tmp_path / "vocabulary.json")
    own = Vocabulary.load(tmp_path / "vocabulary.json", "characters")
    with pytest.raises(UserError, match="the vocabulary lacks 'é', 'x', first at line 2, column 3 of the text"):
        own.encode("a\nabéxé")
