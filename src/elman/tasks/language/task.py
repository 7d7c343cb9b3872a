"""The task `language`: its settings, its options, and what the training loop calls."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from elman.errors import UserError
from elman.models.config import InitSetting
from elman.training.recurrent_settings import RecurrentSettings
from elman.training.settings import at_least, below_one
from elman.training.task import Carry, Loss

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor, nn

    from elman.data.text.bptt import Streams
    from elman.data.text.vocabulary import Vocabulary
    from elman.insight.example import InspectionExample
    from elman.models.decoding.config import Choice
    from elman.training.run_folder import RunFolder


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Settings(RecurrentSettings):
    """A language model and its training."""

    data: Annotated[tuple[str, ...], Parameter(consume_multiple=True, negative="")] = ("shakespeare",)
    """Text files, or one name: shakespeare, ptb, builtin (text that every Python carries)."""
    tokens: Literal["characters", "bpe", "words"] = "characters"
    """What the text is cut into."""
    vocabulary_size: int = 4000
    """How many different tokens, for bpe and words; characters take all there are."""
    validation_share: float = 0.1
    """The last part of the text, held out."""
    embedding_size: int = 128
    """Size of the vector that stands for a token."""
    tied: bool = False
    """Share one matrix between input and output layer."""
    chunk: int = 64
    """Steps through which gradients flow back (truncated backpropagation through time)."""
    carry: bool = True
    """Carry the hidden state from chunk to chunk; without it every chunk starts from zeros."""
    hidden_size: int = 512
    """Hidden units of each layer."""
    dropout: float = 0.1
    """Share of units dropped at the input, between layers and at the output, the same ones throughout a chunk."""
    init: InitSetting = "auto"
    """How the recurrent matrix begins; a number is its spectral radius; auto: orthogonal, for gated cells uniform."""
    steps: int = 5000
    """Optimiser steps in all; the default is 10 times through a text of a million characters."""
    batch_size: int = 32
    """Parallel streams of the text in one step, over all processes together."""
    eval_every: int = 500
    """Steps between two looks at the validation part."""
    checkpoint_every: int = 500
    """Steps between two checkpoints to resume from."""
    log_every: int = 50
    """Steps between two rows of metrics.csv."""

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("vocabulary_size", "embedding_size", "chunk"):
            at_least(self, name, 1)
        below_one(self, "validation_share")
        if self.tied and self.embedding_size != self.hidden_size:
            sizes = f"--embedding-size is {self.embedding_size} and --hidden-size {self.hidden_size}"
            raise UserError(f"--tied shares one matrix between input and output, but {sizes}; make them equal")
        if not self.data:
            raise UserError("--data names nothing; give a text file or a dataset such as shakespeare")


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Options:
    """What `elman predict` can be told of a language model; `elman sample` has more."""

    length: int = 200
    """Tokens to write after each prompt."""
    temperature: float = 0.8
    """Below 1 more careful, above 1 bolder, 0 always the likeliest."""
    seed: int = 1
    """The same seed writes the same text."""

    def __post_init__(self) -> None:
        at_least(self, "length", 1)


class Task:
    """A language model on one text."""

    inputs = "prompts"

    name = "language"
    metric = "loss"
    higher_is_better = False

    def __init__(self, settings: Settings, folder: Path) -> None:
        self.settings = settings
        self._saved_vocabulary = folder / "vocabulary.json"

    @property
    def unit(self) -> str:
        return "chars" if self.settings.tokens == "characters" else "tokens"

    @cached_property
    def texts(self) -> tuple[str, str]:
        """The training and the validation text."""
        from elman.data.text.corpora import read_corpus

        return read_corpus(self.settings.data, self.settings.validation_share)

    @cached_property
    def vocabulary(self) -> Vocabulary:
        from elman.data.text.vocabulary import Vocabulary

        if self._saved_vocabulary.exists():
            return Vocabulary.load(self._saved_vocabulary)
        training, validation = self.texts
        kind = self.settings.tokens
        if kind == "characters":  # of the whole text: a character met in validation alone would have no number
            return Vocabulary.build(training + validation, kind)
        return Vocabulary.build(training, kind, self.settings.vocabulary_size, special=("<unk>",))

    @cached_property
    def streams(self) -> Streams:
        """The training text as parallel streams."""
        from elman.data.text.bptt import Streams

        return Streams(self._encode(self.texts[0]), self.settings.batch_size, self.settings.chunk)

    def _encode(self, text: str) -> Tensor:
        import torch

        return torch.from_numpy(self.vocabulary.encode_array(text))

    def prepare(self) -> None:
        """Read and check everything that training needs."""
        _ = self.streams
        self.streams_of_validation(1)

    def streams_of_validation(self, streams: int) -> Streams:
        from elman.data.text.bptt import Streams

        ids = self._encode(self.texts[1])
        return Streams(ids, max(1, min(streams, len(ids) // 64)), min(1024, max(1, len(ids) - 1)))

    def save(self, folder: Path) -> None:
        self.vocabulary.save(folder / self._saved_vocabulary.name)

    def build_model(self) -> nn.Module:
        from elman.models.language_model import LanguageModel

        s = self.settings
        return LanguageModel(len(self.vocabulary), s.shape(s.embedding_size), dropout=s.dropout, tied=s.tied)

    def batch(self, step: int, rank: int, world: int) -> tuple[Tensor, Tensor, bool]:
        inputs, targets, first = self.streams.chunk(step)
        share = slice(rank * inputs.shape[1] // world, (rank + 1) * inputs.shape[1] // world)
        return inputs[:, share], targets[:, share], first

    def loss(self, model: nn.Module, batch: tuple[Tensor, Tensor, bool], carry: Carry) -> Loss:
        from elman.models.losses import token_loss
        from elman.models.recurrent import cut

        inputs, targets, first = batch
        device = next(model.parameters()).device
        logits, state = model(inputs.to(device), () if first or not self.settings.carry else carry)
        total, count = token_loss(logits, targets.to(device))
        return Loss(total, count, cut(state))

    def evaluate(self, model: nn.Module, streams: int = 16) -> dict[str, float]:
        """Loss on the whole validation text, the state carried through each of `streams` parts of it.

        With one stream every character is predicted from all that stand before it; with several it is quicker.
        """
        from elman.models.losses import token_loss

        device = next(model.parameters()).device
        parts = self.streams_of_validation(streams)
        nats, count, state = 0.0, 0, ()
        for step in range(parts.chunks_per_epoch):
            inputs, targets, _ = parts.chunk(step)
            logits, state = model(inputs.to(device), state)
            total, number = token_loss(logits, targets.to(device))
            nats, count = nats + float(total), count + number
        loss = nats / count
        per_character = nats / max(1, len(self.texts[1]) - 1) if self.settings.tokens != "characters" else loss
        metrics = {"loss": loss, "perplexity": math.exp(min(loss, 700.0))}
        return metrics | {"nats_per_char": per_character, "bits_per_char": per_character / math.log(2)}

    def report(self, model: nn.Module) -> dict[str, float]:
        """The exact figures: the validation text as one stream."""
        return self.evaluate(model, streams=1)

    def sample(
        self, model: nn.Module, prompt: str, length: int, choice: Choice, seed: int, *, bfloat16: bool = False
    ) -> Iterator[str]:
        """Text that goes on from the prompt, piece by piece as it is written.

        Arguments:
            bfloat16: round the weights to bfloat16, for speed.

        Raises:
            UserError: the prompt has characters that the vocabulary lacks.
        """
        import torch

        from elman.models.decoding.sampling import generate
        from elman.models.language_model import LanguageModel

        assert isinstance(model, LanguageModel)
        ids = self.vocabulary.encode(prompt or "\n")
        tokens = torch.tensor(ids, device=next(model.parameters()).device)
        written = (int(token) for token in generate(model, tokens, length, choice.drawing(seed), bfloat16=bfloat16))
        return self.vocabulary.pieces(written)

    def inspection_example(self, model: nn.Module, text: str) -> InspectionExample:
        """A text to look at: y_t should be the token after the t-th, and after the last there is none.

        Raises:
            UserError: fewer than two tokens, or characters that the vocabulary lacks.
        """
        import torch

        from elman.data.text.bptt import IGNORE_INDEX
        from elman.insight.example import InspectionExample

        ids = self.vocabulary.encode(text)
        if len(ids) < 2:
            raise UserError(f"the text has {len(ids)} tokens; give at least two: one to read and one to foretell")
        device = next(model.parameters()).device
        targets = torch.tensor([*ids[1:], IGNORE_INDEX], device=device)
        tokens = tuple(self.vocabulary.written(text))
        return InspectionExample({"tokens": torch.tensor(ids, device=device).unsqueeze(1)}, tokens, targets)

    def predict(self, model: nn.Module, inputs: list[str], options: Options) -> list[dict[str, Any]]:
        """Each prompt and how the model goes on from it."""
        from elman.models.decoding.config import Choice

        choice = Choice(temperature=options.temperature)
        written = ["".join(self.sample(model, text, options.length, choice, options.seed)) for text in inputs]
        return [{"prompt": prompt, "text": text} for prompt, text in zip(inputs, written, strict=True)]

    def finish(self, folder: RunFolder, model: nn.Module) -> None:
        """Draw the loss curve."""
        from elman.training.loss_curve import draw_curves

        draw_curves(folder, self.metric, f"nats per {self.unit.removesuffix('s').replace('char', 'character')}")

    def show(self, predictions: list[dict[str, Any]]) -> str:
        return "\n\n".join(f"{prediction['prompt']}{prediction['text']}" for prediction in predictions)
