"""What the task `language` can be told: in training, and in prediction."""

# Annotations here are evaluated: the command line reads them.

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from elman.errors import UserError
from elman.models.config import InitSetting
from elman.training.checks.ranges import SEED, SHARE, TEMPERATURE, TOKENS, TOP_K, UNITS, Range, Ranges, check_fields
from elman.training.recurrent_settings import RecurrentSettings

if TYPE_CHECKING:
    from elman.kernels.decoder import SamplingParams


@dataclass(frozen=True, kw_only=True)
class Settings(RecurrentSettings):
    """A language model and its training."""

    data: tuple[str, ...] = ("shakespeare",)
    """Text files (.gz, .zst too), patterns such as texts/*.txt, or a name: shakespeare, ptb, builtin (Python's own)."""
    tokens: Literal["characters", "bpe", "words"] = "characters"
    """What the text is cut into."""
    vocabulary_size: int = 4000
    """How many different tokens, for bpe and words; characters take all there are."""
    validation_share: float = 0.1
    """The last part of the text, held out."""
    validation_sample: int = 0
    """About so many tokens of the held-out part are looked at by training, in 16 passages of equal length spread
    evenly over it; 0: all of them."""
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

    RANGES: ClassVar[Ranges] = {
        "vocabulary_size": TOKENS,
        "validation_share": SHARE,
        "validation_sample": Range(0, 1e15),
        "embedding_size": UNITS,
        "chunk": TOKENS,
    }
    """What each number may be."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.tied and self.embedding_size != self.hidden_size:
            sizes = f"`embedding_size` is {self.embedding_size} and `hidden_size` {self.hidden_size}"
            raise UserError(f"`tied` shares one matrix between input and output, but {sizes}; make them equal")
        if not self.data:
            raise UserError("`data` names nothing; give a text file or a dataset such as shakespeare")

    def own_sources(self) -> tuple[str, ...]:
        """The text files, where no dataset is named."""
        from elman.data.text.corpora import names_a_corpus

        return () if names_a_corpus(self.data) else ("data",)


@dataclass(frozen=True, kw_only=True)
class Options:
    """What `elman predict` can be told of a language model; `elman sample` has more."""

    length: int = 200
    """Tokens to write after each prompt."""
    temperature: float = 0.8
    """Below 1 more careful, above 1 bolder, 0 always the likeliest."""
    top_k: int = 0
    """Choose among this many likeliest tokens; 0: all."""
    top_p: float = 1.0
    """Choose among the likeliest that make up this probability."""
    seed: int = 1
    """The same seed writes the same text."""

    RANGES: ClassVar[Ranges] = {
        "length": TOKENS,
        "temperature": TEMPERATURE,
        "top_k": TOP_K,
        "top_p": Range(0, 1, above=True),
        "seed": SEED,
    }
    """What each number may be."""

    def __post_init__(self) -> None:
        check_fields(self)

    def params(self) -> "SamplingParams":
        """How a token is drawn."""
        from elman.kernels.decoder import SamplingParams

        return SamplingParams(self.temperature, self.top_k, self.top_p, self.seed)
