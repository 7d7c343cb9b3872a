"""The text a language model trains on: a person's files, a dataset of the catalogue, or Python's own documentation."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from elman.data.datasets.cache import fetch
from elman.data.datasets.download import Progress
from elman.data.datasets.registry import CATALOGUE, find
from elman.data.io.files import exists, is_file, matching_files
from elman.data.io.text import builtin_text, read_text, split_text
from elman.data.packed import packed_by
from elman.data.text.encoded_cache import EncodedText
from elman.data.text.large_corpus import LargeCorpus
from elman.data.text.tokenizers import Kind
from elman.data.text.vocabulary import Vocabulary
from elman.errors import UserError

BUILTIN = "builtin"
LARGE_BYTES = 64_000_000
"""Files that have more bytes than this together are not read into memory; nor are packed ones."""


@dataclass(frozen=True)
class TextCorpus:
    """A training and a validation text in memory."""

    training: str
    validation: str

    @property
    def parts(self) -> tuple[str, str]:
        """Both texts."""
        return self.training, self.validation

    def build_vocabulary(self, kind: Kind, size: int | None) -> Vocabulary:
        """The vocabulary of a language model on this text: all characters, or what the training part teaches."""
        if kind == "characters":  # of the whole text: a character met in validation alone would have no number
            return Vocabulary.build(self.training + self.validation, kind)
        return Vocabulary.build(self.training, kind, size, special=("<unk>",))

    def encode(self, vocabulary: Vocabulary) -> EncodedText:
        """The ids of both parts, int64."""
        ids = vocabulary.encode_array(self.training), vocabulary.encode_array(self.validation)
        return EncodedText(*ids, len(self.validation))

    def contents(self) -> dict[str, Iterable[str]]:
        """What a training learned from."""
        return {"training text": self.training, "validation text": self.validation}


def open_corpus(
    data: Sequence[str], validation_share: float, *, progress: Progress | None = None
) -> TextCorpus | LargeCorpus:
    """What `read_corpus` reads, as a corpus; large files (`LARGE_BYTES`) are left on disk, see `large_corpus`.

    Raises:
        UserError: as `read_corpus`; what is in large files is looked at later.
    """
    if len(data) == 1 and _is_name(data[0]):
        return TextCorpus(*read_corpus(data, validation_share, progress=progress))
    paths = matching_files(data)
    packed = any(packed_by(path) for path in paths)
    if packed or sum(path.stat().st_size for path in paths if is_file(path)) > LARGE_BYTES:
        return LargeCorpus(paths, validation_share)
    return TextCorpus(*read_corpus(data, validation_share))


def read_corpus(data: Sequence[str], validation_share: float, *, progress: Progress | None = None) -> tuple[str, str]:
    """The training and the validation text.

    Arguments:
        data: paths of text files or patterns such as texts/*.txt, read in this order; or one name: a text dataset of
            the catalogue, or "builtin" (also where a folder is called so).
        validation_share: the last part, held out; a dataset that comes with its own validation file uses that.

    Raises:
        UserError: what cannot be read, downloaded or split; an unknown name suggests the near one.
    """
    if names_a_corpus(data):
        if data[0] == BUILTIN:
            return split_text(builtin_text(), validation_share)
        texts = [name for name, other in CATALOGUE.items() if other.kind == "text"]
        if data[0] not in CATALOGUE:
            near = difflib.get_close_matches(data[0].lower(), [*texts, BUILTIN], n=1, cutoff=0.5)
            advice = f"did you mean {near[0]}?" if near else f"known are {', '.join([*texts, BUILTIN])}"
            raise UserError(f"there is neither a text nor a file called {data[0]}; {advice}")
        dataset = find(data[0])
        if dataset.kind != "text":
            names = ", ".join(texts)
            raise UserError(f"{data[0]} is not a text to model ({dataset.kind}); take a text file, or one of: {names}")
        folder = fetch(data[0], progress=progress)
        files = [folder / remote.file for remote in dataset.files]
        if len(files) == 1:
            return split_text(read_text(files), validation_share)
        return read_text(files[:1]), read_text(files[1:2])
    return split_text(read_text(matching_files(data)), validation_share)


def names_a_corpus(data: Sequence[str]) -> bool:
    """Whether `data` names a dataset, and no files."""
    return len(data) == 1 and _is_name(data[0])


def _is_name(word: str) -> bool:
    """Whether a dataset is meant: not a file; and a folder only gives way to a dataset that there is."""
    path = Path(word)
    if is_file(path) or (exists(path) and word not in (BUILTIN, *CATALOGUE)):
        return False
    return not set("/.*?[").intersection(word)
