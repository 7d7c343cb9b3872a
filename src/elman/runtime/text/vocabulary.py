"""The vocabulary of a run, from its `vocabulary.json`: characters, words, or byte-level BPE, with and without capitals.

The same ids and texts as `elman.data.text.vocabulary` gives by the package `tokenizers`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from elman.errors import UserError
from elman.runtime.files import COPY, read_json
from elman.runtime.text.bpe import BytePairs
from elman.runtime.text.characters import lowered, words

PAD, UNK, BOS, EOS = SPECIAL = ("<pad>", "<unk>", "<bos>", "<eos>")
_ONE_CHARACTER = "(?m)."
_ONE_WORD = r"\n|<unk>|\w+(?:[-'’.]\w+)*|['’]\w+|([^\w\s])\1*"
KINDS = {("WordLevel", _ONE_CHARACTER): "characters", ("WordLevel", _ONE_WORD): "words", ("BPE", ""): "bpe"}
"""Kinds by the type of their model and the pattern that cuts texts, as `elman.data.text.tokenizers` saves them."""
_NO_SPACE_BEFORE = frozenset(".,;:!?)]}%…\n") | {"...", "n't"}
_NO_SPACE_AFTER = frozenset("([{$\n")
SHOWN = 8


class Vocabulary:
    """Text to ids and back; `len` is V.

    Arguments:
        kind: "characters", "words" or "bpe".
        numbered: token -> id, which are 0 to V - 1.
        merges: of BPE.
        lowercase: capitals are read as small letters.
    """

    def __init__(
        self, kind: str, numbered: dict[str, int], merges: Sequence[tuple[str, str]] = (), *, lowercase: bool = False
    ) -> None:
        self.kind, self.numbered, self.lowercase = kind, numbered, lowercase
        self.tokens = tuple(sorted(numbered, key=numbered.__getitem__))
        self.pad, self.unk, self.bos, self.eos = (numbered.get(token) for token in SPECIAL)
        self._silent = frozenset({self.pad, self.bos, self.eos} - {None})
        self._pairs = BytePairs(numbered, merges) if kind == "bpe" else None
        self._characters = {token: number for token, number in numbered.items() if len(token) == 1}

    @classmethod
    def load(cls, path: Path, kind: str, special: Sequence[str] = ()) -> Vocabulary:
        """Read a saved vocabulary.

        Raises:
            UserError: it is missing, damaged, of another kind than the run's, or lacks a special token.
        """
        saved = read_json(path, "vocabulary")
        try:
            found, vocabulary = _read(saved)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise UserError(f"{path} is damaged or no vocabulary ({str(error)[:80]}); {COPY}") from error
        if found != kind:
            raise UserError(f"{path} is a vocabulary of {found}, and the run's is of {kind}; restore its own")
        needed = (*special, UNK) if kind == "words" else special
        if missing := [token for token in needed if token not in vocabulary.numbered]:
            raise UserError(f"{path} is damaged: it has no {missing[0]}; {COPY}")
        return vocabulary

    def __len__(self) -> int:
        return len(self.tokens)

    def encode(self, text: str) -> list[int]:
        """The ids of a text, without special tokens.

        Raises:
            UserError: characters that the vocabulary lacks, with their place (characters without an unknown token).
        """
        if self.kind == "characters":
            return self._encode_characters(text)
        if self.lowercase:
            text = lowered(text)
        if self._pairs is not None:
            return self._pairs.encode(text)
        get, unknown = self.numbered.get, self.unk
        return [get(text[begin:end], unknown) for begin, end in words(text)]  # type: ignore[misc]  # words have <unk>

    def _encode_characters(self, text: str) -> list[int]:
        try:
            return [self._characters[character] for character in text]
        except KeyError:
            if self.unk is not None:
                return [self._characters.get(character, self.unk) for character in text]
        missing = dict.fromkeys(character for character in text if character not in self._characters)
        first = next(place for place, character in enumerate(text) if character in missing)
        line, column = text.count("\n", 0, first) + 1, first - (text.rfind("\n", 0, first) + 1) + 1
        shown = ", ".join(map(repr, list(missing)[:SHOWN])) + (" ..." if len(missing) > SHOWN else "")
        raise UserError(
            f"the vocabulary lacks {shown}, first at line {line}, column {column} of the text;"
            " leave such characters out, or train on text that has them"
        )

    def token_texts(self, text: str) -> list[str]:
        """What stands in the text for each id that `encode` gives, as it was written."""
        if self.kind == "characters":
            return list(text)
        small = text
        place: Sequence[int] = range(len(text))
        if self.lowercase:
            small = lowered(text)
            if len(small) != len(text):  # a letter that becomes two
                place = [at for at, letter in enumerate(text) for _ in letter.lower()]
        spans = words(small) if self._pairs is None else self._pairs.spans(small)
        return [text[place[begin] : place[end - 1] + 1] for begin, end in spans]

    def pieces(self, ids: Iterable[int]) -> Iterator[str]:
        """The text of ids bit by bit, as each comes; padding, begin and end marks are left out."""
        said = (self.tokens[i] for i in ids if i not in self._silent)
        if self._pairs is not None:
            yield from self._pairs.decoded(said)
            return
        before = "\n"
        for token in said:
            apart = self.kind == "words" and before not in _NO_SPACE_AFTER and not _clings(token)
            yield " " + token if apart else token
            before = token


def _clings(token: str) -> bool:
    return token in _NO_SPACE_BEFORE or (len(token) > 1 and token[0] in "'’")


def _read(saved: Any) -> tuple[str, Vocabulary]:
    model, cut, normalizer = saved["model"], saved["pre_tokenizer"], saved.get("normalizer")
    kind = KINDS.get((model["type"], (cut.get("pattern") or {}).get("Regex", "")))
    numbered, merges = model["vocab"], [tuple(pair) for pair in model.get("merges", [])]
    if kind is None or (normalizer and normalizer.get("type") != "Lowercase"):
        raise ValueError("it is none of elman's")
    if not all(type(number) is int for number in numbered.values()):
        raise ValueError("an id is no whole number")
    if sorted(numbered.values()) != list(range(len(numbered))):
        raise ValueError("its ids are not 0, 1, 2 and so on")
    if not all(len(pair) == 2 and all(isinstance(part, str) for part in pair) for pair in merges):
        raise ValueError("its merges are none")
    "".join(numbered).encode()  # no lone surrogates
    added = saved.get("added_tokens", [])
    if kind == "characters" and (added or normalizer):
        raise ValueError("it is none of elman's")
    if any(type(one["id"]) is not int or numbered.get(one["content"]) != one["id"] for one in added):
        raise ValueError("its special tokens are no tokens")
    if any(one["content"] not in SPECIAL for one in added):
        raise ValueError("it has special tokens that are none of elman's")
    if any(part not in numbered for pair in merges for part in (*pair, "".join(pair))):
        raise ValueError("its merges are not of its tokens")
    return kind, Vocabulary(kind, numbered, merges, lowercase=bool(normalizer))
