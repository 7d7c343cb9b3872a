"""What the task `series` can be told: in training, and in prediction."""

# Annotations here are evaluated: the command line reads them.

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from elman.errors import UserError
from elman.models.config import InitSetting, Readout
from elman.tasks.classification.settings import EnsembleSettings
from elman.training.checks.ranges import TOKENS, Range, Ranges

ScaleSetting = Literal["auto", "channels", "all", "none", "series"]


@dataclass(frozen=True, kw_only=True)
class Settings(EnsembleSettings):
    """A classifier of series and its training."""

    by_data: ClassVar[Mapping[str, Any]] = {
        "scale": "auto",
        "stride": 0,
        "scales": 0,
        "hidden_size": 0,
        "members": 0,
        "folds": -1,
        "augment": -1,
        "steps": 0,
        "batch_size": 0,
        "eval_every": 0,
    }
    """Settings found from the data, and what leaves each open: see `auto`."""

    data: str = "japanese-vowels"
    """A dataset's name; or a .ts or .npz file; or a folder of class folders of .csv files."""
    interpolate: bool = False
    """Fill missing values on the line between their neighbours in time; they are refused otherwise."""
    scale: ScaleSetting = "auto"
    """Bring each channel to mean 0 and standard deviation 1, or all channels as one, or none; series: divide each
    series by its own root mean square, whose logarithm is a further channel; auto: by how the series differ in size."""
    stride: int = 0
    """Steps of the series for one step of the network, which reads overlapping patches of it and of its differences;
    0: by the length. With 1, and 1 for `scales`, it reads each step by itself."""
    scales: int = 0
    """Recurrent parts side by side, each with twice the stride of the one before; 0: by the length."""
    augment: float = -1
    """How strongly series are varied in training (tempo, size, noise): 1 is usual, 0 never; -1: by their number."""
    readout: Readout = "mean-max"
    """What is read of the states: the last one, or the mean, sum, maximum, mean and maximum side by side, or
    attention-weighted mean of all."""
    bidirectional: bool = True
    """Also read from the end to the beginning."""
    dropout: float = 0.2
    """Share of values dropped between layers and at the output, and at the input where each step is read by itself."""
    init: InitSetting = "auto"
    """How the recurrent matrix begins; a number is its spectral radius; auto: orthogonal, for gated cells uniform."""
    hidden_size: int = 0
    """Hidden units of each layer, direction and scale; 0: by the number of series."""
    steps: int = 0
    """Optimiser steps in all; 0: by the number of series."""
    batch_size: int = 0
    """Series in one step, over all processes together; 0: by their number."""
    lr: float = 3e-3
    """Peak learning rate of AdamW."""
    warmup: int = 20
    """Steps over which the learning rate rises linearly to its peak."""
    eval_every: int = 0
    """Steps between two looks at the validation part; 0: a tenth of `steps`, or with `folds` at the end alone."""

    RANGES: ClassVar[Ranges] = {"stride": TOKENS, "scales": Range(1, 20), "augment": Range(0, 100)}
    """What each number may be."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.patched and self.small_init:
            raise UserError("`small_init` reads each step by itself; leave it out, or set `stride=1` and `scales=1`")

    @property
    def patched(self) -> bool:
        """Whether the network reads patches, and not each step by itself."""
        return self.stride > 1 or self.scales > 1

    def own_sources(self) -> tuple[str, ...]:
        """The series, where no dataset is named."""
        from elman.data.timeseries.classification import NAMES

        return () if self.data in NAMES else ("data",)


@dataclass(frozen=True, kw_only=True)
class Options:
    """Series have nothing to choose."""
