"""What the task `sentiment` can be told: in training, and in prediction."""

# Annotations here are evaluated: the command line reads them.

from dataclasses import dataclass
from typing import ClassVar, Literal

from elman.errors import UserError
from elman.models.config import Readout
from elman.tasks.classification.settings import ClassifierSettings
from elman.training.checks.ranges import SHARE, TOKENS, UNITS, Ranges, check_fields


@dataclass(frozen=True, kw_only=True)
class Settings(ClassifierSettings):
    """A text classifier and its training."""

    data: str = "sst2"
    """sst2, sst5, trec, imdb, yelp; or a .csv, .tsv or .jsonl file; or a folder of class folders."""
    text_column: str | None = None
    """The column of a file that has the text; found by its usual names otherwise. A number where no line names them."""
    label_column: str | None = None
    """The column that has the class; found by its usual names otherwise. A number where no line names them."""
    tokens: Literal["words", "bpe", "characters"] = "words"
    """What the text is cut into."""
    vocabulary_size: int = 20000
    """How many different tokens, at most."""
    min_count: int = 1
    """Words that are rarer in the training part are taken for unknown."""
    lowercase: bool = True
    """Read capitals as small letters."""
    max_length: int = 400
    """Of a longer text the last so many tokens are read."""
    embedding_size: int = 128
    """Size of the vector that stands for a token."""
    vectors: str | None = None
    """Text file of word vectors (GloVe, word2vec) to begin with; their size is `embedding_size`."""
    word_dropout: float = 0.1
    """Share of tokens that are taken for unknown, anew at every step."""
    readout: Readout = "max"
    """What is read of the states: the last one, or the mean, sum, maximum or attention-weighted mean of all."""
    bidirectional: bool = True
    """Also read from the end to the beginning."""
    dropout: float = 0.5
    """Share of values dropped between layers, at the input and at the output."""

    RANGES: ClassVar[Ranges] = {
        **dict.fromkeys(("vocabulary_size", "min_count", "max_length"), TOKENS),
        "embedding_size": UNITS,
        "word_dropout": SHARE,
    }
    """What each number may be."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.vectors and self.tokens != "words":
            raise UserError(f"`vectors` are of words, and `tokens` is {self.tokens}; leave one of the two out")

    def own_sources(self) -> tuple[str, ...]:
        """The labelled texts, where no dataset is named, and the word vectors."""
        from elman.data.text.classification import NAMES

        return (*(() if self.data in NAMES else ("data",)), "vectors")


@dataclass(frozen=True, kw_only=True)
class Options:
    """What `elman predict` can be told of a text classifier."""

    opinion: bool = True
    """Also say what the network thinks after each token."""

    def __post_init__(self) -> None:
        check_fields(self)
