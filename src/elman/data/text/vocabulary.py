"""Text to numbers and back: characters, byte-level BPE, or words, saved as one JSON of `tokenizers`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice, pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import numpy as np
from numpy.typing import NDArray

from elman.atomic_io import write_text
from elman.data.text.blocks import whole_tokens
from elman.data.text.char_codec import CharacterTable
from elman.data.text.tokenizers import PIECE, SPECIAL, Kind, kind_of, make_tokenizer, read_tokenizer
from elman.errors import UserError, optional_imports

if TYPE_CHECKING:
    from tokenizers import Tokenizer

_TOGETHER = 256  # pieces
_NO_SPACE_BEFORE = frozenset(".,;:!?)]}%…\n") | {"...", "n't"}
_NO_SPACE_AFTER = frozenset("([{$\n")


class Vocabulary:
    """The symbols of a model: `build` one from text, or `load` a saved one. `len` is V.

    Characters and BPE give back any text exactly, newlines and all; words give it back with one space between
    words and none before a full stop.

    Attributes:
        kind: "characters", "bpe" or "words".
        tokens: what each id stands for (BPE: with bytes written as GPT-2 writes them).
        lowercase: whether capitals are read as small letters.
        pad, unk, bos, eos: the ids of the special tokens, None where the vocabulary has none.
    """

    def __init__(self, tokenizer: Tokenizer):
        self.kind: Kind = kind_of(tokenizer)
        self._tokenizer = tokenizer
        self._tokenizer.encode_special_tokens = True  # "<pad>" in a person's text is text
        self._numbered: dict[str, int] = tokenizer.get_vocab()
        self.tokens: tuple[str, ...] = tuple(sorted(self._numbered, key=self._numbered.__getitem__))
        self.pad, self.unk, self.bos, self.eos = (self._numbered.get(token) for token in SPECIAL)
        self._silent = frozenset({self.pad, self.bos, self.eos} - {None})
        self.lowercase = tokenizer.normalizer is not None
        self._characters = CharacterTable(self.tokens, self.unk) if self.kind == "characters" else None

    @classmethod
    def build(
        cls,
        text: str | Iterable[str],
        kind: Kind,
        size: int | None = None,
        *,
        special: Sequence[str] = (),
        lowercase: bool = False,
        min_count: int = 1,
    ) -> Vocabulary:
        """Make a vocabulary from one text or many.

        Arguments:
            kind: "characters", "bpe" (on bytes, as GPT-2's) or "words".
            size: at most so many tokens, the special ones among them; None takes all (8,000 for BPE).
            special: those of `SPECIAL` that the task needs; they get the first ids. Words always have UNK,
                and characters where `size` leaves some out.
            lowercase: read capitals as small letters (BPE and words).
            min_count: words that are rarer become UNK.

        Raises:
            UserError: there is no text, no such kind, or the size is too small.
        """
        if kind not in get_args(Kind):
            raise UserError(f"there is no vocabulary of {kind!r}; choose one of {', '.join(get_args(Kind))}")
        if not set(special) <= set(SPECIAL):
            raise ValueError(f"special is {tuple(special)}, which must be among {SPECIAL}")
        texts = [text] if isinstance(text, str) else list(text)
        if not any(texts):
            raise UserError("there is no text to make a vocabulary from; give some")
        return cls(make_tokenizer(texts, kind, size, special, lowercase, min_count))

    @classmethod
    def load(cls, path: Path) -> Vocabulary:
        """Read a saved vocabulary.

        Raises:
            UserError: the file is missing, or damaged, or no vocabulary.
        """
        return cls(read_tokenizer(path))

    def save(self, path: Path) -> None:
        """Write the vocabulary to one JSON file, which `tokenizers.Tokenizer.from_file` reads as well."""
        write_text(path, self._tokenizer.to_str(pretty=True))

    def __len__(self) -> int:
        return len(self.tokens)

    def __contains__(self, token: object) -> bool:
        return token in self._numbered

    def __getitem__(self, token: str) -> int:
        """The id of a token; KeyError where there is none."""
        return self._numbered[token]

    def encode(self, text: str) -> list[int]:
        """The ids of a text, without special tokens.

        Raises:
            UserError: characters that the vocabulary lacks, with their place (characters without UNK only).
        """
        ids: list[int] = self.encode_array(text).tolist()
        return ids

    def encode_array(self, text: str) -> NDArray[np.int64]:
        """(N,) the ids of a text as an array: the way for long texts, see `encode`."""
        if self._characters is not None:
            return self._characters.encode(text)
        pieces = whole_tokens([text], PIECE)  # many together are encoded in parallel
        parts = [np.empty(0, np.int64)]
        while some := list(islice(pieces, _TOGETHER)):
            parts.append(np.fromiter(chain.from_iterable(self.encode_lines(some)), np.int64))
        return np.concatenate(parts)

    def encode_bytes(self, text: str, dtype: np.dtype[Any], line: int = 1) -> bytes:
        """The ids of a text by a vocabulary of characters, as they lie in memory: see `CharacterTable.encode_bytes`."""
        assert self._characters is not None
        return self._characters.encode_bytes(text, dtype, line)

    def encode_lines(self, lines: Sequence[str]) -> list[list[int]]:
        """The ids of each of many texts."""
        if self._characters is not None:
            return [self.encode(line) for line in lines]
        return [encoding.ids for encoding in self._tokenizer.encode_batch_fast(list(lines))]

    def token_texts(self, text: str) -> list[str]:
        """What stands in the text for each id that `encode` gives, as it was written, unknown words too."""
        return [text[begin:end] for begin, end in self._tokenizer.encode(text).offsets]

    def written(self, text: str) -> list[str]:
        """The text cut where its tokens begin, a piece for each id that `encode` gives: together they are the text."""
        begins = [begin for begin, _ in self._tokenizer.encode(text).offsets]
        cuts = [0, *begins[1:], len(text)]
        return [text[begin:end] for begin, end in pairwise(cuts)] if begins else []

    def decode(self, ids: Iterable[int]) -> str:
        """The text of the ids; padding, begin and end marks are left out."""
        if self.kind == "bpe":
            text: str = self._tokenizer.decode([i for i in ids if i not in self._silent], skip_special_tokens=False)
            return text
        return "".join(self.pieces(ids))

    def pieces(self, ids: Iterable[int]) -> Iterator[str]:
        """The text of the ids bit by bit, as each id comes: what a sampler writes while it samples.

        A character of several bytes, which BPE may split, comes when it is whole.
        """
        if self.kind == "bpe":
            yield from self._bpe_pieces(ids)
            return
        before = "\n"
        for i in ids:
            if i in self._silent:
                continue
            token = self.tokens[i]
            apart = self.kind == "words" and before not in _NO_SPACE_AFTER and not _clings(token)
            yield " " + token if apart else token
            before = token

    def _bpe_pieces(self, ids: Iterable[int]) -> Iterator[str]:
        with optional_imports():
            from tokenizers.decoders import DecodeStream

        stream = DecodeStream(skip_special_tokens=False)
        for i in ids:
            piece = None if i in self._silent else stream.step(self._tokenizer, i)
            if piece:
                yield piece


def _clings(token: str) -> bool:
    return token in _NO_SPACE_BEFORE or (len(token) > 1 and token[0] in "'’")
