"""What the task `forecasting` can be told: in training, and in prediction."""

# Annotations here are evaluated: the command line reads them.

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from elman.errors import UserError
from elman.models.config import InitSetting
from elman.training.checks.ranges import PART, Range, Ranges, check_fields
from elman.training.recurrent_settings import RecurrentSettings

if TYPE_CHECKING:
    from elman.data.timeseries.forecasting import Reading

Names = tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Settings(RecurrentSettings):
    """A forecaster and its training."""

    data: str = "airline"
    """etth1, airline, sunspots; or a .csv, .tsv or .parquet file."""
    time: str = ""
    """The column of times; the first one otherwise."""
    target: Names = ()
    """The columns to forecast; the last one otherwise."""
    past: Names = ()
    """Columns that are read too, known up to the present."""
    known: Names = ()
    """Columns whose future is known, such as holidays or prices."""
    calendar: tuple[Literal["auto", "none", "hour", "weekday", "month"], ...] = ("auto",)
    """Known-future features made from the times: positions in the day, the week, the year; auto: the usual season's."""
    series_id: str = ""
    """The column that tells several series in one file apart; they are trained together."""
    frequency: str = ""
    """The step between rows as pandas writes it (h, D, MS); found from the times otherwise."""
    missing: Literal["refuse", "interpolate", "previous"] = "refuse"
    """Empty cells and left-out times: refused, filled on the line between neighbours, or with the value before."""
    rows: int | None = None
    """Take so many rows from the first; the dataset's standard, or all."""
    validation: float | None = None
    """Times held out to choose the best weights: a share below 1 or a number; the dataset's standard, or 0.1."""
    test: float | None = None
    """Times held out at the very end: a share below 1 or a number; the dataset's standard, or 0.1."""
    window: int = 36
    """Rows that are looked back on."""
    horizon: int = 12
    """Steps to forecast."""
    mode: Literal["direct", "recursive"] = "direct"
    """All steps at once, or one after the other with each forecast as the next input."""
    anchor: Literal["none", "last", "season"] = "last"
    """What the network's answers are added to: nothing, the last value, or the value one season before."""
    season: int = 0
    """Rows of a season; the step's usual one otherwise (24 hours, 7 days, 12 months)."""
    segment: int = 1
    """Rows that one step of the network reads together (direct only); a divisor of `window`."""
    transform: Literal["none", "log", "sqrt"] = "none"
    """Applied to the targets before they are scaled to mean 0 and standard deviation 1 on the training part."""
    intervals: Literal["auto", "quantile", "gaussian", "none"] = "auto"
    """Quantile loss, a Gaussian head, or points alone; auto: quantile if direct, gaussian if recursive."""
    level: float = 0.8
    """The share of values that the intervals shall cover."""
    calibrate: Literal["recent", "validation", "none"] = "recent"
    """Widen or narrow the intervals until they cover `level` of the most recent forecasts whose truth is known by
    then, or of the validation part; recent begins with validation's where there are fewer than 100 of them."""
    error: Literal["absolute", "squared"] = "absolute"
    """What is lowered where there are no intervals."""
    best_by: Literal["mae", "rmse", "mase"] = "mase"
    """The validation figure that decides which weights are best."""
    hidden_size: int = 64
    """Hidden units of each layer."""
    init: InitSetting = "uniform"
    """How the recurrent matrix begins; a number is its spectral radius."""
    steps: int = 1000
    """Optimiser steps in all."""
    batch_size: int = 32
    """Windows in one step, over all processes together."""
    eval_every: int = 100
    """Steps between two looks at the validation part."""

    RANGES: ClassVar[Ranges] = {
        **dict.fromkeys(("rows", "validation", "test"), Range(0, 1e12)),
        **dict.fromkeys(("window", "segment"), Range(1, 1_000_000)),
        "horizon": Range(1, 100_000),
        "season": Range(0, 1_000_000),
        "level": PART,
    }
    """What each number may be."""

    def __post_init__(self) -> None:
        if isinstance(self.calibrate, bool):  # in settings files of elman 0.1
            object.__setattr__(self, "calibrate", "validation" if self.calibrate else "none")
        super().__post_init__()
        if self.validation == 0:
            raise UserError("`validation` is 0; without a validation part the best weights cannot be told")
        if self.window % self.segment:
            raise UserError(f"`segment={self.segment}` does not divide `window={self.window}`; make it a divisor")
        if len(self.calendar) > 1 and {"auto", "none"} & set(self.calendar):
            raise UserError("`calendar`: auto and none stand alone; name features only, or one of these")
        if self.mode == "recursive":
            self._check_recursive()

    def _check_recursive(self) -> None:
        if self.past:
            raise UserError(
                f"`mode=recursive` needs the future of every input, and `past={self.past[0]}` has none; make it a"
                " `target` too, or take `mode=direct`"
            )
        if self.window < 2:
            raise UserError("`window` is 1, and `mode=recursive` looks back on at least 2 rows; make it longer")
        if self.segment > 1:
            raise UserError("`segment` is for `mode=direct`: a recursive forecast goes step by step; leave it out")
        if self.intervals == "quantile":
            raise UserError("`intervals=quantile` is for `mode=direct`; take gaussian, from which futures are drawn")

    def own_sources(self) -> tuple[str, ...]:
        """The table, where no dataset is named."""
        from elman.data.timeseries.forecasting import NAMES

        return () if self.data in NAMES else ("data",)

    def reading(self) -> "Reading":
        """How the data are read, the dataset's standard split where none was asked for."""
        from elman.data.timeseries.forecasting import NAMES, OTHERS, Reading

        standard = NAMES.get(self.data, OTHERS)
        asked = {name: getattr(self, name) for name in ("rows", "validation", "test")}
        cut = {name: getattr(standard, name) if value is None else value for name, value in asked.items()}
        own = ("time", "target", "past", "known", "series_id", "frequency", "missing", "transform", "season")
        features: tuple[Any, ...] = tuple(name for name in self.calendar if name not in ("auto", "none"))
        return Reading(
            **{name: getattr(self, name) for name in own},
            **cut,
            window=self.window,
            horizon=self.horizon,
            calendar=None if self.calendar == ("auto",) else features,
        )


@dataclass(frozen=True, kw_only=True)
class Options:
    """What `elman predict` can be told of a forecaster."""

    horizon: int = 0
    """Steps to forecast, for a recursive run; as in training otherwise."""

    RANGES: ClassVar[Ranges] = {"horizon": Range(0, 100_000)}
    """What each number may be."""

    def __post_init__(self) -> None:
        check_fields(self)
