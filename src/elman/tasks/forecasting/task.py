"""The task `forecasting`: its settings, its options, and what the training loop calls."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from elman.errors import UserError
from elman.models.config import InitSetting
from elman.training.recurrent_settings import RecurrentSettings
from elman.training.settings import at_least
from elman.training.task import Carry, Loss

if TYPE_CHECKING:
    import pandas as pd
    from torch import nn

    from elman.data.batching import Buckets
    from elman.data.timeseries.forecasting import ForecastData, Reading
    from elman.data.timeseries.scaling import FittedSeries
    from elman.data.timeseries.windows import WindowBatch, Windows
    from elman.metrics.forecasting import Forecasts
    from elman.models.forecasting.heads import Head
    from elman.tasks.forecasting.evaluation import Baselines, Judged
    from elman.training.report import Report
    from elman.training.run_folder import RunFolder

Names = Annotated[tuple[str, ...], Parameter(consume_multiple=True, negative="")]
MOST_WINDOWS = 5_000
"""Validation during training looks at so many windows at most, evenly spread."""
DRAWN_WINDOWS = 8


@Parameter(name="*")
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
    calendar: Annotated[
        tuple[Literal["auto", "none", "hour", "weekday", "month"], ...], Parameter(consume_multiple=True, negative="")
    ] = ("auto",)
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
    """Rows that one step of the network reads together (direct only); a divisor of --window."""
    transform: Literal["none", "log", "sqrt"] = "none"
    """Applied to the targets before they are scaled to mean 0 and standard deviation 1 on the training part."""
    intervals: Literal["auto", "quantile", "gaussian", "none"] = "auto"
    """Quantile loss, a Gaussian head, or points alone; auto: quantile if direct, gaussian if recursive."""
    level: float = 0.8
    """The share of values that the intervals shall cover."""
    calibrate: Literal["recent", "validation", "none"] = "recent"
    """Widen or narrow the intervals until they cover --level of the most recent forecasts whose truth is known by
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

    def __post_init__(self) -> None:
        super().__post_init__()
        if isinstance(self.calibrate, bool):  # in settings files of elman 0.1
            object.__setattr__(self, "calibrate", "validation" if self.calibrate else "none")
        for name in ("window", "horizon", "segment"):
            at_least(self, name, 1)
        for name in ("season", *(name for name in ("rows", "validation", "test") if getattr(self, name) is not None)):
            at_least(self, name, 0)
        if self.validation == 0:
            raise UserError("--validation is 0; without a validation part the best weights cannot be told")
        if not 0 < self.level < 1:
            raise UserError(f"--level is {self.level}; it must be above 0 and below 1, as 0.8 is")
        if self.window % self.segment:
            raise UserError(f"--segment {self.segment} does not divide --window {self.window}; make it a divisor")
        if len(self.calendar) > 1 and {"auto", "none"} & set(self.calendar):
            raise UserError("--calendar auto and none stand alone; name features only, or one of these")
        if self.mode == "recursive":
            self._check_recursive()

    def _check_recursive(self) -> None:
        if self.past:
            raise UserError(
                f"--mode recursive needs the future of every input, and --past {self.past[0]} has none; make it a"
                " --target too, or take --mode direct"
            )
        if self.segment > 1:
            raise UserError("--segment is for --mode direct: a recursive forecast goes step by step; leave it out")
        if self.intervals == "quantile":
            raise UserError("--intervals quantile is for --mode direct; take gaussian, from which futures are drawn")

    def reading(self) -> Reading:
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


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Options:
    """What `elman predict` can be told of a forecaster."""

    horizon: int = 0
    """Steps to forecast, for a recursive run; as in training otherwise."""
    out: str = ""
    """Where the table and the picture go, without suffix; into the run folder otherwise."""

    def __post_init__(self) -> None:
        at_least(self, "horizon", 0)


