"""The task `language`: a text, its vocabulary, the language model, and what it writes."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from elman.errors import UserError
from elman.tasks.language.prediction import Continuation
from elman.tasks.language.settings import Options, Settings
from elman.training.progress import display
from elman.training.report import Report
from elman.training.task import Carry, Loss, Prediction
from elman.training.task import Task as BaseTask

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray
    from torch import Tensor, nn

    from elman.data.description.facts import Description
    from elman.data.text.bptt import Streams
    from elman.data.text.corpora import TextCorpus
    from elman.data.text.encoded_cache import EncodedText
    from elman.data.text.large_corpus import LargeCorpus
    from elman.data.text.vocabulary import Vocabulary
    from elman.insight.example import InspectionExample
    from elman.kernels.decoder import SamplingParams
    from elman.training.predicting.input_stream import InputStream


VOCABULARY = "vocabulary.json"
PASSAGES = 16
"""Parts of the validation text that are read side by side."""
SHORT = 2_000
"""Tokens that `elman.runtime` writes about as soon as torch is imported."""


class Task(BaseTask[Settings]):
    """A language model on one text."""

    name = "language"
    looks_at_end = 0
    inputs = "prompts"
    predict_example = ("The ",)
    options_type = Options

    def __init__(self, settings: Settings, folder: Path | None = None) -> None:
        super().__init__(settings, folder)
        self.unit = "chars" if settings.tokens == "characters" else "tokens"
        self.loss_unit = "nats per character" if settings.tokens == "characters" else "nats per token"

    @cached_property
    def corpus(self) -> TextCorpus | LargeCorpus:
        """The training and the validation text."""
        from elman.data.text.corpora import open_corpus

        return open_corpus(self.settings.data, self.settings.validation_share)

    @cached_property
    def vocabulary(self) -> Vocabulary:
        """The run's own, or one learned from the training text."""
        return self.corpus.build_vocabulary(self.settings.tokens, self.settings.vocabulary_size)

    @cached_property
    def encoded(self) -> EncodedText:
        """The two texts as numbers."""
        return self.corpus.encode(self.vocabulary)

    @cached_property
    def streams(self) -> Streams:
        """The training text as parallel streams."""
        from elman.data.text.bptt import Streams

        return Streams(_as_ids(self.encoded.training), self.settings.effective_batch_size, self.settings.chunk)

    def understood(self, *, whole: bool = False) -> Description | None:
        """The text in memory; a large one is not read for it, but for its beginning where it is only described."""
        from elman.data.description.texts import describe_corpus
        from elman.data.text.corpora import TextCorpus, read_corpus

        s = self.settings
        if whole:
            return describe_corpus(s.data, *read_corpus(s.data, s.validation_share), whole=True)
        return describe_corpus(s.data, *self.corpus.parts) if isinstance(self.corpus, TextCorpus) else None

    def learned_from(self) -> dict[str, Iterable[Any]]:
        """Both texts, or the files of a large one."""
        return self.corpus.contents()

    def prepare(self) -> None:
        """Read and check everything that training needs."""
        _ = self.streams
        self.streams_of_validation(1)

    def streams_of_validation(self, streams: int, sample: int = 0) -> Streams:
        """The validation text in so many parts, or fewer where it is short.

        Arguments:
            sample: how many of its tokens, in 16 passages spread evenly over it; 0 for all.
        """
        from elman.data.text.bptt import Streams, spread_passages

        ids = self.encoded.validation
        if 0 < sample < len(ids):
            ids = spread_passages(ids, sample, PASSAGES)
        return Streams(_as_ids(ids), max(1, min(streams, len(ids) // 64)), min(1024, max(1, len(ids) - 1)))

    def save(self, folder: Path) -> None:
        """Write the vocabulary."""
        self.vocabulary.save(folder / VOCABULARY)

    def restore(self, folder: Path) -> None:
        """Read the vocabulary."""
        from elman.data.text.saved import load_vocabulary

        self.vocabulary = load_vocabulary(folder / VOCABULARY, self.settings.tokens)

    def build_model(self) -> nn.Module:
        """Embedding, recurrent part and output layer."""
        from elman.models.language_model import LanguageModel

        s = self.settings
        return LanguageModel(len(self.vocabulary), s.shape(s.embedding_size), dropout=s.dropout, tied=s.tied)

    def batch(self, step: int, rank: int, world: int) -> tuple[Tensor, Tensor, bool]:
        """Inputs and targets (T, B) of the next chunk, and whether it is the first of an epoch."""
        inputs, targets, first = self.streams.chunk(step)
        share = slice(rank * inputs.shape[1] // world, (rank + 1) * inputs.shape[1] // world)
        return inputs[:, share], targets[:, share], first

    def loss(self, model: nn.Module, batch: tuple[Tensor, Tensor, bool], carry: Carry) -> Loss:
        """Cross-entropy of the next token; the state goes on to the next chunk."""
        from elman.data.batching import IGNORE_INDEX
        from elman.models.recurrent import cut

        inputs, targets, first = batch
        device = next(model.parameters()).device
        carried = () if first or not self.settings.carry else carry
        total, state = model(inputs.to(device), carried, targets.to(device))
        return Loss(total, int((targets != IGNORE_INDEX).sum()), cut(state))

    def evaluate(self, model: nn.Module, streams: int = PASSAGES) -> dict[str, float]:
        """Loss on the validation text, the state carried through each of `streams` parts of it.

        With one stream every character of it is predicted from all that stand before it; with several it is quicker,
        and of a large text the setting `validation_sample` may leave most out.
        """
        from elman.data.batching import IGNORE_INDEX

        device = next(model.parameters()).device
        parts = self.streams_of_validation(streams, self.settings.validation_sample if streams > 1 else 0)
        nats, count, state = 0.0, 0, ()
        with display().counting("judging, pieces of text", parts.chunks_per_epoch) as counted:
            for step in range(parts.chunks_per_epoch):
                inputs, targets, _ = parts.chunk(step)
                total, state = model(inputs.to(device), state, targets.to(device))
                nats, count = nats + float(total), count + int((targets != IGNORE_INDEX).sum())
                counted(step + 1)
        loss = nats / count
        per_character = loss
        if self.settings.tokens != "characters":
            whole = len(self.encoded.validation) - 1  # what is left out has as many characters a token
            per_character = nats * (whole / count) / max(1, self.encoded.validation_characters - 1)
        metrics = {"loss": loss, "perplexity": math.exp(min(loss, 700.0))}
        return metrics | {"nats_per_char": per_character, "bits_per_char": per_character / math.log(2)}

    def examine(self, model: nn.Module, *data: Path) -> Report:
        """The exact metrics: the validation text as one stream."""
        if data:
            return super().examine(model, *data)
        return Report({f"validation_{name}": value for name, value in self.evaluate(model, streams=1).items()})

    def sample(
        self, model: nn.Module, prompt: str, length: int, params: SamplingParams, *, bfloat16: bool = False
    ) -> Iterator[str]:
        """Text that goes on from the prompt, piece by piece as it is written.

        Arguments:
            length: tokens to write.
            params: how a token is drawn; the same seed writes the same text.
            bfloat16: round the weights to bfloat16, for speed.

        Raises:
            UserError: the prompt has characters that the vocabulary lacks.
        """
        import torch

        from elman.models.decoding.sampling import generate
        from elman.models.language_model import LanguageModel

        assert isinstance(model, LanguageModel)
        ids = self.vocabulary.encode(prompt) or self._beginning  # of blanks there may be no token
        tokens = torch.tensor(ids, device=next(model.parameters()).device)
        written = (int(token) for token in generate(model, tokens, length, params, bfloat16=bfloat16))
        return self.vocabulary.pieces(written)

    @property
    def _beginning(self) -> list[int]:
        """What stands before a text that begins: a line break; in a vocabulary without one a blank, else any token."""
        for character in ("\n", " "):
            if self.settings.tokens == "characters" and character not in self.vocabulary:
                continue
            if ids := self.vocabulary.encode(character):
                return ids
        return [0]

    @property
    def inspection_input(self) -> str:
        """A text of at least two tokens that the vocabulary has."""
        for text in ("The end", "the end"):
            with contextlib.suppress(UserError):
                self.vocabulary.encode(text)
                return text
        return self.vocabulary.decode(range(max(len(self.vocabulary) - 2, 0), len(self.vocabulary)))

    def inspection_example(self, model: nn.Module, text: str) -> InspectionExample:
        """A text to look at: y_t should be the token after the t-th, and after the last there is none.

        Raises:
            UserError: fewer than two tokens, or characters that the vocabulary lacks.
        """
        import torch

        from elman.data.batching import IGNORE_INDEX
        from elman.insight.example import InspectionExample

        ids = self.vocabulary.encode(text)
        if len(ids) < 2:
            raise UserError(f"the text has {len(ids)} tokens; give at least two: one to read and one to foretell")
        device = next(model.parameters()).device
        targets = torch.tensor([*ids[1:], IGNORE_INDEX], device=device)
        tokens = tuple(self.vocabulary.written(text))
        return InspectionExample({"tokens": torch.tensor(ids, device=device).unsqueeze(1)}, tokens, targets)

    def prediction_type(self) -> type[Prediction]:
        """A `Continuation`."""
        return Continuation

    def predict(self, model: nn.Module, inputs: Sequence[str], options: Options) -> list[Prediction]:
        """Each prompt and how the model goes on from it."""
        params = options.params()
        written = ["".join(self.sample(model, text, options.length, params)) for text in inputs]
        return [Continuation(prompt, text) for prompt, text in zip(inputs, written, strict=True)]

    @classmethod
    def suits_runtime(cls, options: Options, count: int) -> bool:
        """Not for a long text, which several cores write."""
        return count * options.length <= SHORT

    def open_stream(self, model: nn.Module, options: Options) -> InputStream:
        """Prompts that come one after the other: the text goes on after each, and the state is carried."""
        from elman.models.language_model import LanguageModel
        from elman.tasks.language.streaming import WritingStream

        assert isinstance(model, LanguageModel)
        return WritingStream(model, self.vocabulary, self._beginning, options)

    def show(self, predictions: Sequence[Prediction]) -> str:
        """The texts with an empty line between."""
        return "\n\n".join(prediction.show() for prediction in predictions)


def _as_ids(ids: NDArray[Any]) -> Tensor | NDArray[Any]:
    """A tensor of what lies in memory; what is mapped from a file stays there."""
    import torch

    return torch.from_numpy(ids) if ids.dtype.itemsize == 8 else ids
