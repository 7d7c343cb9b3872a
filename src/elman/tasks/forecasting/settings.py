"""What the task `forecasting` can be told: in training, and in prediction."""

# Annotations here are evaluated: the command line reads them.

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from elman.errors import UserError
from elman.models.config import InitSetting
from elman.training.checks.ranges import PART, Range, Ranges, check_fields
from elman.training.recurrent_settings import RecurrentSettings

if TYPE_CHECKING:
    from elman.data.timeseries.forecasting import Cutting, Reading

Names = tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Settings(RecurrentSettings):
    """A forecaster and its training."""

    by_data: ClassVar[Mapping[str, Any]] = {
        "calendar": ("auto",),
        "validation": None,
        "test": None,
        "split": "auto",
        "window": 0,
        "horizon": 0,
        "anchor": "auto",
        "combine": "auto",
        "season": 0,
        "segment": 0,
        "transform": "auto",
        "hidden_size": 0,
        "steps": 0,
        "batch_size": 0,
        "eval_every": 0,
    }
    """Settings that follow from the data, and the value that leaves each open."""

    data: str = "airline"
    """etth1, airline, sunspots; or a .csv, .tsv or .parquet file."""
    time: Names = ()
    """The column of times, or several that make one, such as year month day hour; otherwise the first with dates."""
    target: Names = ()
    """The columns to forecast; the last one with numbers otherwise."""
    past: Names = ()
    """Columns that are read too, known up to the present; texts become zeros and ones."""
    known: Names = ()
    """Columns whose future is known, such as holidays or prices."""
    calendar: tuple[Literal["auto", "none", "hour", "weekday", "month"], ...] = ("auto",)
    """Known-future features made from the times: positions in the day, the week, the year; auto: those that the
    training part holds at least twice."""
    date_order: Literal["auto", "day-first", "month-first"] = "auto"
    """What 01/02/2020 means; auto finds it from the column, and asks where it cannot."""
    series_id: str = ""
    """The column that tells several series in one file apart; they are trained together."""
    frequency: str = ""
    """The step between rows as pandas writes it (h, D, MS); found from the times otherwise."""
    missing: Literal["refuse", "interpolate", "previous"] = "refuse"
    """Empty cells and left-out times: refused, filled on the line between neighbours, or with the value before; what
    was filled in is neither learned nor measured on."""
    rows: int | None = None
    """Take so many rows from the first; the dataset's standard, or all."""
    validation: float | None = None
    """Times held out to choose the best weights: a share below 1 or a number; otherwise the dataset's standard, or a
    tenth, a horizon at least."""
    validation_sample: int = 0
    """So many windows of the validation part are judged when training ends, in 16 passages spread evenly over it; 0:
    20,000 at most. On its way training looks at 5,000 at most; `elman evaluate` judges all."""
    test: float | None = None
    """Times held out at the very end: a share below 1 or a number; otherwise as `validation`."""
    split: Literal["auto", "times", "series"] = "auto"
    """Where parts begin: at the same times for all series, or at each one's own end; auto: at the same times, unless
    a series ends too early for a forecast in each part."""
    window: int = 0
    """Rows that are looked back on; 0: some seasons and horizons, by how many rows there are."""
    horizon: int = 0
    """Steps to forecast; 0: a season, or 12."""
    mode: Literal["direct", "recursive"] = "direct"
    """All steps at once, or one after the other with each forecast as the next input."""
    anchor: Literal["auto", "none", "last", "season", "line"] = "auto"
    """What the network's answers are added to: nothing, the last value, the value one season before, or a line through
    the window by least squares (direct only); auto: the one that forecasts the validation part best by itself."""
    combine: Literal["auto", "anchor", "none"] = "auto"
    """anchor: the validation part decides which share of the network's answers is added to the anchor, from the anchor
    alone to all of it (direct only); none: all of it; auto: anchor where the anchor is left open too."""
    season: int = 0
    """Rows of a season; 0: the step's usual one (24 hours, 7 days, 12 months), or what repeats itself in the data."""
    segment: int = 0
    """Rows that one step of the network reads together (direct only); a divisor of `window`; 0: by the window."""
    transform: Literal["auto", "none", "log", "sqrt"] = "auto"
    """Applied to the targets before they are scaled to mean 0 and standard deviation 1 on the training part; auto: log
    where positive values vary in proportion to their level."""
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
    hidden_size: int = 0
    """Hidden units of each layer; 0: by how many windows there are."""
    dropout: float = 0.1
    """Share of values dropped between layers, at the input and at the output."""
    init: InitSetting = "auto"
    """How the recurrent matrix begins; auto: orthogonal, for gated cells uniform; a number is its spectral radius."""
    steps: int = 0
    """Optimiser steps in all; 0: by how many windows there are."""
    batch_size: int = 0
    """Windows in one step, over all processes together; 0: by how many there are."""
    eval_every: int = 0
    """Steps between two looks at the validation part; 0: a twentieth of all."""

    RANGES: ClassVar[Ranges] = {
        **dict.fromkeys(("rows", "validation", "test"), Range(0, 1e12)),
        **dict.fromkeys(("window", "segment"), Range(1, 1_000_000)),
        "horizon": Range(1, 100_000),
        "season": Range(0, 1_000_000),
        "validation_sample": Range(0, 1e15),
        "level": PART,
    }
    """What each number may be."""

    def __post_init__(self) -> None:
        if isinstance(self.calibrate, bool):  # in settings files of elman 0.1
            object.__setattr__(self, "calibrate", "validation" if self.calibrate else "none")
        super().__post_init__()
        if self.validation == 0:
            raise UserError("`validation` is 0; without a validation part the best weights cannot be told")
        if self.segment and self.window % self.segment:
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
        if self.anchor == "line":
            raise UserError("`anchor=line` is for `mode=direct`; take another, or leave it out")
        if self.combine == "anchor":
            raise UserError("`combine=anchor` is for `mode=direct`; leave it out")
        if self.window == 1:
            raise UserError("`window` is 1, and `mode=recursive` looks back on at least 2 rows; make it longer")
        if self.segment > 1:
            raise UserError("`segment` is for `mode=direct`: a recursive forecast goes step by step; leave it out")
        if self.intervals == "quantile":
            raise UserError("`intervals=quantile` is for `mode=direct`; take gaussian, from which futures are drawn")

    def own_sources(self) -> tuple[str, ...]:
        """The table, where no dataset is named."""
        from elman.data.timeseries.forecasting import NAMES

        return () if self.data in NAMES else ("data",)

    def check_window(self, season: int) -> None:
        """Raise a UserError where a forecast by the season would not see a whole one."""
        least = season + (self.mode == "recursive")
        if self.anchor == "season" and self.window < least:
            raise UserError(
                f"`anchor=season` needs a `window` of at least {least} rows for seasons of {season}, not {self.window}"
            )

    def reading(self) -> "Reading":
        """How the data are read."""
        from elman.data.timeseries.forecasting import NAMES, OTHERS, Reading

        own = ("time", "target", "past", "known", "series_id", "frequency", "missing", "date_order")
        rows = NAMES.get(self.data, OTHERS).rows if self.rows is None else self.rows
        return Reading(**{name: getattr(self, name) for name in own}, rows=rows)

    def cutting(self) -> "Cutting":
        """How the series are cut; what is still open as version 0.1 had it, whose runs are read by this."""
        from elman.data.timeseries.forecasting import NAMES, OTHERS, Cutting

        standard = NAMES.get(self.data, OTHERS)
        features: tuple[Any, ...] = tuple(name for name in self.calendar if name not in ("auto", "none"))
        return Cutting(
            transform="none" if self.transform == "auto" else self.transform,
            calendar=None if self.calendar == ("auto",) else features,
            season=self.season,
            window=self.window,
            horizon=self.horizon,
            validation=standard.validation if self.validation is None else self.validation,
            test=standard.test if self.test is None else self.test,
            split="times" if self.split == "auto" else self.split,
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
