"""What the task `captioning` can be told: in training, and in prediction."""

# Annotations here are evaluated: the command line reads them.

from dataclasses import dataclass
from typing import ClassVar, Literal

from elman.data.image.dataset import FLICKR8K
from elman.training.checks.ranges import (
    BEAM,
    LENGTH_PENALTY,
    PART,
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
    """A captioner and its training."""

    data: str = FLICKR8K
    """flickr8k; or a folder of pictures; or a file of features (.npz, .npy, .safetensors)."""
    captions: str = ""
    """The file with the captions of your own pictures."""
    features: str = ""
    """A file of features to take in place of looking at the pictures."""
    feature_as: Literal["first", "state", "every", "first+state"] = "first"
    """Where the picture is given: as the first input, as the first state, or beside the word at every step."""
    min_count: int = 4
    """Words that are rarer are left out of the vocabulary."""
    embedding_size: int = 256
    """Numbers that stand for a word."""
    tied: bool = True
    """Use the embedding as the output layer's weights too."""
    label_smoothing: float = 0.0
    """Share of the probability that training spreads over all words."""
    longest: int = 30
    """Words after which a caption is cut, in training and in writing."""
    beam: int = 3
    """Unfinished captions kept side by side in evaluation."""
    length_penalty: float = 0.7
    """Captions are compared by log-probability / length^this."""
    validation_share: float = 0.1
    """Share of the pictures held out to choose the best weights, where the data name no validation part."""
    hidden_size: int = 512
    """Hidden units of each layer."""
    dropout: float = 0.5
    """Share of values dropped between layers, at the input and at the output."""
    steps: int = 3000
    """Optimiser steps in all."""
    lr: float = 1e-3
    """Peak learning rate of AdamW."""
    eval_every: int = 500
    """Steps between two looks at the validation part."""

    RANGES: ClassVar[Ranges] = {
        "min_count": TOKENS,
        "embedding_size": UNITS,
        "label_smoothing": SHARE,
        "longest": Range(1, 10_000),
        "beam": BEAM,
        "length_penalty": LENGTH_PENALTY,
        "validation_share": PART,
    }
    """What each number may be."""

    def own_sources(self) -> tuple[str, ...]:
        """The pictures, their captions and their features."""
        return (*(() if self.data == FLICKR8K else ("data",)), "captions", "features")


@dataclass(frozen=True, kw_only=True)
class Options:
    """How captions are written and shown."""

    beam: int | None = None
    """Unfinished captions kept side by side; the run's own number otherwise."""
    temperature: float = 0.0
    """Draw words at this temperature in place of looking for the best caption."""
    top_k: int = 0
    """Draw among this many most probable words; 0 is all."""
    seed: int = 1
    """Of drawn captions."""
    explain: bool = False
    """Show how probable each word was, and what would have been the next best."""

    RANGES: ClassVar[Ranges] = {"beam": BEAM, "temperature": TEMPERATURE, "top_k": TOP_K, "seed": SEED}
    """What each number may be."""

    def __post_init__(self) -> None:
        check_fields(self)
