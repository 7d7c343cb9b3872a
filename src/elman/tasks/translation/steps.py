"""Pairs of sentences as batches, their loss, and the scores of translations. S steps of the source, T of the target."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from elman.data.batching import batches_by_length, pad_sequences
from elman.data.text.parallel import Pairs
from elman.data.text.tokenizers import BOS, EOS, PAD
from elman.data.text.vocabulary import Vocabulary
from elman.errors import UserError
from elman.models.decoding.beam_search import Hypothesis, write
from elman.models.decoding.config import Decoding
from elman.models.decoding.scheduled_sampling import mixed
from elman.training.progress import display
from elman.training.report import Table

if TYPE_CHECKING:
    from torch import Tensor, nn

    from elman.models.seq2seq import Translator

TOKENS_AT_ONCE = 8192
"""Places of the beam times steps of the source that are searched together."""
LONGER, MORE = 2.0, 10
"""A translation has at most so many times the tokens of its source, and so many more."""
EXAMPLES = 20

Ids = NDArray[np.int64]


class PairBatch(NamedTuple):
    """source (S, B), lengths (B,), tokens (T + 1, B): begin mark, words, end mark; teacher: share of words given."""

    source: Tensor
    lengths: Tensor
    tokens: Tensor
    teacher: float


MARKS = (PAD, BOS, EOS)
"""The special tokens of both sides."""


@dataclass(frozen=True)
class VocabularyPair:
    """The vocabularies of the two sides. A source ends with the end mark, so that it is never empty."""

    source: Vocabulary
    target: Vocabulary

    @classmethod
    def build(cls, pairs: Pairs, size: int, lowercase: bool) -> VocabularyPair:
        """Learn byte-level BPE from the training pairs, for each side alone."""
        one, other = (
            Vocabulary.build(side, "bpe", size, special=MARKS, lowercase=lowercase)
            for side in (pairs.source, pairs.target)
        )
        return cls(one, other)

    def read(self, texts: Sequence[str]) -> list[Ids]:
        """The source's tokens and the end mark."""
        return [np.array([*ids, self.source.eos], dtype=np.int64) for ids in self.source.encode_lines(texts)]

    def written(self, texts: Sequence[str]) -> list[Ids]:
        """The target's tokens between the marks."""
        marks = self.target.bos, self.target.eos
        return [np.array([marks[0], *ids, marks[1]], dtype=np.int64) for ids in self.target.encode_lines(texts)]


@dataclass(frozen=True)
class Encoded:
    """N pairs as numbers."""

    source: list[Ids]
    target: list[Ids]

    def without_long(self, longest: int) -> tuple[Encoded, int]:
        """The pairs both sides of which have at most so many tokens, and how many have not."""
        rows = [
            (one, other)
            for one, other in zip(self.source, self.target, strict=True)
            if len(one) - 1 <= longest and len(other) - 2 <= longest
        ]
        if not rows:
            raise UserError(f"every training pair has more than {longest} tokens; raise `max_length`")
        return Encoded([row[0] for row in rows], [row[1] for row in rows]), len(self.source) - len(rows)

    def batch(self, numbers: Sequence[int], codes: VocabularyPair, teacher: float = 1.0) -> PairBatch:
        """Some pairs side by side."""
        source, lengths = pad_sequences([self.source[i] for i in numbers], codes.source.pad or 0)
        tokens, _ = pad_sequences([self.target[i] for i in numbers], codes.target.pad or 0)
        return PairBatch(source, lengths, tokens, teacher)


def batch_loss(model: nn.Module, batch: PairBatch, padding: int, smoothing: float) -> tuple[Tensor, int]:
    """Summed cross-entropy in nats, and the number of target tokens, the end marks among them."""
    import torch

    device = next(model.parameters()).device
    source, lengths, tokens = (part.to(device) for part in batch[:3])
    given, targets = tokens[:-1], tokens[1:]
    if batch.teacher < 1:
        with torch.no_grad():
            logits = model(source, lengths, given)
            logits[..., padding] = -torch.inf
        # what stands after the end is left alone: no loss asks for it
        given = torch.where(given == padding, given, mixed(given, logits, batch.teacher))
    total = model(source, lengths, given, targets=targets, padding=padding, smoothing=smoothing)
    return total, int((targets != padding).sum())


def mean_loss(model: Translator, encoded: Encoded, codes: VocabularyPair) -> float:
    """Nats a target token, without smoothing."""
    total, count = 0.0, 0
    for numbers in batches_by_length([len(one) for one in encoded.source], 64):
        batch = encoded.batch(numbers.tolist(), codes)
        loss, tokens = batch_loss(model, batch, codes.target.pad or 0, 0.0)
        total, count = total + float(loss), count + tokens
    return total / max(1, count)


def translate(
    model: Translator, sources: Sequence[Ids], codes: VocabularyPair, options: Decoding, seed: int = 1
) -> list[list[Hypothesis]]:
    """What is written for each source, the best first, like lengths together.

    Arguments:
        options: the search; its greatest length holds for all, and a short source's own is shorter.
    """
    found: list[list[Hypothesis]] = [[] for _ in sources]
    done = 0
    with display().counting("translating, texts", len(sources)) as counted:
        for numbers in _together([len(one) for one in sources], options.beam):
            together = _search(model, [sources[i] for i in numbers], codes, options, seed)
            for number, written in zip(numbers, together, strict=True):
                found[number] = written
            done += len(numbers)
            counted(done)
    return found


def _search(
    model: Translator, sources: Sequence[Ids], codes: VocabularyPair, options: Decoding, seed: int
) -> list[list[Hypothesis]]:
    from dataclasses import replace

    import torch

    device = next(model.parameters()).device
    source, lengths = pad_sequences(sources, codes.source.pad or 0)
    marks = codes.target
    assert marks.bos is not None
    assert marks.eos is not None
    with torch.no_grad():
        state, memory = model.encode(source.to(device), lengths.to(device))
        limits = [min(options.max_length, int(LONGER * length) + MORE) for length in lengths.tolist()]
        how = replace(options, max_length=max(limits))
        banned = [number for number in (marks.pad, marks.bos) if number is not None]
        begin, end = marks.bos, marks.eos
        return write(model, state, memory, begin=begin, end=end, decoding=how, banned=banned, seed=seed, limits=limits)


def _together(lengths: Sequence[int], beam: int) -> Iterator[list[int]]:
    """Numbers of sources that are searched in one batch: of like length, and not more than memory and cache like."""
    order: Iterable[int] = np.argsort(np.asarray(lengths), kind="stable").tolist()
    some: list[int] = []
    for number in order:
        if some and (len(some) + 1) * lengths[number] * beam > TOKENS_AT_ONCE:
            yield some
            some = []
        some.append(number)
    if some:
        yield some


def examples_table(pairs: Pairs, given: Sequence[str], where: str) -> Table:
    """Some translations beside what they should be, spread evenly over the part."""
    chosen = np.linspace(0, len(pairs) - 1, min(EXAMPLES, len(pairs))).round().astype(int).tolist()
    rows = tuple((pairs.source[i], given[i], pairs.target[i]) for i in chosen)
    return Table("translations", f"{where}: some translations", ("source", "translation", "reference"), rows)
