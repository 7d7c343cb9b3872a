"""The three kinds of Hugging Face tokenizer behind a vocabulary: how one is made, how a saved one is told."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from elman.data.text.char_codec import distinct_characters
from elman.errors import UserError, optional_imports

if TYPE_CHECKING:
    from tokenizers import Tokenizer

Kind = Literal["characters", "bpe", "words"]

PAD, UNK, BOS, EOS = "<pad>", "<unk>", "<bos>", "<eos>"
SPECIAL = (PAD, UNK, BOS, EOS)

_BYTES = 256
_BPE_SIZE = 8000
_ALL = 2**31
_ONE_CHARACTER = "(?m)."  # Oniguruma's (?m): the dot matches a newline too
# A newline, a corpus's own <unk>, a word with what joins its parts ("n't", "well-known", "U.S"), a run of
# one punctuation mark.
_ONE_WORD = r"\n|<unk>|\w+(?:[-'’.]\w+)*|['’]\w+|([^\w\s])\1*"


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


def kind_of(tokenizer: Tokenizer) -> Kind:
    """Which of the three kinds a tokenizer is.

    Raises:
        ValueError: none of them.
    """
    shape = json.loads(tokenizer.to_str())
    pattern = (shape["pre_tokenizer"] or {}).get("pattern", {}).get("Regex")
    kinds: dict[tuple[str, str | None], Kind] = {
        ("WordLevel", _ONE_CHARACTER): "characters",
        ("WordLevel", _ONE_WORD): "words",
        ("BPE", None): "bpe",
    }
    found = kinds.get((shape["model"]["type"], pattern))
    if found is None:
        raise ValueError("not a tokenizer of elman's")
    return found


def _characters(texts: Sequence[str], size: int | None, special: Sequence[str]) -> Tokenizer:
    with optional_imports():
        from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers

    room = None if size is None else size - len(special)
    tokens = distinct_characters(texts, None)
    if room is not None and len(tokens) > room:
        special = _with_unknown(special)
        room = _room("characters", size, len(special), 1)
        tokens = distinct_characters(texts, room)
    numbered = {token: number for number, token in enumerate((*special, *tokens))}
    tokenizer = Tokenizer(models.WordLevel(numbered, unk_token=UNK))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(_ONE_CHARACTER), "isolated")
    tokenizer.decoder = decoders.Fuse()
    return tokenizer


def _bpe(texts: Sequence[str], size: int, special: Sequence[str], lowercase: bool) -> Tokenizer:
    with optional_imports():
        from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

    _room("BPE", size, len(special), _BYTES)
    tokenizer = Tokenizer(models.BPE())
    if lowercase:
        tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=size, special_tokens=list(special), initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def _words(texts: Sequence[str], size: int, special: Sequence[str], lowercase: bool, min_count: int) -> Tokenizer:
    with optional_imports():
        from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, trainers

    special = _with_unknown(special)
    _room("words", size, len(special), 1)

    def around(model: models.Model) -> Tokenizer:
        tokenizer = Tokenizer(model)
        if lowercase:
            tokenizer.normalizer = normalizers.Lowercase()
        tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(_ONE_WORD), "removed", invert=True)
        return tokenizer

    tokenizer = around(models.WordLevel(unk_token=UNK))
    trainer = trainers.WordLevelTrainer(
        vocab_size=size, min_frequency=min_count, special_tokens=list(special), show_progress=False
    )
    tokenizer.train_from_iterator(texts, trainer)
    ids = tokenizer.get_vocab()
    if max(ids.values()) < len(ids):
        return tokenizer
    # the text itself has <unk>: the trainer numbers it twice, and leaves a gap
    learned = sorted(ids.keys() - set(special), key=ids.__getitem__)
    tokenizer = around(models.WordLevel({token: i for i, token in enumerate((*special, *learned))}, unk_token=UNK))
    tokenizer.add_special_tokens(list(special))
    return tokenizer


def _with_unknown(special: Sequence[str]) -> tuple[str, ...]:
    return tuple(token for token in SPECIAL if token in special or token == UNK)


def _room(what: str, size: int | None, special: int, least: int) -> int:
    """How many tokens `size` leaves beside the special ones."""
    room = (size or 0) - special
    if room < least:
        raise UserError(f"a vocabulary of {size} is too small for {what}: it takes at least {least + special}")
    return room
