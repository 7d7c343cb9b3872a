"""What the task `sentiment` can be told: in training, and in prediction."""

# Annotations here are evaluated: the command line reads them.

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from elman.errors import UserError
from elman.models.config import Readout
from elman.tasks.classification.settings import EnsembleSettings
from elman.training.checks.ranges import SHARE, TOKENS, UNITS, Range, Ranges, check_fields


@dataclass(frozen=True, kw_only=True)
class Settings(EnsembleSettings):
    """A text classifier and its training."""

    by_data: ClassVar[Mapping[str, Any]] = {
        "tokens": "auto",
        "ngrams": "auto",
        "members": 0,
        "folds": -1,
        "hidden_size": 0,
        "embedding_size": 0,
        "dropout": -1,
        "word_dropout": -1,
        "steps": 0,
        "batch_size": 0,
        "lr": 0,
        "eval_every": 0,
    }
    """Settings found from the data, and what leaves each open: see `auto`."""

    data: str = "sst2"
    """sst2, sst5, trec, imdb, yelp; or a .csv, .tsv or .jsonl file; or a folder of class folders."""
    text_column: str | None = None
    """The column of a file that has the text; found by its usual names otherwise. A number where no line names them."""
    label_column: str | None = None
    """The column that has the class; found by its usual names otherwise. A number where no line names them."""
    tokens: Literal["auto", "words", "bpe", "characters"] = "auto"
    """What the text is cut into; auto: words, or characters where a text is hardly more than one word."""
    ngrams: Literal["auto", "beside", "none"] = "auto"
    """beside: tf-idf of one and two words (one to four characters) and logistic regression, joined with the network by
    weights that do best on the validation part; none: the network alone; auto: beside, unless the texts are very
    long."""
    vocabulary_size: int = 20000
    """How many different tokens, at most."""
    min_count: int = 1
    """Words that are rarer in the training part are taken for unknown."""
    lowercase: bool = True
    """Read capitals as small letters."""
    max_length: int = 400
    """Of a longer text the last so many tokens are read."""
    embedding_size: int = 0
    """Size of the vector that stands for a token; 0: by what the tokens are."""
    validation_sample: int = 0
    """Texts of the validation part that training looks at, spread evenly over it; 0: all of them."""
    vectors: str | None = None
    """Text file of word vectors (GloVe, word2vec) to begin with; their size is `embedding_size`."""
    word_dropout: float = -1
    """Share of tokens that are taken for unknown, anew at every step; -1: by what the tokens are."""
    readout: Readout = "max"
    """What is read of the states: the last one, or the mean, sum, maximum, mean and maximum side by side, or
    attention-weighted mean of all."""
    bidirectional: bool = True
    """Also read from the end to the beginning."""
    dropout: float = -1
    """Share of values dropped between layers, at the input and at the output; -1: by what the tokens are."""
    hidden_size: int = 0
    """Hidden units of each layer and direction; 0: by the number of texts."""
    steps: int = 0
    """Optimiser steps in all; 0: by the number of texts."""
    lr: float = 0
    """Peak learning rate of AdamW; 0: by what the tokens are."""
    batch_size: int = 0
    """Texts in one step, over all processes together; 0: by their number."""
    eval_every: int = 0
    """Steps between two looks at the validation part; 0: a tenth of `steps`, or with `folds` at the end alone."""

    RANGES: ClassVar[Ranges] = {
        **dict.fromkeys(("vocabulary_size", "min_count", "max_length"), TOKENS),
        "embedding_size": UNITS,
        "word_dropout": SHARE,
        "validation_sample": Range(0, 1e15),
    }
    """What each number may be."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.vectors and self.tokens not in ("words", "auto"):
            raise UserError(f"`vectors` are of words, and `tokens` is {self.tokens}; leave one of the two out")

    def own_sources(self) -> tuple[str, ...]:
        """The labelled texts, where no dataset is named, and the word vectors."""
        from elman.data.text.classification import NAMES

        return (*(() if self.data in NAMES else ("data",)), "vectors")


@dataclass(frozen=True, kw_only=True)
class Options:
    """What `elman predict` can be told of a text classifier."""

    file: str | None = None
    """A file with a text in each line, or a folder of .txt files with a text each; - reads standard input. Their texts
    are answered without `opinion`."""
    opinion: bool = True
    """Also say what the network thinks after each token."""

    def __post_init__(self) -> None:
        check_fields(self)
