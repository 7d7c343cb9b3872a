"""Train a network that translates: one part reads a sentence, another writes it in a second language.

Many to many, encoder and decoder, with attention or (--attention none) by the last state alone. Data: multi30k-en-de,
-en-fr, -de-en, -fr-en, a .tsv file, or two text files, line by line.
Example: elman train translation --data multi30k-en-de --out runs/en-de
"""

from __future__ import annotations

import sys
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from elman.errors import UserError
from elman.training.task import Carry, Loss
from elman.training.translation_settings import Options, Settings

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torch import nn

    from elman.data.batching import Buckets
    from elman.data.look import Look
    from elman.data.parallel import Pairs, ParallelText
    from elman.models.beam import Written
    from elman.training.folder import RunFolder
    from elman.training.report import Report, Table
    from elman.training.translating import Codes, Encoded, Ids, PairBatch

Part = Literal["train", "validation", "test"]
BEAM = 5
"""The beam that evaluation searches with."""


class Task:
    """A translator of one language into another."""

    inputs = "texts to translate; without any, standard input is read, a text a line"

    name = "translation"
    metric = "bleu"
    higher_is_better = True
    unit = "tokens"

    def __init__(self, settings: Settings, folder: Path) -> None:
        self.settings = settings
        self.folder = folder
        self._saved = folder / "source.vocabulary.json", folder / "target.vocabulary.json"
        self._encoded: dict[Part, Encoded] = {}

    @cached_property
    def data(self) -> ParallelText:
        """The pairs; what a person should know of them is said on standard error."""
        from elman.data.parallel import read_parallel

        data = read_parallel(self.settings.data, validation_share=self.settings.validation_share)
        for note in data.notes:
            print(f"elman: {note}", file=sys.stderr)
        return data

    @cached_property
    def codes(self) -> Codes:
        from elman.data.vocabulary import Vocabulary
        from elman.training.translating import Codes

        if self._saved[0].exists():
            return Codes(*(Vocabulary.load(path) for path in self._saved))
        return Codes.build(self.data.train, self.settings.vocabulary_size, self.settings.lowercase)

    def encoded(self, part: Part) -> Encoded:
        """The pairs of a part as numbers; very long ones are left out of training alone."""
        if part not in self._encoded:
            found = self._encode(getattr(self.data, part))
            if part == "train":
                found, lost = found.without_long(self.settings.max_length)
                if lost:
                    longest = self.settings.max_length
                    print(f"elman: {lost:,} training pairs have more than {longest} tokens and are skipped", file=sys.stderr)
            self._encoded[part] = found
        return self._encoded[part]

    def _encode(self, pairs: Pairs) -> Encoded:
        from elman.training.translating import Encoded

        return Encoded(self.codes.read(pairs.source), self.codes.written(pairs.target))

    def prepare(self) -> None:
        """Read and check everything that training needs."""
        _ = self.encoded("train"), self.encoded("validation"), self.encoded("test")

    def save(self, folder: Path) -> None:
        for vocabulary, path in zip((self.codes.source, self.codes.target), self._saved, strict=True):
            vocabulary.save(folder / path.name)

    def build_model(self) -> nn.Module:
        from elman.models.translator import Translator, TranslatorShape

        s = self.settings
        return Translator(
            TranslatorShape(
                source=len(self.codes.source),
                target=len(self.codes.target),
                recurrent=s.shape(s.embedding_size),
                bidirectional=s.bidirectional,
                attention=s.attention,
                feed=s.feed,
                dropout=s.dropout,
                tied=s.tied,
            )
        )

    @cached_property
    def _buckets(self) -> Buckets:
        from elman.data.batching import Buckets

        train = self.encoded("train")
        lengths = [len(one) + len(other) for one, other in zip(train.source, train.target, strict=True)]
        return Buckets(lengths, self.settings.batch_size, self.settings.seed)

    def batch(self, step: int, rank: int, world: int) -> PairBatch:
        from elman.models.scheduled_sampling import teacher_share

        s = self.settings
        chosen = self._buckets.batch(step)
        share = chosen[rank::world].tolist()
        teacher = teacher_share(s.teacher_forcing_schedule, s.teacher_forcing, step / s.steps)
        batch = self.encoded("train").batch(share or chosen[:1].tolist(), self.codes, teacher)
        if not share:  # an epoch's last batch may be smaller than there are processes
            batch.tokens[1:] = self._padding
        return batch

    @property
    def _padding(self) -> int:
        assert self.codes.target.pad is not None
        return self.codes.target.pad

    def loss(self, model: nn.Module, batch: PairBatch, carry: Carry) -> Loss:
        from elman.training.translating import batch_loss

        return Loss(*batch_loss(model, batch, self._padding, self.settings.label_smoothing))

    def evaluate(self, model: nn.Module) -> dict[str, float]:
        """Loss and BLEU on the validation part, translated greedily."""
        return self._measure(model, self.data.validation, self.encoded("validation"), 1)[0]

    @property
    def languages(self) -> tuple[str, str]:
        return self.data.languages

    def _measure(
        self, model: nn.Module, pairs: Pairs, encoded: Encoded, beam: int
    ) -> tuple[dict[str, float], list[str], list[tuple[str, str]]]:
        """Figures, translations, and the signatures of the scores."""
        from elman.models.decoding import Decoding
        from elman.models.translator import Translator
        from elman.training.translating import mean_loss, score, translate

        assert isinstance(model, Translator)
        found = translate(model, encoded.source, self.codes, Decoding(beam=beam, max_length=10**6))
        given = [self.codes.target.decode(one[0].tokens).strip() for one in found]
        scores = score(given, pairs.target, self.settings.lowercase)
        figures = {"loss": mean_loss(model, encoded, self.codes), "bleu": scores.bleu, "chrf": scores.chrf}
        return figures, given, [("BLEU", scores.bleu_signature), ("chrF", scores.chrf_signature)]

    def report(self, model: nn.Module) -> dict[str, float]:
        """The figures of `examine`."""
        return self.examine(model).figures

    def examine(self, model: nn.Module, data: Path | None = None) -> Report:
        """sacreBLEU, chrF and loss of the validation and the test part, by a beam; and some translations.

        Arguments:
            data: the test part of a public dataset, or a .tsv file, to measure on in place of the parts.
        """
        from elman.training.report import Report

        if data is not None:
            pairs = self._other(data)
            figures, given, signatures = self._measure(model, pairs, self._encode(pairs), BEAM)
            return Report(figures, self._tables(pairs, given, str(data), signatures))
        figures = {}
        parts: list[Part] = ["validation", "test"] if len(self.data.test) else ["validation"]
        for part in parts:
            pairs = getattr(self.data, part)
            found, given, signatures = self._measure(model, pairs, self.encoded(part), BEAM)
            figures |= {f"{part}_{name}": value for name, value in found.items()}
        return Report(figures, self._tables(pairs, given, part, signatures))

    def _tables(
        self, pairs: Pairs, given: Sequence[str], where: str, signatures: Sequence[tuple[str, str]]
    ) -> tuple[Table, ...]:
        from elman.training.report import Table
        from elman.training.translating import examples_table

        how = tuple((*pair, BEAM) for pair in signatures)
        return examples_table(pairs, given, where), Table("scores", "how it was scored", ("score", "signature", "beam"), how)

    def _other(self, data: Path) -> Pairs:
        """Pairs to measure on that are not the run's own.

        Raises:
            UserError: they are of other languages than the run's.
        """
        from elman.data.parallel import read_pairs

        pairs, languages, notes = read_pairs([str(data)])
        own = self.languages
        if all(languages) and all(own) and languages != own:
            raise UserError(
                f"{data} goes from {languages[0]} to {languages[1]}, and {self.folder} was trained from {own[0]} to"
                f" {own[1]}; name a run of that pair"
            )
        for note in notes:
            print(f"elman: {note}", file=sys.stderr)
        return pairs

    def finish(self, folder: RunFolder, model: nn.Module) -> None:
        """Draw the curves."""
        from elman.training.curves import draw_curves

        draw_curves(folder, self.metric, "nats per token")
