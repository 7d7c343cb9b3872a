"""The task `translation`: pairs of texts, their vocabularies, the translator, and its metrics."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from elman.atomic_io import write_text
from elman.errors import UserError
from elman.tasks.translation.facts import UNLIMITED, Facts, read_facts
from elman.tasks.translation.prediction import Translation
from elman.tasks.translation.settings import Options, Settings
from elman.training.task import Carry, Loss, Prediction
from elman.training.task import Task as BaseTask

if TYPE_CHECKING:
    from torch import nn

    from elman.data.batching import Buckets
    from elman.data.description.facts import Description
    from elman.data.text.parallel import Pairs, ParallelText
    from elman.insight.example import InspectionExample
    from elman.models.decoding.beam_search import Hypothesis
    from elman.tasks.translation.steps import Encoded, Ids, PairBatch, VocabularyPair
    from elman.training.report import Report, Table

SOURCE, TARGET, FACTS = "source.vocabulary.json", "target.vocabulary.json", "pairs.json"
log = logging.getLogger("elman")
Part = Literal["train", "validation", "test"]
BEAM = 5
"""The beam that evaluation searches with."""
TOGETHER = 256
"""Lines that are translated at once, at most."""
MOST = 2000
"""Tokens of a text that are read."""


class Task(BaseTask[Settings]):
    """A translator of one language into another."""

    name = "translation"
    looks_at_end = 0
    inputs = "texts to translate; without any, standard input is read, a text a line"
    data_files: ClassVar[int] = 2
    streaming: ClassVar[bool] = True
    predict_example = ("A dog runs.",)
    writes = "a picture of what each word of the translation attended to"
    metric = "bleu"
    higher_is_better = True
    unit = "tokens"
    loss_unit = "nats per token"
    options_type = Options
    local_options = frozenset({"file"})

    def __init__(self, settings: Settings, folder: Path | None = None) -> None:
        super().__init__(settings, folder)
        self._encoded: dict[Part, Encoded] = {}

    @cached_property
    def data(self) -> ParallelText:
        """The pairs; what the user should know of them is logged."""
        from elman.data.text.parallel import read_parallel

        data = read_parallel(self.settings.data, validation_share=self.settings.validation_share)
        for note in data.notes:
            log.info(note)
        return data

    def understood(self, *, whole: bool = False) -> Description:
        """Pairs and languages."""
        from elman.data.description.texts import describe_pairs

        return describe_pairs(self.settings.data, self.data, whole=whole)

    def learned_from(self) -> dict[str, Iterable[Any]]:
        """The pairs."""
        parts = {"training part": self.data.train, "validation part": self.data.validation}
        return {name: zip(part.source, part.target, strict=True) for name, part in parts.items()}

    @cached_property
    def codes(self) -> VocabularyPair:
        """The vocabularies of both languages: the run's own, or learned from the training pairs."""
        from elman.tasks.translation.steps import VocabularyPair

        return VocabularyPair.build(self.data.train, self.settings.vocabulary_size, self.settings.lowercase)

    def encoded(self, part: Part) -> Encoded:
        """The pairs of a part as numbers; very long ones are left out of training alone."""
        if part not in self._encoded:
            found = self._encode(getattr(self.data, part))
            if part == "train":
                found, lost = found.without_long(self.settings.max_length)
                if lost:
                    longest = self.settings.max_length
                    log.info(f"{lost:,} training pairs have more than {longest} tokens and are skipped")
            self._encoded[part] = found
        return self._encoded[part]

    def _encode(self, pairs: Pairs) -> Encoded:
        from elman.tasks.translation.steps import Encoded

        return Encoded(self.codes.read(pairs.source), self.codes.written(pairs.target))

    def prepare(self) -> None:
        """Read and check everything that training needs."""
        _ = self.encoded("train"), self.encoded("validation"), self.encoded("test")

    def save(self, folder: Path) -> None:
        """Write both vocabularies, and what else must be known of the pairs."""
        self.codes.source.save(folder / SOURCE)
        self.codes.target.save(folder / TARGET)
        write_text(folder / FACTS, json.dumps(asdict(self.facts), indent=1) + "\n")

    def restore(self, folder: Path) -> None:
        """Read what `save` wrote."""
        from elman.data.text.saved import load_vocabulary
        from elman.tasks.translation.steps import MARKS, VocabularyPair

        self.codes = VocabularyPair(*(load_vocabulary(folder / name, "bpe", MARKS) for name in (SOURCE, TARGET)))
        self.facts = read_facts(folder / FACTS)

    def build_model(self) -> nn.Module:
        """Encoder and decoder, with attention or without."""
        from elman.models.seq2seq import Translator, TranslatorConfig

        s = self.settings
        return Translator(
            TranslatorConfig(
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
        return Buckets(lengths, self.settings.effective_batch_size, self.settings.seed)

    @property
    def depends_on_steps(self) -> bool:
        """Where the share of the teacher changes."""
        return self.settings.teacher_forcing_schedule != "constant"

    def batch(self, step: int, rank: int, world: int) -> PairBatch:
        """Pairs of like length side by side."""
        from elman.data.batching import process_share
        from elman.models.decoding.scheduled_sampling import teacher_share

        s = self.settings
        share, counts = process_share(self._buckets.batch(step), rank, world)
        teacher = teacher_share(s.teacher_forcing_schedule, s.teacher_forcing, step / s.steps)
        batch = self.encoded("train").batch(share.tolist(), self.codes, teacher)
        if not counts:
            batch.tokens[1:] = self._padding
        return batch

    @property
    def _padding(self) -> int:
        assert self.codes.target.pad is not None
        return self.codes.target.pad

    def loss(self, model: nn.Module, batch: PairBatch, carry: Carry) -> Loss:
        """Cross-entropy of the next token of the target."""
        from elman.tasks.translation.steps import batch_loss

        # on several processes the model is a wrapper that is called like it
        return Loss(*batch_loss(model, batch, self._padding, self.settings.label_smoothing))

    def evaluate(self, model: nn.Module) -> dict[str, float]:
        """Loss and BLEU on the validation part, translated greedily."""
        return self._measure(model, self.data.validation, self.encoded("validation"), 1)[0]

    @cached_property
    def facts(self) -> Facts:
        """What must be known of the training pairs where they are not read: their languages and longest source."""
        longest = max(len(source) - 1 for source in self.encoded("train").source)
        return Facts(self.data.languages, longest)

    @property
    def languages(self) -> tuple[str, str]:
        """From which to which; empty where the data did not say."""
        return self.facts.languages

    @property
    def longest(self) -> int:
        """The tokens of the longest source in training."""
        return self.facts.longest

    def _measure(
        self, model: nn.Module, pairs: Pairs, encoded: Encoded, beam: int
    ) -> tuple[dict[str, float], list[str], list[tuple[str, str]]]:
        """Metrics, translations, and the signatures of the scores."""
        from elman.metrics.translation import score
        from elman.models.decoding.config import Decoding
        from elman.models.seq2seq import Translator
        from elman.tasks.translation.steps import mean_loss, translate

        assert isinstance(model, Translator)
        found = translate(model, encoded.source, self.codes, Decoding(beam=beam, max_length=UNLIMITED))
        given = [self.codes.target.decode(one[0].tokens).strip() for one in found]
        scores = score(given, pairs.target, self.settings.lowercase)
        metrics = {"loss": mean_loss(model, encoded, self.codes), "bleu": scores.bleu, "chrf": scores.chrf}
        return metrics, given, [("BLEU", scores.bleu_signature), ("chrF", scores.chrf_signature)]

    def examine(self, model: nn.Module, *data: Path) -> Report:
        """sacreBLEU, chrF and loss of the validation and the test part, by a beam; and some translations.

        Arguments:
            data: the test part of a public dataset, a .tsv file, or two parallel text files, to measure on in place of
                the parts.
        """
        from elman.training.report import Report

        if data:
            pairs = self._other(data)
            metrics, given, signatures = self._measure(model, pairs, self._encode(pairs), BEAM)
            return Report(metrics, self._tables(pairs, given, " and ".join(map(str, data)), signatures))
        metrics = {}
        parts: list[Part] = ["validation", "test"] if len(self.data.test) else ["validation"]
        for part in parts:
            pairs = getattr(self.data, part)
            found, given, signatures = self._measure(model, pairs, self.encoded(part), BEAM)
            metrics |= {f"{part}_{name}": value for name, value in found.items()}
        return Report(metrics, self._tables(pairs, given, part, signatures))

    def _tables(
        self, pairs: Pairs, given: Sequence[str], where: str, signatures: Sequence[tuple[str, str]]
    ) -> tuple[Table, ...]:
        from elman.tasks.translation.steps import examples_table
        from elman.training.report import Table

        how = tuple((*pair, BEAM) for pair in signatures)
        return examples_table(pairs, given, where), Table(
            "scores", "how it was scored", ("score", "signature", "beam"), how
        )

    def _other(self, data: Sequence[Path]) -> Pairs:
        """Pairs to measure on that are not the run's own.

        Raises:
            UserError: they are of other languages than the run's.
        """
        from elman.data.text.parallel import differ, read_pairs

        pairs, languages, notes = read_pairs([str(one) for one in data])
        own = self.languages
        if differ(languages, own):
            there, here = (" to ".join(name or "an unnamed language" for name in pair) for pair in (languages, own))
            goes = "goes" if len(data) == 1 else "go"
            raise UserError(
                f"{' and '.join(map(str, data))} {goes} from {there}, and {self.folder} was trained from {here};"
                " name a run of that pair"
            )
        for note in notes:
            log.info(note)
        return pairs

    def prediction_type(self) -> type[Prediction]:
        """A `Translation`."""
        return Translation

    def predict(self, model: nn.Module, inputs: Sequence[str], options: Options) -> list[Prediction]:
        """The translation of each text, with its probability; of an empty one an empty one.

        Raises:
            UserError: `file` is given beside the texts.
        """
        return list(self.stream(model, inputs, options))

    def batches(self, options: Options) -> bool:
        """Not where translations are drawn."""
        return options.temperature == 0

    def stream(self, model: nn.Module, inputs: Sequence[str], options: Options) -> Iterator[Prediction]:
        """The same one by one, in order; where there are no texts, for each line of a file or of standard input.

        Lines that are there are translated together, and none is waited for.
        """
        from elman.data.io.lines import STANDARD_INPUT, arriving_lines

        if inputs and options.file is not None:
            raise UserError("texts and `file` are both given; leave one of the two out")
        file = STANDARD_INPUT if options.file is None else options.file
        if not inputs and file == STANDARD_INPUT and sys.stdin.isatty():
            log.info("type one text a line; Ctrl-D ends")
        groups = [list(inputs)] if inputs else arriving_lines(file, TOGETHER)
        number = 0
        for texts in groups:
            for text, found in zip(texts, self._translated(model, texts, options, number), strict=True):
                number += 1
                yield self._prediction(model, text, found, options)

    def _translated(
        self, model: nn.Module, texts: Sequence[str], options: Options, before: int
    ) -> list[Hypothesis | None]:
        """What is written for each text, None for an empty one; texts of unusual length are named."""
        from elman.models.seq2seq import Translator
        from elman.tasks.translation.steps import translate

        assert isinstance(model, Translator)
        full = [i for i, text in enumerate(texts) if text.strip()]
        sources = self.codes.read([texts[i].strip() for i in full])
        for place, i in enumerate(full):
            sources[place] = self._cut(sources[place], before + i + 1)
        found = translate(model, sources, self.codes, options.decoding(UNLIMITED), options.seed + before)
        written: list[Hypothesis | None] = [None] * len(texts)
        for i, (best, *_) in zip(full, found, strict=True):
            written[i] = best
        return written

    def _cut(self, source: Ids, number: int) -> Ids:
        import numpy as np

        length, usual = len(source) - 1, self.longest
        if length <= usual:
            return source
        cut = f", and what follows token {MOST:,} is not read" if length > MOST else ""
        log.warning(
            f"text {number} has {length:,} tokens, and the longest in training had {usual:,}: "
            f"expect a poor translation{cut}"
        )
        return source if length <= MOST else np.append(source[:MOST], source[-1])

    def _prediction(self, model: nn.Module, text: str, found: Hypothesis | None, options: Options) -> Translation:
        if found is None:
            return Translation(text, "", 0.0, True)
        from elman.tasks.translation.alignment import aligned

        written = self.codes.target.decode(found.tokens).strip()
        wanted = options.alignment and self.settings.attention != "none"
        alignment = aligned(model, self.codes, text, found) if wanted else None
        draw = partial(self._draw, model, text, found)
        return Translation(text, written, found.log_probability, found.ended, alignment, draw)

    def _draw(self, model: nn.Module, text: str, found: Hypothesis, path: Path) -> tuple[Path, ...]:
        from elman.tasks.translation.alignment import draw_aligned

        if self.settings.attention == "none":
            raise UserError(f"`out` draws attention, and {self.folder} was trained with `attention=none`; leave it out")
        return draw_aligned(model, self.codes, text, found, path)

    def inspection_example(self, model: nn.Module, text: str) -> InspectionExample:
        """A text to look at: the decoder's steps while it writes its own greedy translation.

        Raises:
            UserError: the text is empty.
        """
        import torch

        from elman.insight.example import BEGIN, InspectionExample
        from elman.models.decoding.config import Decoding
        from elman.models.seq2seq import Translator
        from elman.tasks.translation.steps import translate

        assert isinstance(model, Translator)
        if not text.strip():
            raise UserError("the text is empty; give one to translate")
        (source,) = self.codes.read([text.strip()])
        ((found,),) = translate(model, [source], self.codes, Decoding(max_length=UNLIMITED))
        marks = self.codes.target
        given = torch.tensor([marks.bos, *found.tokens]).unsqueeze(1)
        targets = torch.tensor([*found.tokens, marks.eos])
        inputs = {
            "source": torch.from_numpy(source).unsqueeze(1),
            "lengths": torch.tensor([len(source)]),
            "tokens": given,
        }
        names = (BEGIN, *(marks.decode([token]) for token in found.tokens))
        about = f"C is the cost of the network's own translation: {marks.decode(found.tokens).strip()}"
        layer = "decoder.layer" if model.upper_decoder is None else "upper_decoder.layer"
        return InspectionExample(inputs, names, targets, about, layer=layer)
