"""What the task translation can be told: in training, and in prediction."""

# Annotations here are evaluated: the command line reads them from another module.

from dataclasses import dataclass
from typing import ClassVar, Literal

from elman.errors import UserError
from elman.models.config import InitSetting
from elman.models.decoding.config import Decoding
from elman.training.checks.ranges import (
    BEAM,
    LENGTH_PENALTY,
    SEED,
    SHARE,
    TEMPERATURE,
    TOKENS,
    TOP_K,
    UNITS,
    Range,
    Ranges,
    check_fields,
)
from elman.training.recurrent_settings import RecurrentSettings


@dataclass(frozen=True, kw_only=True)
class Settings(RecurrentSettings):
    """An encoder and a decoder, and their training."""

    data: tuple[str, ...] = ("multi30k-en-de",)
    """multi30k-en-de, -en-fr, -de-en or -fr-en; or FILE.tsv (a sentence, a tab, its translation); or two text files."""
    validation_share: float = 0.05
    """Share of your own pairs that is held out."""
    vocabulary_size: int = 5000
    """How many different tokens (byte-level BPE) each side has, at most."""
    lowercase: bool = False
    """Read and write small letters only."""
    max_length: int = 100
    """Training pairs with a longer side, in tokens, are left out."""
    attention: Literal["none", "dot", "additive"] = "dot"
    """none: all that the decoder knows of the input is the encoder's last state (the lecture's scheme)."""
    feed: Literal["none", "last", "mean", "max"] = "last"
    """Without attention: what every step of the decoder is given of the encoder, beside its own first state: nothing,
    the last state, or the mean or maximum of all states."""
    bidirectional: bool = True
    """The encoder also reads from the end; each direction has half of the hidden units."""
    embedding_size: int = 256
    """Size of the vector that stands for a token."""
    tied: bool = True
    """Share one matrix between the decoder's input and output layer."""
    teacher_forcing: float = 1.0
    """Share of the right words that the decoder is given at the end of training; for the others it is given its own
    (scheduled sampling, all steps at once)."""
    teacher_forcing_schedule: Literal["constant", "linear", "sigmoid"] = "linear"
    """How that share comes down from 1: not (it is so from the start), in a line, or along an inverse sigmoid."""
    label_smoothing: float = 0.1
    """Share of the target's probability that is spread over all tokens."""
    hidden_size: int = 512
    """Hidden units of each layer."""
    layers: int = 1
    """Recurrent layers of encoder and decoder; with attention, those above the decoder's first go on from what it
    saw."""
    init: InitSetting = "auto"
    """How the recurrent matrix begins; a number is its spectral radius; auto: orthogonal, for gated cells uniform."""
    dropout: float = 0.3
    """Share of units dropped at the inputs, between layers, of what the encoder gives and at the output."""
    steps: int = 5000
    """Optimiser steps in all; an epoch of Multi30k has 454 at the default batch."""
    lr: float = 1.5e-3
    """Peak learning rate of AdamW."""
    eval_every: int = 500
    """Steps between two looks at the validation part, which is translated greedily for its BLEU."""
    checkpoint_every: int = 500
    """Steps between two checkpoints to resume from."""

    RANGES: ClassVar[Ranges] = {
        "validation_share": SHARE,
        "vocabulary_size": TOKENS,
        "max_length": TOKENS,
        "embedding_size": UNITS,
        "teacher_forcing": Range(0, 1),
        "label_smoothing": SHARE,
    }
    """What each number may be."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.bidirectional and self.hidden_size % 2:
            raise UserError(f"`hidden_size` is {self.hidden_size}, and two directions need an even number; change it")
        if not 1 <= len(self.data) <= 2:
            raise UserError(f"`data` names {len(self.data)} things; give a dataset, one .tsv file, or two text files")

    def own_sources(self) -> tuple[str, ...]:
        """The pairs, where no dataset is named."""
        from elman.data.text.parallel import MULTI30K

        return () if len(self.data) == 1 and self.data[0] in MULTI30K else ("data",)


@dataclass(frozen=True, kw_only=True)
class Options:
    """What `elman predict` can be told of a translator."""

    file: str | None = None
    """A file with a text in each line; - reads standard input, as do no texts at all."""
    beam: int = 5
    """How many unfinished translations are kept side by side; 1 is greedy."""
    length_penalty: float = 1.0
    """Translations are compared by log-probability over length to this power; 0 favours short ones."""
    temperature: float = 0.0
    """Draw instead of searching: below 1 more careful, above 1 bolder; give `beam=1` with it."""
    top_k: int = 0
    """Draw among this many likeliest tokens; 0: all."""
    top_p: float = 1.0
    """Draw among the likeliest tokens that make up this probability."""
    seed: int = 1
    """The same seed draws the same translations."""
    alignment: bool = False
    """Also say, in JSON, what each token of the translation attended to."""

    RANGES: ClassVar[Ranges] = {
        "beam": BEAM,
        "length_penalty": LENGTH_PENALTY,
        "temperature": TEMPERATURE,
        "top_k": TOP_K,
        "top_p": Range(0, 1, above=True),
        "seed": SEED,
    }
    """What each number may be."""

    def __post_init__(self) -> None:
        check_fields(self)
        self.decoding(1)

    def decoding(self, max_length: int) -> Decoding:
        """The same for the search, for translations of at most so many tokens."""
        return Decoding(
            beam=self.beam,
            length_penalty=self.length_penalty,
            temperature=self.temperature,
            top_k=self.top_k,
            top_p=self.top_p,
            max_length=max_length,
        )
