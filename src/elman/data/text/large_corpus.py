"""A text too large to hold in memory: read in blocks, encoded once into a file that is mapped into memory.

The parts, the vocabulary of characters and the ids are those that the same text has when it is read whole. A
vocabulary of BPE or words is learned from `VOCABULARY_CHARACTERS` of the training part at most, in pieces spread
evenly over it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, islice
from pathlib import Path
from typing import IO, Any

import numpy as np

from elman.atomic_io import write_whole
from elman.data import entries
from elman.data.digests import check_untouched, content_digest, known_digest, signature
from elman.data.io.json_files import read_checked, write_checked
from elman.data.io.text import split_point
from elman.data.text.blocks import cut_at, text_pieces, whole_tokens
from elman.data.text.char_codec import Alphabet
from elman.data.text.encoded_cache import EncodedText, Entry, dtype_for, dtype_name
from elman.data.text.encoded_cache import load as load_encoded
from elman.data.text.kept_vocabulary import kept_vocabulary
from elman.data.text.tokenizers import Kind
from elman.data.text.vocabulary import Vocabulary
from elman.errors import UserError

VOCABULARY_CHARACTERS = 100_000_000
"""Characters of the training part from which a vocabulary of BPE or words is learned, at most."""
_PIECE = 1 << 16  # characters that a tokenizer is given at once
_TOGETHER = 64  # such pieces in one call, which share the threads


@dataclass(frozen=True)
class Scan:
    """What one reading of a text finds out."""

    characters: int
    alphabet: str  # the different characters, in order of code point


class LargeCorpus:
    """The text of files, split into a training and a validation part.

    Arguments:
        paths: UTF-8 text files, plain or packed by gzip or zstd, read in this order.
        validation_share: the last part, held out.

    Raises:
        UserError: a file is missing. What a file holds is looked at when it is first asked for.
    """

    def __init__(self, paths: Sequence[Path], validation_share: float) -> None:
        self.paths = tuple(paths)
        self._share = validation_share
        self._before = [signature(path) for path in self.paths]

    @cached_property
    def _read(self) -> tuple[list[str], Scan]:
        """The files' digests, and what a scan finds, which is kept beside the encoded texts."""
        entries.make_ready()
        remembered = all(known_digest(path) for path in self.paths)
        with ThreadPoolExecutor(1) as pool:  # hashing leaves Python's lock to the reading
            hashing = [pool.submit(content_digest, path) for path in self.paths]
            known = [job.result() for job in hashing] if remembered else None
            scan = None if known is None else self._kept_scan(known)
            if scan is None:
                scan = _scan(text_pieces(self.paths))
            digests = known or [job.result() for job in hashing]
        self._check_untouched()
        if self._kept_scan(digests) is None:
            with entries.naming_the_folder():
                write_checked(self._scan_file(digests), scan)
        return digests, scan

    def contents(self) -> dict[str, Iterable[str]]:
        """What a training learned from: the digest of each file."""
        return {"text": self._read[0]}

    def _scan_file(self, digests: list[str]) -> Path:
        return entries.folder() / f"{entries.key_of('scan', digests)}.scan.json"

    def _kept_scan(self, digests: list[str]) -> Scan | None:
        try:
            return read_checked(self._scan_file(digests), Scan, "scan of a text")
        except UserError:
            return None

    def _check_untouched(self) -> None:
        for path, before in zip(self.paths, self._before, strict=True):
            check_untouched(path, before)

    @property
    def _cut(self) -> int:
        """Characters of the training part."""
        return split_point(self._read[1].characters, self._share)

    def build_vocabulary(self, kind: Kind, size: int | None) -> Vocabulary:
        """The vocabulary of a language model on this text: all characters, or what the training part teaches."""
        digests, scan = self._read
        if kind == "characters":
            return Vocabulary.build(scan.alphabet, kind)
        key = entries.key_of("vocabulary", digests, self._cut, kind, size, VOCABULARY_CHARACTERS)

        def learn() -> Vocabulary:
            vocabulary = Vocabulary.build(self._sample(), kind, size, special=("<unk>",))
            self._check_untouched()
            return vocabulary

        return kept_vocabulary(key, learn)

    def _sample(self) -> Iterator[str]:
        """Pieces of the training part, evenly spread."""
        training, _ = cut_at(text_pieces(self.paths), self._cut)
        every = max(1, -(-self._cut // VOCABULARY_CHARACTERS))
        return (piece for number, piece in enumerate(whole_tokens(training, _PIECE)) if number % every == 0)

    def encode(self, vocabulary: Vocabulary) -> EncodedText:
        """The ids of both parts, from the cache or made now.

        Raises:
            UserError: characters that the vocabulary lacks; a file that changes meanwhile; the cache cannot be used.
        """
        digests, _ = self._read
        numbered = hashlib.sha256("\0".join(vocabulary.tokens).encode("utf-8", "surrogatepass")).hexdigest()
        key = entries.key_of("ids", digests, self._cut, vocabulary.kind, numbered)
        with entries.made_once(key):
            found = load_encoded(key)
            if found is None:
                self._make(key, vocabulary)
                found = load_encoded(key)
        if found is None:
            raise UserError(f"the encoded text in {entries.folder()} vanished; try again")
        return found

    def _make(self, key: str, vocabulary: Vocabulary) -> None:
        dtype, counts, line = dtype_for(len(vocabulary)), [0, 0], 1

        def write(part: Path) -> None:
            nonlocal line
            with open(part, "wb") as file:
                for which, pieces in enumerate(cut_at(text_pieces(self.paths), self._cut)):
                    if vocabulary.kind == "characters":
                        counts[which], line = _encode_characters(pieces, vocabulary, dtype, file, line)
                    else:
                        counts[which] = _encode_tokens(pieces, vocabulary, dtype, file)

        write_whole(entries.folder() / f"{key}.ids", write)
        self._check_untouched()
        validation = self._read[1].characters - self._cut
        entries.describe(key, Entry(dtype_name(dtype), counts[0], counts[1], validation), [".ids"])


def _scan(pieces: Iterable[str]) -> Scan:
    alphabet, characters = Alphabet(), 0
    for piece in pieces:
        alphabet.add(piece)
        characters += len(piece)
    return Scan(characters, "".join(alphabet.characters()))


def _encode_characters(
    pieces: Iterable[str], vocabulary: Vocabulary, dtype: np.dtype[Any], file: IO[bytes], line: int
) -> tuple[int, int]:
    """Write the ids of a text that begins with the line of this number; returns how many, and the last line's."""
    count = 0
    for piece in pieces:
        ids = vocabulary.encode_bytes(piece, dtype, line)
        count += len(ids) // dtype.itemsize
        line += piece.count("\n")
        file.write(ids)
    return count, line


def _encode_tokens(pieces: Iterable[str], vocabulary: Vocabulary, dtype: np.dtype[Any], file: IO[bytes]) -> int:
    """Write the ids of a text; returns how many."""
    count, source = 0, whole_tokens(pieces, _PIECE)
    while some := list(islice(source, _TOGETHER)):
        found = np.fromiter(chain.from_iterable(vocabulary.encode_lines(some)), dtype)
        count += len(found)
        file.write(found.tobytes())
    return count
