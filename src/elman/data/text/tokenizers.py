"""The three kinds of Hugging Face tokenizer behind a vocabulary: how one is made, how a saved one is told."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from elman.data.io.json_files import read_json
from elman.data.text.blocks import whole_tokens
from elman.data.text.char_codec import distinct_characters
from elman.errors import UserError, optional_imports

if TYPE_CHECKING:
    from tokenizers import Tokenizer

Kind = Literal["characters", "bpe", "words"]

PAD, UNK, BOS, EOS = "<pad>", "<unk>", "<bos>", "<eos>"
SPECIAL = (PAD, UNK, BOS, EOS)

PIECE = 1 << 14
"""Characters of a long text that `tokenizers` is given at once."""

_BYTES = 256
_BPE_SIZE = 8000
_ALL = 2**31
_ONE_CHARACTER = "(?m)."  # Oniguruma's (?m): the dot matches a newline too
# A newline, a corpus's own <unk>, a word with what joins its parts ("n't", "well-known", "U.S"), a run of
# one punctuation mark.
_ONE_WORD = r"\n|<unk>|\w+(?:[-'’.]\w+)*|['’]\w+|([^\w\s])\1*"
_KINDS: dict[tuple[str, str], Kind] = {
    ("WordLevel", _ONE_CHARACTER): "characters",
    ("WordLevel", _ONE_WORD): "words",
    ("BPE", ""): "bpe",
}
"""Kinds by the type of their model and the pattern that cuts texts."""


def make_tokenizer(
    texts: Sequence[str],
    kind: Kind,
    size: int | None,
    special: Sequence[str],
    lowercase: bool,
    min_count: int,
) -> Tokenizer:
    """A tokenizer with `special` as first ids and the tokens of `texts` (see `Vocabulary.build`)."""
    if kind == "characters":
        return _characters(texts, size, special)
    if kind == "bpe":
        return _bpe(texts, _BPE_SIZE if size is None else size, special, lowercase)
    return _words(texts, _ALL if size is None else size, special, lowercase, min_count)


@dataclass
class _Model:
    type: str
    vocab: dict[str, int]
    merges: list[tuple[str, str]] = field(default_factory=list)


@dataclass
class _Added:
    id: int
    content: str


@dataclass
class _Pattern:
    Regex: str = ""


@dataclass
class _Part:
    type: str
    pattern: _Pattern = field(default_factory=_Pattern)


@dataclass
class _Saved:
    """What is read of a saved tokenizer; the rest follows from its kind."""

    model: _Model
    pre_tokenizer: _Part
    normalizer: _Part | None = None
    added_tokens: list[_Added] = field(default_factory=list)


def read_tokenizer(path: Path) -> Tokenizer:
    """A tokenizer that was saved, made anew from its tokens.

    A file may ask of `tokenizers` what ends the process (an id of 2^31, padding to 10^9), so that nothing of it is
    handed on but the tokens, their ids, merges, and the names of the special ones.

    Raises:
        UserError: the file is missing, damaged, or of no kind that elman makes; ids are not 0 to V - 1.
    """
    with optional_imports():
        from tokenizers import Tokenizer, models

    damaged = f"{path} is damaged or no vocabulary"
    saved = read_json(path, _Saved, "vocabulary")
    kind = _KINDS.get((saved.model.type, saved.pre_tokenizer.pattern.Regex))
    vocab, added = saved.model.vocab, sorted(saved.added_tokens, key=lambda token: token.id)
    if kind is None or (kind == "characters" and (added or saved.normalizer)):
        raise UserError(f"{damaged}: no tokenizer of elman's; take it from a whole copy of the run")
    if saved.normalizer and saved.normalizer.type != "Lowercase":
        raise UserError(f"{damaged}: it has an unknown normalizer; take it from a whole copy of the run")
    if sorted(vocab.values()) != list(range(len(vocab))):
        raise UserError(f"{damaged}: its ids are not 0, 1, 2 and so on; take it from a whole copy of the run")
    if any(token.content not in SPECIAL or vocab.get(token.content) != token.id for token in added):
        raise UserError(f"{damaged}: its special tokens are no tokens; take it from a whole copy of the run")
    try:
        model = models.BPE(vocab, saved.model.merges) if kind == "bpe" else models.WordLevel(vocab, unk_token=UNK)
        tokenizer = _assembled(Tokenizer(model), kind, saved.normalizer is not None)
        tokenizer.add_special_tokens([token.content for token in added])
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # tokenizers raises bare Exceptions, and Rust's panics as BaseException
        raise UserError(f"{damaged} ({str(error)[:80]}); take it from a whole copy of the run") from error
    return tokenizer


def _assembled(tokenizer: Tokenizer, kind: Kind, lowercase: bool) -> Tokenizer:
    """A tokenizer of a kind: what surrounds its model."""
    with optional_imports():
        from tokenizers import Regex, decoders, normalizers, pre_tokenizers

    if lowercase:
        tokenizer.normalizer = normalizers.Lowercase()
    if kind == "characters":
        tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(_ONE_CHARACTER), "isolated")
        tokenizer.decoder = decoders.Fuse()
    elif kind == "bpe":
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        tokenizer.decoder = decoders.ByteLevel()
    else:
        tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(_ONE_WORD), "removed", invert=True)
    return tokenizer


def kind_of(tokenizer: Tokenizer) -> Kind:
    """Which of the three kinds a tokenizer is.

    Raises:
        ValueError: none of them.
    """
    shape = json.loads(tokenizer.to_str())
    pattern = (shape["pre_tokenizer"] or {}).get("pattern", {}).get("Regex", "")
    found = _KINDS.get((shape["model"]["type"], pattern))
    if found is None:
        raise ValueError("not a tokenizer of elman's")
    return found


def _characters(texts: Sequence[str], size: int | None, special: Sequence[str]) -> Tokenizer:
    with optional_imports():
        from tokenizers import Tokenizer, models

    room = None if size is None else size - len(special)
    tokens = distinct_characters(texts, None)
    if room is not None and len(tokens) > room:
        special = _with_unknown(special)
        room = _room("characters", size, len(special), 1)
        tokens = distinct_characters(texts, room)
    numbered = {token: number for number, token in enumerate((*special, *tokens))}
    return _assembled(Tokenizer(models.WordLevel(numbered, unk_token=UNK)), "characters", False)


def _bpe(texts: Sequence[str], size: int, special: Sequence[str], lowercase: bool) -> Tokenizer:
    with optional_imports():
        from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    _room("BPE", size, len(special), _BYTES)
    tokenizer = _assembled(Tokenizer(models.BPE()), "bpe", lowercase)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=size, special_tokens=list(special), initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(_pieces(texts), trainer)
    return tokenizer


def _words(texts: Sequence[str], size: int, special: Sequence[str], lowercase: bool, min_count: int) -> Tokenizer:
    with optional_imports():
        from tokenizers import Tokenizer, models, trainers

    special = _with_unknown(special)
    _room("words", size, len(special), 1)
    tokenizer = _assembled(Tokenizer(models.WordLevel(unk_token=UNK)), "words", lowercase)
    trainer = trainers.WordLevelTrainer(
        vocab_size=size, min_frequency=min_count, special_tokens=list(special), show_progress=False
    )
    tokenizer.train_from_iterator(_pieces(texts), trainer)
    ids = tokenizer.get_vocab()
    if max(ids.values()) < len(ids):
        return tokenizer
    # the text itself has <unk>: the trainer numbers it twice, and leaves a gap
    learned = sorted(ids.keys() - set(special), key=ids.__getitem__)
    model = models.WordLevel({token: i for i, token in enumerate((*special, *learned))}, unk_token=UNK)
    tokenizer = _assembled(Tokenizer(model), "words", lowercase)
    tokenizer.add_special_tokens(list(special))
    return tokenizer


def _pieces(texts: Sequence[str]) -> Iterator[str]:
    return (piece for text in texts for piece in whole_tokens([text], PIECE))


def _with_unknown(special: Sequence[str]) -> tuple[str, ...]:
    return tuple(token for token in SPECIAL if token in special or token == UNK)


def _room(what: str, size: int | None, special: int, least: int) -> int:
    """How many tokens `size` leaves beside the special ones."""
    room = (size or 0) - special
    if room < least:
        raise UserError(f"a vocabulary of {size} is too small for {what}: it takes at least {least + special}")
    return room