class Task:
    """How series go on."""

    name = "forecasting"
    inputs = "tables (.csv, .tsv, .parquet) with the run's columns, each to be continued"
    unit = "windows"
    higher_is_better = False

    def __init__(self, settings: Settings, folder: Path) -> None:
        self.settings = settings
        self.folder = folder
        self._saved = folder / "series.json"

    @property
    def metric(self) -> str:
        return self.settings.best_by

    @cached_property
    def data(self) -> ForecastData:
        """The series, split in time and scaled."""
        from elman.data.timeseries.forecasting import read_forecast_data

        return read_forecast_data(self.settings.data, self.settings.reading())

    @cached_property
    def fitted(self) -> FittedSeries:
        """What the training part taught: the run's own, where there is one."""
        from elman.data.timeseries.scaling import FittedSeries

        return FittedSeries.load(self._saved) if self._saved.exists() else self.data.fitted

    @cached_property
    def head(self) -> Head:
        from elman.models.forecasting.heads import make_head

        s = self.settings
        kind = s.intervals
        if kind == "auto":
            kind = "gaussian" if s.mode == "recursive" else "quantile"
        return make_head(kind, s.level, s.error)

    def prepare(self) -> None:
        """Read and check everything that training needs."""
        s, season = self.settings, self.fitted.season
        least = season + (s.mode == "recursive")
        if s.anchor == "season" and s.window < least:
            raise UserError(
                f"--anchor season needs a --window of at least {least} rows for seasons of {season}, not {s.window}"
            )
        _ = self.data, self._baselines

    def save(self, folder: Path) -> None:
        self.fitted.save(folder / self._saved.name)

    def build_model(self) -> nn.Module:
        from elman.models.forecasting.forecaster import DirectForecaster, Layout, RecursiveForecaster

        s, roles = self.settings, self.fitted.roles
        known = len(roles.known) + 2 * len(self.fitted.calendar)
        sizes = len(roles.targets), len(roles.past), known
        layout = Layout(*sizes, s.horizon, s.segment, s.anchor, self.fitted.season)
        kind = RecursiveForecaster if s.mode == "recursive" else DirectForecaster
        return kind(layout, self.head, s.shape(s.segment * sum(sizes)), dropout=s.dropout)

    @cached_property
    def _buckets(self) -> Buckets:
        import numpy as np

        from elman.data.batching import Buckets

        windows = np.ones(len(self.data.train), dtype=np.int64)
        return Buckets(windows, self.settings.batch_size, self.settings.seed)

    def batch(self, step: int, rank: int, world: int) -> tuple[WindowBatch, bool]:
        """A process's share of the windows; with a sign whether it counts, since the last batch may be too small."""
        chosen = self._buckets.batch(step)
        share = chosen[rank::world]
        return self.data.train.batch(share if len(share) else chosen[:1]), len(share) > 0

    def loss(self, model: nn.Module, batch: tuple[WindowBatch, bool], carry: Carry) -> Loss:
        windows, counts = batch[0].to(next(model.parameters()).device), batch[1]
        total, count = model(windows.values, windows.known, windows.future)
        return Loss(total, count) if counts else Loss(total * 0, 0)

    @cached_property
    def _baselines(self) -> Baselines:
        from elman.tasks.forecasting.evaluation import Baselines

        return Baselines(self.data.train, self.fitted, recursive=self.settings.mode == "recursive")

    @cached_property
    def _seen_in_training(self) -> Windows:
        return self.data.validation.thinned(MOST_WINDOWS)

    def evaluate(self, model: nn.Module) -> dict[str, float]:
        """Errors on the validation part beside the best baseline's; also calibrates the intervals there."""
        from elman.models.forecasting.forecaster import Forecaster
        from elman.models.forecasting.inference import calibrate

        assert isinstance(model, Forecaster)
        if self.settings.calibrate != "none":
            calibrate(model, self._seen_in_training, self.settings.level)
        return self._judge(model, self._seen_in_training).metrics("")

    def _ask(self, model: nn.Module, windows: Windows, past: Windows | None = None) -> Forecasts:
        from elman.models.forecasting.forecaster import Forecaster
        from elman.models.forecasting.inference import ask

        assert isinstance(model, Forecaster)
        scales = [self.fitted.scales[series.raw.name] for series in windows.series]
        past = past if self.settings.calibrate == "recent" else None
        return ask(model, windows, self.settings.level, lambda number, scaled: scales[number].in_units(scaled), past)

    def _judge(self, model: nn.Module, windows: Windows, past: Windows | None = None) -> Judged:
        from elman.tasks.forecasting.evaluation import NETWORK, Judged, naive_errors

        by = {NETWORK: self._ask(model, windows, past), **self._baselines(windows)}
        return Judged(windows.truth(), naive_errors(windows, self.fitted), by)

    def report(self, model: nn.Module) -> dict[str, float]:
        """The figures of `examine`."""
        return self.examine(model).metrics

    def examine(self, model: nn.Module, data: Path | None = None) -> Report:
        """Figures on the validation and the test part, and on the latter the tables: beside baselines, and by step.

        Arguments:
            data: a table to measure on in place of the parts: all its windows.
        """
        from elman.data.timeseries.forecasting import read_windows
        from elman.training.report import Report

        targets = self.fitted.roles.targets
        if data is not None:
            s = self.settings
            other = read_windows(data, self.fitted, s.missing, s.window, s.horizon)
            return self._judge(model, other, other).report("data", targets)
        held = self.data.held
        seen = self._judge(model, self.data.validation, held)
        if not len(self.data.test):
            return seen.report("validation", targets)
        test = self._judge(model, self.data.test, held).report("test", targets)
        return Report(seen.metrics("validation_") | test.metrics, test.tables)

    def finish(self, folder: RunFolder, model: nn.Module) -> None:
        """Draw the curves, and forecasts of the validation part against what came."""
        import torch

        from elman.training.loss_curve import draw_curves

        unit = "scaled units" if self.head.size == 1 else "scaled quantile loss" if self.head.size == 3 else "nats"
        draw_curves(folder, self.metric, unit)
        with torch.no_grad():
            self.draw(model.eval(), self.data.validation, "validation", folder.path / "forecast")

    def draw(self, model: nn.Module, windows: Windows, where: str, path: Path) -> None:
        """Draw forecasts of a part, one after the other, against what came, as `path`.svg and `path`.png."""
        from elman.plotting.forecast import draw_forecasts
        from elman.tasks.forecasting.outputs import panels_of_part

        held = self.data.held
        judged = self._judge(model, windows, held)
        own, (best, other) = judged.metrics("")["mae"], judged.best_baseline("mae")
        less = "less" if own <= other else "more"
        by = abs(own / other - 1)
        title = f"{where.capitalize()}: MAE {own:.3g}, {by:.0%} {less} than the best baseline ({best}: {other:.3g})"
        ask = partial(self._ask, past=held)
        panels = panels_of_part(windows, ask, model, self.fitted.roles.targets, DRAWN_WINDOWS)
        draw_forecasts(panels, title, self.settings.level, path)

    def predict(self, model: nn.Module, inputs: list[str | pd.DataFrame], options: Options) -> list[dict[str, Any]]:
        """How the series of each table go on; for a file also a table and a picture.

        Arguments:
            inputs: names of files, or tables.

        Returns:
            one dictionary a series: its times, and for each target the forecast and the ends of its interval.

        Raises:
            UserError: a table cannot be read, is shorter than one window, or lacks known-future columns.
        """
        from elman.data.timeseries.forecasting import all_windows, read_to_continue
        from elman.tasks.forecasting.outputs import Continued, continue_series, write_forecast

        s = self.settings
        if s.mode == "direct" and options.horizon not in (0, s.horizon):
            raise UserError(f"--horizon {options.horizon}: a direct run forecasts {s.horizon} steps; leave it out")
        if options.out and len(inputs) > 1:
            raise UserError(f"--out names one place for {len(inputs)} inputs; predict them one by one")
        ahead = options.horizon or s.horizon
        found: list[tuple[str | pd.DataFrame, list[Continued]]] = []
        for given in inputs:
            series = read_to_continue(given, self.fitted, s.missing, s.window, ahead)
            ask = partial(self._ask, past=all_windows(series, self.fitted, s.window, ahead))
            found.append((given, continue_series(series, ask, model, s.window, ahead, self.fitted)))
        predictions = []
        for given, continued in found:
            written: tuple[Path, ...] = ()
            if isinstance(given, str | Path):
                out = Path(options.out) if options.out else self.folder / f"forecast-{Path(given).stem}"
                written = write_forecast(continued, self.fitted.roles, s.level, out, Path(given))
            name = str(given) if isinstance(given, str | Path) else "table"
            predictions += [
                {"input": name, **one.as_dictionary(), "written": list(map(str, written))} for one in continued
            ]
        return predictions

    def show(self, predictions: list[dict[str, Any]]) -> str:
        from elman.tasks.forecasting.outputs import show_forecast

        return "\n\n".join(map(show_forecast, predictions))
