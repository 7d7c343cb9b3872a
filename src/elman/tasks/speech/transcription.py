"""What a task that writes down what it hears has: strings and their batches, loss, error rates. V symbols."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from elman.data.audio.augmentation import Augmentation, Joiner
from elman.data.audio.dataset import Spoken, numbered_symbols, symbols_of, text_of
from elman.data.audio.frontend import FrontEnd
from elman.data.audio.io import Sound
from elman.data.audio.log_mel import Frames
from elman.data.audio.recordings import PARTS, Part
from elman.data.batching import Buckets, batches_by_length, pad_sequences
from elman.errors import UserError
from elman.metrics.transcription import error_rates
from elman.models.decoding.ctc import ctc_loss, steps_needed
from elman.runtime.ctc import Emitted, Greedy, PrefixBeam
from elman.training.progress import display
from elman.training.report import Table

if TYPE_CHECKING:
    from torch import Tensor, nn

MISTAKES = 20
log = logging.getLogger("elman")
EVALUATED_TOGETHER = 32
_TEST_LENGTHS = (3, 7)
HELD_OUT_STRINGS = {"validation": 200, "test": 500}
"""How many strings are joined to evaluate on."""


@dataclass(frozen=True)
class Utterance:
    """What is heard (T, I), the numbers of its symbols, and its file, or its number where it was joined."""

    steps: Frames
    symbols: list[int]
    path: Path = Path()
    number: int = 0

    @property
    def name(self) -> str:
        """How it is called in a table."""
        return self.path.name or f"string {self.number}"


class UtteranceBatch(NamedTuple):
    """x (T, B, I), lengths (B,), all targets in a row, how many belong to each (B,), and whether its loss counts."""

    x: Tensor
    lengths: Tensor
    targets: Tensor
    target_lengths: Tensor
    counts: bool = True


def make_batch(utterances: Sequence[Utterance], counts: bool = True) -> UtteranceBatch:
    """Utterances side by side."""
    import torch

    x, lengths = pad_sequences([one.steps for one in utterances])
    targets = torch.tensor([symbol for one in utterances for symbol in one.symbols], dtype=torch.int64)
    return UtteranceBatch(x, lengths, targets, torch.tensor([len(one.symbols) for one in utterances]), counts)


def batch_loss(model: nn.Module, batch: UtteranceBatch) -> tuple[Tensor, int]:
    """The summed CTC loss in nats, and the number of symbols."""
    device = next(model.parameters()).device
    logits = model(batch.x.to(device), batch.lengths.to(device))
    total = ctc_loss(logits, batch.lengths, batch.targets.to(device), batch.target_lengths)
    return (total, len(batch.targets)) if batch.counts else (total * 0, 0)


@dataclass(frozen=True)
class UtteranceSampler:
    """Where the utterances of each part come from: recordings as they are, or joined on the fly.

    Arguments:
        symbols: V of them, as texts.
        kind: "words" or "characters".
        join: recordings in a string of training, at most; 1 takes them as they are.
        pause: seconds, at most.
        gain: decibels between the recordings of a string, at most.
        variation: of recordings in training.
        seed: of all that is drawn in training; held-out strings are the same for every seed.
    """

    spoken: Spoken
    front_end: FrontEnd
    symbols: tuple[str, ...]
    kind: str
    join: int
    pause: float
    gain: float
    variation: Augmentation
    seed: int

    def drawn(self, step: int, size: int, rank: int = 0, world: int = 1) -> list[Utterance]:
        """The share of process `rank` of `world` in the training batch of a step: the same for the same arguments."""
        if self.join == 1:
            return [self._varied(number, step) for number in self._buckets(size).batch(step).tolist()[rank::world]]
        joiner = self._joiner("train", 1, self.join)
        return [
            self._joined(joiner, np.random.default_rng((self.seed, step, number)), self.variation, number)
            for number in range(size)[rank::world]
        ]

    def prepare(self) -> None:
        """Read and check what training needs."""
        if self.join == 1:
            _ = self._train
        else:
            self._joiner("train", 1, self.join)

    @cached_property
    def _train(self) -> list[tuple[Sound, Utterance]]:
        """The recordings of the training part as they are, beside what they become."""
        by_name = {one.path: self.spoken.sound(one) for one in self.spoken.part("train")}
        return [(by_name[one.path], one) for one in self.recorded("train")]

    def _buckets(self, size: int) -> Buckets:
        if size not in self._known_buckets:
            self._known_buckets[size] = Buckets([len(one.steps) for _, one in self._train], size, self.seed)
        return self._known_buckets[size]

    @cached_property
    def _known_buckets(self) -> dict[int, Buckets]:
        return {}

    def _varied(self, number: int, step: int) -> Utterance:
        sound, one = self._train[number]
        generator = np.random.default_rng((self.seed, step, number))
        sound = self.variation(sound, generator)
        return Utterance(self.front_end(sound, self.variation.manner(generator)), one.symbols, one.path)

    def held_out(self, part: Part) -> list[Utterance]:
        """The validation strings (1 to `join` recordings) or the test strings (3 to 7); recordings, without joining."""
        if self.join == 1:
            return self.recorded(part)
        if not self.spoken.part(part):
            return []
        shortest, longest = (1, self.join) if part == "validation" else _TEST_LENGTHS
        joiner = self._joiner(part, shortest, longest)
        return [
            self._joined(joiner, np.random.default_rng((PARTS.index(part), number)), Augmentation(), number + 1)
            for number in range(HELD_OUT_STRINGS[part])
        ]

    def recorded(self, part: Part) -> list[Utterance]:
        """The recordings of a part, one by one, but for those whose transcripts are longer than their steps.

        No alignment of such a one exists. How many there are is logged.

        Raises:
            UserError: a symbol that is not among `symbols`; or none of them is left.
        """
        found: list[Utterance] = []
        short: list[Utterance] = []
        for one in self.spoken.part(part):
            symbols = numbered_symbols(one.transcript, self.kind, self.symbols, str(one.path))
            utterance = Utterance(self.front_end(self.spoken.sound(one)), symbols, one.path)
            (found if steps_needed(symbols) <= len(utterance.steps) else short).append(utterance)
        if short:
            every = f"{len(short)} of {len(short) + len(found)} recordings of the {part} part"
            line = f"{every} have more symbols than steps and are skipped; the first is {short[0].name}"
            if not found:
                raise UserError(f"{line}; lower `stack`, or correct the transcripts")
            log.info(line)
        return found

    @cached_property
    def _joiners(self) -> dict[tuple[Part, int, int], Joiner]:
        return {}

    def _joiner(self, part: Part, shortest: int, longest: int) -> Joiner:
        key = (part, shortest, longest)
        if key not in self._joiners:
            by_speaker: dict[str, list[tuple[Sound, list[int]]]] = {}
            for one in self.spoken.part(part):
                said = numbered_symbols(one.transcript, self.kind, self.symbols, str(one.path))
                by_speaker.setdefault(one.speaker, []).append((self.spoken.sound(one), said))
            between = [self.symbols.index(" ") + 1] if self.kind == "characters" else []
            voices = tuple(by_speaker.values())
            self._joiners[key] = Joiner(voices, between, shortest, longest, self.spoken.rate, self.pause, self.gain)
        return self._joiners[key]

    def _joined(
        self, joiner: Joiner, generator: np.random.Generator, variation: Augmentation, number: int
    ) -> Utterance:
        sound, symbols = joiner(generator, variation)
        return Utterance(self.front_end(sound, variation.manner(generator)), symbols, number=number)


def symbols_heard(spoken: Spoken, kind: str, joined: bool) -> tuple[str, ...]:
    """All symbols of the training part, in order; a space too where characters are joined."""
    found = {symbol for one in spoken.part("train") for symbol in symbols_of(one.transcript, kind)}
    return tuple(sorted(found | ({" "} if joined and kind == "characters" else set())))


@dataclass(frozen=True)
class Transcription:
    """What a transcriber wrote down for utterances, greedily and by prefix beam, beside what was said: texts."""

    truth: list[str]
    greedy: list[str]
    beam: list[str]
    loss: float  # nats a symbol

    def metrics(self) -> dict[str, float]:
        """Loss, word and character error rates of greedy decoding, and the word error rate by beam."""
        greedy, beam = error_rates(self.greedy, self.truth), error_rates(self.beam, self.truth)
        return {"loss": self.loss, **greedy, "wer_beam": beam["wer"]}

    def tables(self, where: str, names: Sequence[str]) -> tuple[Table, ...]:
        """Error rates by the number of words, and what was misheard."""
        rows = []
        for length in sorted({len(text.split()) for text in self.truth}):
            chosen = [number for number, text in enumerate(self.truth) if len(text.split()) == length]
            rates = (
                error_rates([given[i] for i in chosen], [self.truth[i] for i in chosen])["wer"]
                for given in (self.greedy, self.beam)
            )
            rows.append((length, len(chosen), *rates))
        lengths = Table(
            "lengths", f"{where}: by number of words", ("words", "recordings", "WER", "WER by beam"), tuple(rows)
        )
        triples = zip(self.truth, self.greedy, names, strict=True)
        wrong = tuple((said, given, name) for said, given, name in triples if said != given)[:MISTAKES]
        return lengths, Table("mistakes", f"{where}: some that were misheard", ("said", "heard", "recording"), wrong)


def hear(
    model: nn.Module, utterances: Sequence[Utterance], symbols: Sequence[str], kind: str, beam: int
) -> Transcription:
    """Write down utterances, like lengths together.

    Arguments:
        beam: how many prefixes to keep; 1 leaves the beam out and repeats what greedy decoding found.
    """
    greedy, wide = [""] * len(utterances), [""] * len(utterances)
    nats, count = 0.0, 0
    done = 0
    with display().counting("transcribing, recordings", len(utterances)) as counted:
        for chosen in batches_by_length([len(one.steps) for one in utterances], EVALUATED_TOGETHER):
            some = [utterances[number] for number in chosen]
            batch = make_batch(some)
            device = next(model.parameters()).device
            scores = model(batch.x.to(device), batch.lengths.to(device)).float().log_softmax(-1)
            nats += float(ctc_loss(scores, batch.lengths, batch.targets.to(device), batch.target_lengths))
            count += len(batch.targets)
            for column, number in enumerate(chosen.tolist()):
                own = scores[: int(batch.lengths[column]), column].cpu()
                greedy[number] = written(decode(own, 1), symbols, kind)
                wide[number] = written(decode(own, beam), symbols, kind) if beam > 1 else greedy[number]
                done += 1
                counted(done)
    truth = [text_of([symbols[number - 1] for number in one.symbols], kind) for one in utterances]
    return Transcription(truth, greedy, wide, nats / max(1, count))


def decode(scores: Tensor, beam: int) -> list[Emitted]:
    """The symbols in log-probabilities (T, V + 1): greedily, or the likeliest by a beam of so many prefixes."""
    decoder = PrefixBeam(beam) if beam > 1 else Greedy()
    decoder.push(scores.numpy())
    return decoder.best()


def written(emitted: Sequence[Emitted], symbols: Sequence[str], kind: str) -> str:
    """The text of what was emitted."""
    return text_of([symbols[one.symbol - 1] for one in emitted], kind)
