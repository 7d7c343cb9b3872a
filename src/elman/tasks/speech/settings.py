"""What the task speech can be told: in training, and in prediction."""

# Annotations here are evaluated: the command line reads them from another module.

from dataclasses import dataclass
from typing import ClassVar, Literal

from elman.errors import UserError
from elman.models.config import InitSetting, Readout
from elman.tasks.classification.settings import ClassifierSettings
from elman.training.checks.ranges import BEAM, SHARE, Range, Ranges, check_fields

FSDD = "fsdd"


@dataclass(frozen=True, kw_only=True)
class Settings(ClassifierSettings):
    """A network that listens, and its training."""

    data: str = FSDD
    """fsdd; or a folder of sound files with one .csv file that has the columns file and transcript, or with a folder
    for each word."""
    answer: Literal["class", "symbols"] = "class"
    """Which of the transcripts it is, as a whole; or its symbols one after the other."""
    symbols: Literal["auto", "words", "characters"] = "auto"
    """What a transcript is made of; auto: words for fsdd, characters for a folder."""
    speaker: str = ""
    """Keep all recordings of this speaker for the test: a voice never heard."""
    without: str = ""
    """Leave all recordings of this speaker out, as if there were none."""
    join: int | None = None
    """symbols: join up to so many recordings of a speaker, anew at every step; fsdd: 10, a folder: 1 (never)."""
    pause: float = 0.3
    """Longest pause before, between and after joined recordings, in seconds."""
    join_gain: float = 6.0
    """How much louder or softer each of the joined recordings is, at most, in decibels."""
    vary_speed: float = 0.15
    """In training, play recordings faster or slower by up to this share; the pitch goes along."""
    vary_gain: float = 6.0
    """In training, make recordings louder or softer by up to so many decibels."""
    vary_hiss: float = 0.003
    """In training, add noise of up to this standard deviation (full scale is 1)."""
    vary_tract: float = 0.0
    """In training, make the vocal tract longer or shorter by up to this share, with the pitch as it is."""
    vary_tempo: float = 0.0
    """In training, speak faster or slower by up to this share, with the pitch as it is."""
    vary_ends: float = 0.0
    """In training, cut up to this share off the beginning and off the end, or let them last so much longer."""
    rate: int = 8000
    """Samples a second to which all sound is brought."""
    bands: int = 40
    """Bands of the log-mel spectrum."""
    cepstra: int = 0
    """Read so many cepstral coefficients (MFCC) in place of the bands, which hides the pitch; 0 reads the bands."""
    normalise: Literal["recording", "training"] = "training"
    """Scale the spectrum by each recording's own mean and size (helps with new voices), or by the training part's."""
    floor: float = 0.0
    """recording: what is so many decibels softer than a recording's loudest band is silence, left out at both ends; 0
    for none of this."""
    stack: int = 3
    """Frames of 10 ms that make one step."""
    max_seconds: float = 60.0
    """Longer recordings are left out of training and evaluation."""
    bidirectional: bool = True
    """Also read from the end to the beginning; without it a recording can be transcribed while it goes on."""
    readout: Readout = "max"
    """class: what is read of the states: the last one, or the mean, sum, maximum or attention-weighted mean of all."""
    hidden_size: int = 128
    """Hidden units of each layer and direction."""
    dropout: float = 0.2
    """Share of values dropped between layers, at the input and at the output."""
    init: InitSetting = "auto"
    """How the recurrent matrix begins; a number is its spectral radius; auto: orthogonal, for gated cells uniform."""
    batch_size: int = 32
    """Recordings, or strings of them, in one step, over all processes together."""

    RANGES: ClassVar[Ranges] = {
        "join": Range(1, 1000),
        "pause": Range(0, 60),
        **dict.fromkeys(("join_gain", "vary_gain", "floor"), Range(0, 200)),
        "vary_hiss": Range(0, 1),
        **dict.fromkeys(("vary_speed", "vary_tract", "vary_tempo"), SHARE),
        "vary_ends": Range(0, 0.5, below=True),
        "rate": Range(1000, 384_000),
        "bands": Range(1, 1000),
        "cepstra": Range(0, 1000),
        "stack": Range(1, 1000),
        "max_seconds": Range(0, 1e6),
    }
    """What each number may be."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.cepstra <= self.bands:
            raise UserError(f"`cepstra` is {self.cepstra}; it must be from 0 to `bands`, which is {self.bands}")
        if self.floor and self.normalise != "recording":
            raise UserError(
                "`floor` needs the loudest of a whole recording; add `normalise=recording`, or leave it out"
            )
        if self.without and self.without == self.speaker:
            raise UserError(f"`speaker` and `without` are both {self.speaker!r}; name two speakers, or leave one out")

    def own_sources(self) -> tuple[str, ...]:
        """The recordings, where no dataset is named."""
        return () if self.data == FSDD else ("data",)

    @property
    def kind(self) -> str:
        """What symbols are."""
        return ("words" if self.data == FSDD else "characters") if self.symbols == "auto" else self.symbols

    @property
    def joined(self) -> int:
        """How many recordings are joined at most."""
        return (10 if self.data == FSDD else 1) if self.join is None else self.join


@dataclass(frozen=True, kw_only=True)
class Options:
    """What `elman predict` can be told of a run that listens."""

    beam: int = 1
    """symbols: keep so many prefixes and find the likeliest text; 1 takes the best symbol of each step."""
    stream: bool = False
    """symbols, one direction: show the text on standard error while the file is read."""

    RANGES: ClassVar[Ranges] = {"beam": BEAM}
    """What each number may be."""

    def __post_init__(self) -> None:
        check_fields(self)
        if self.stream and self.beam > 1:
            raise UserError("`stream` writes each symbol as it is heard, and `beam` may change its mind; leave one out")
