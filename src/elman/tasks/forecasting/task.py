"""The task `forecasting`: series, their scale, the forecaster, and its forecasts."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Self

from elman.errors import UserError
from elman.tasks.forecasting.settings import Options, Settings
from elman.training.settings import CHOICES, Choice, write_choices
from elman.training.task import Carry, Loss, Prediction
from elman.training.task import Task as BaseTask

if TYPE_CHECKING:
    import pandas as pd
    from torch import nn

    from elman.data.batching import Buckets
    from elman.data.timeseries.forecasting import ForecastData, SourceSeries
    from elman.data.timeseries.scaling import FittedSeries
    from elman.data.timeseries.windows import WindowBatch, Windows
    from elman.metrics.forecasting import Forecasts
    from elman.models.forecasting.heads import Head
    from elman.models.forecasting.inference import InUnits
    from elman.models.forecasting.line import Line
    from elman.tasks.forecasting.evaluation import Baselines, Judged
    from elman.training.report import Report
    from elman.training.run_folder import RunFolder

log = logging.getLogger("elman")

SERIES = "series.json"
MOST_WINDOWS = 5_000
"""Validation during training looks at so many windows at most, evenly spread."""
DRAWN_WINDOWS = 8
MOST_SHOWN = 12
"""Series whose forecasts are shown in full."""
ADVICE = "try more `steps`, a larger `hidden_size`, a longer `window`, or `anchor` and `combine` left to the data"


class Task(BaseTask[Settings]):
    """How series go on."""

    name = "forecasting"
    inputs = "tables (.csv, .tsv, .parquet) with the run's columns, each to be continued"
    data_files: ClassVar[int] = 1
    unit = "windows"
    options_type = Options

    def __init__(self, settings: Settings, folder: Path | None = None) -> None:
        super().__init__(settings, folder)
        self.metric = settings.best_by
        self.choices: list[Choice] = []
        self._first_line: Line | None = None
        self.loss_unit = {1: "scaled units", 3: "scaled quantile loss"}.get(self.head.size, "nats")

    @classmethod
    def new(cls, settings: Settings) -> Self:
        """A task with its settings found from the data where they were left open."""
        task = cls(settings)
        if settings.left_open():
            task._choose()
        return task

    def _choose(self) -> None:
        from elman.data.timeseries.facts import facts_of
        from elman.tasks.forecasting.auto import choose, choose_anchor

        asked = self.settings
        self.choices = choose(facts_of(self._read), asked)
        self.settings = asked.chosen(self.choices)
        if asked.anchor != "auto":
            return
        best, found = self._tried(self.settings)
        if asked.transform == "auto" and self.settings.transform != "none":
            other, plain = self._tried(self.settings.chosen([Choice("transform", "none", "")]))
            if min(error for _, error in plain) < min(error for _, error in found):
                best, found = other, plain
                why = "the anchors forecast better without, though the targets vary in proportion to their level"
                self.choices = [one for one in self.choices if one.setting != "transform"]
                self.choices.append(Choice("transform", "none", why))
        self.data = best.data
        if best.settings.mode == "direct":
            self._lines = best._lines
        self.choices.append(choose_anchor(found))
        self.settings = asked.chosen(self.choices)

    def _tried(self, settings: Settings) -> tuple[Task, list[tuple[str, float]]]:
        """The same series by other settings, and the errors of the anchors there."""
        task = type(self)(settings)
        task._read = self._read
        return task, task._anchor_errors()

    def _anchor_errors(self) -> list[tuple[str, float]]:
        """MASE of each anchor by itself, on validation and late in training."""
        from elman.metrics.baselines import last_value, seasonal_naive
        from elman.metrics.forecasting import errors
        from elman.tasks.forecasting.evaluation import line_forecasts, naive_errors

        windows, s = self._inner[1].thinned(MOST_WINDOWS), self.settings
        history, season = windows.history(), self.fitted.season
        found = {"last": last_value(history, s.horizon)}
        if 1 < season <= s.window - (s.mode == "recursive"):
            found["season"] = seasonal_naive(history, s.horizon, season)
        if s.mode == "direct":
            found["line"] = line_forecasts(self._lines[0], windows, self.fitted)
        truth, sizes = windows.truth(), naive_errors(windows, self.fitted)
        return [(name, errors(forecast, truth, sizes)["mase"]) for name, forecast in found.items()]

    @cached_property
    def _read(self) -> SourceSeries:
        from elman.data.timeseries.forecasting import read_all_series

        return read_all_series(self.settings.data, self.settings.reading())

    @cached_property
    def data(self) -> ForecastData:
        """The series, split in time and scaled."""
        from elman.data.timeseries.forecasting import cut_and_scale

        return cut_and_scale(self._read, self.settings.cutting())

    @cached_property
    def _inner(self) -> tuple[Windows, Windows]:
        from elman.models.forecasting.line import inner_split

        return inner_split(self.data.train, self.data.validation)

    @cached_property
    def _lines(self) -> list[Line]:
        """Lines through the window: of the early part of training, to compare with, and of all of it."""
        from elman.models.forecasting.line import fit_lines

        early, judged = self._inner
        return fit_lines([early, self.data.train], judged, len(self.fitted.roles.known))

    @cached_property
    def fitted(self) -> FittedSeries:
        """What the training part taught: the run's own, or that of the data."""
        return self.data.fitted

    @cached_property
    def head(self) -> Head:
        """The output layer: quantiles, a Gaussian, or points alone."""
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
                f"`anchor=season` needs a `window` of at least {least} rows for seasons of {season}, not {s.window}"
            )
        _ = self.data, self._baselines
        if s.anchor == "line":
            self._first_line = self._lines[1]  # where it is not made, the weights file has it
        self._tell()

    def _tell(self) -> None:
        """Say what was understood of the data, and what followed from it."""
        from elman.data.timeseries.timestamps import shown

        read = self._read
        rows = sorted(map(len, read.series))
        several = f"{len(rows)} series of {rows[0]:,} to {rows[-1]:,} rows" if len(rows) > 1 else f"{rows[0]:,} rows"
        first, last = min(one.times[0] for one in read.series), max(one.times[len(one) - 1] for one in read.series)
        roles = read.roles
        columns = f"time {roles.time!r}, target {' '.join(map(repr, roles.targets))}"
        log.info(
            "%s: %s, step %s, %s to %s; %s", read.source, several, read.frequency, shown(first), shown(last), columns
        )
        for note in (*read.notes, *self.data.notes):
            log.info("%s", note)
        if self.choices:
            chosen = ", ".join(f"{one.setting} {_plainly(one.value)}" for one in self.choices)
            log.info("chosen by the data (%s says why): %s", CHOICES, chosen)

    def save(self, folder: Path) -> None:
        """Write roles, season and scales; and what was chosen by the data."""
        self.fitted.save(folder / SERIES)
        write_choices(folder, self.choices)

    def restore(self, folder: Path) -> None:
        """Read roles, season and scales."""
        from elman.data.timeseries.scaling import FittedSeries

        self.fitted = FittedSeries.load(folder / SERIES)

    def build_model(self) -> nn.Module:
        """A direct or a recursive forecaster of the series' columns."""
        import torch

        from elman.models.forecasting.forecaster import Anchor, DirectForecaster, Layout, RecursiveForecaster

        s, roles = self.settings, self.fitted.roles
        known = len(roles.known) + 2 * len(self.fitted.calendar)
        sizes = len(roles.targets), len(roles.past), known
        anchor: Anchor = "last" if s.anchor == "auto" else s.anchor
        layout = Layout(
            *sizes, s.horizon, s.segment, anchor, self.fitted.season, s.window, len(roles.known), s.combine == "anchor"
        )
        kind = RecursiveForecaster if s.mode == "recursive" else DirectForecaster
        model = kind(layout, self.head, s.shape(s.segment * sum(sizes)), dropout=s.dropout)
        if isinstance(model, DirectForecaster) and self._first_line is not None:
            line = self._first_line
            model.set_line(*map(torch.from_numpy, (line.weight, line.known, line.ahead, line.bias)))
        return model

    @cached_property
    def _buckets(self) -> Buckets:
        import numpy as np

        from elman.data.batching import Buckets

        windows = np.ones(len(self.data.train), dtype=np.int64)
        return Buckets(windows, self.settings.batch_size, self.settings.seed)

    def batch(self, step: int, rank: int, world: int) -> tuple[WindowBatch, bool]:
        """A process's share of the windows, and whether it counts."""
        from elman.data.batching import process_share

        share, counts = process_share(self._buckets.batch(step), rank, world)
        return self.data.train.batch(share), counts

    def loss(self, model: nn.Module, batch: tuple[WindowBatch, bool], carry: Carry) -> Loss:
        """The loss of the output layer, in scaled units."""
        windows, counts = batch[0].to(next(model.parameters()).device), batch[1]
        total, count = model(windows.values, windows.known, windows.future, windows.observed)
        return Loss(total, count) if counts else Loss(total * 0, 0)

    @cached_property
    def _baselines(self) -> Baselines:
        from elman.tasks.forecasting.evaluation import Baselines

        return Baselines(self.data.train, self.fitted, recursive=self.settings.mode == "recursive")

    @cached_property
    def _seen_in_training(self) -> Windows:
        return self.data.validation.thinned(MOST_WINDOWS)

    @cached_property
    def _seen_baselines(self) -> dict[str, Forecasts]:
        return self._baselines(self._seen_in_training)

    def evaluate(self, model: nn.Module) -> dict[str, float]:
        """Errors on the validation part beside the best baseline's; also calibrates the intervals there."""
        from elman.models.forecasting.forecaster import DirectForecaster, Forecaster
        from elman.models.forecasting.inference import blend, calibrate
        from elman.tasks.forecasting.evaluation import naive_errors

        assert isinstance(model, Forecaster)
        if self.settings.combine == "anchor":
            assert isinstance(model, DirectForecaster)
            blend(
                model,
                self._seen_in_training,
                self._in_units(self._seen_in_training),
                naive_errors(self._seen_in_training, self.fitted),
            )
        if self.settings.calibrate != "none":
            calibrate(model, self._seen_in_training, self.settings.level)
        return self._judge(model, self._seen_in_training).metrics("")

    def _ask(self, model: nn.Module, windows: Windows, past: Windows | None = None) -> Forecasts:
        from elman.models.forecasting.forecaster import Forecaster
        from elman.models.forecasting.inference import ask

        assert isinstance(model, Forecaster)
        past = past if self.settings.calibrate == "recent" else None
        return ask(model, windows, self.settings.level, self._in_units(windows), past)

    def _in_units(self, windows: Windows) -> InUnits:
        scales = [self.fitted.scales[series.raw.name] for series in windows.series]
        return lambda number, scaled: scales[number].in_units(scaled)

    def _judge(self, model: nn.Module, windows: Windows, past: Windows | None = None) -> Judged:
        from elman.metrics.forecasting import Forecasts
        from elman.models.forecasting.forecaster import DirectForecaster
        from elman.tasks.forecasting.evaluation import ALONE, NETWORK, Judged, naive_errors

        by = {
            NETWORK: self._ask(model, windows, past),
            **(self._seen_baselines if windows is self._seen_in_training else self._baselines(windows)),
        }
        if self.settings.combine == "anchor":
            assert isinstance(model, DirectForecaster)
            with model.alone():
                by[f"{ALONE} ({self.settings.anchor})"] = Forecasts(self._ask(model, windows).point)
        return Judged(windows.truth(), naive_errors(windows, self.fitted), by)

    def examine(self, model: nn.Module, *data: Path) -> Report:
        """Figures on the validation and the test part, and on the latter the tables: beside baselines, and by step.

        Arguments:
            data: a table to measure on in place of the parts: all its windows.
        """
        from elman.data.timeseries.forecasting import read_windows
        from elman.training.report import Report

        targets = self.fitted.roles.targets
        if data:
            s = self.settings
            other = read_windows(data[0], self.fitted, s.missing, s.window, s.horizon)
            return self._judge(model, other, other).report("data", targets, other)
        held = self.data.held
        seen = self._judge(model, self.data.validation, held)
        if not len(self.data.test):
            return seen.report("validation", targets, self.data.validation)
        test = self._judge(model, self.data.test, held).report("test", targets, self.data.test)
        return Report(seen.metrics("validation_") | test.metrics, test.tables)

    def finish(self, folder: RunFolder, model: nn.Module) -> None:
        """Draw the curves, and forecasts of the validation part; say how the network stands beside the baselines."""
        import torch

        from elman.tasks.forecasting.evaluation import NETWORK

        super().finish(folder, model)
        with torch.no_grad():
            judged = self.draw(model, self.data.validation, "validation", folder.path / "forecast")
        log.info("validation MASE: %s", judged.told())
        share = float(getattr(model, "share", 1.0))
        own, (best, other) = judged.errors(NETWORK)["mase"], judged.best_baseline("mase")
        if share == 0:
            log.warning(
                "on validation the network adds nothing to its anchor (%s), which forecasts alone", self.settings.anchor
            )
        elif share < 1:
            log.info("the forecasts are the anchor's and %.0f%% of what the network adds, which did best", 100 * share)
        if own > max(1.01 * other, other + 1e-4):  # more than rounding
            log.warning("the network is behind: %s does better on validation; %s", best, ADVICE)

    def draw(self, model: nn.Module, windows: Windows, where: str, path: Path) -> Judged:
        """Draw forecasts of a part, one after the other, against what came, as `path`.svg and `path`.png.

        Returns:
            the forecasts of the part beside those of the baselines.
        """
        from elman.plotting.forecast import draw_forecasts
        from elman.tasks.forecasting.outputs import compared, panels_of_part

        held = self.data.held
        judged = self._judge(model, windows, held)
        own, (best, other) = judged.metrics("")["mae"], judged.best_baseline("mae")
        title = f"{where.capitalize()}: MAE {own:.3g}, {compared(own, other)} the best baseline ({best}: {other:.3g})"
        ask = partial(self._ask, past=held)
        panels = panels_of_part(windows, ask, model, self.fitted.roles.targets, DRAWN_WINDOWS)
        draw_forecasts(panels, title, self.settings.level, path)
        return judged

    def predict(
        self, model: nn.Module, inputs: Sequence[str | Path | pd.DataFrame], options: Options
    ) -> list[Prediction]:
        """How the series of each table go on, one prediction a series.

        Arguments:
            inputs: names of files, or tables.

        Raises:
            UserError: a table cannot be read, is shorter than one window, or lacks known-future columns.
        """
        from elman.data.timeseries.forecasting import all_windows, read_to_continue
        from elman.tasks.forecasting.prediction import Forecast, continue_series

        s = self.settings
        if s.mode == "direct" and options.horizon not in (0, s.horizon):
            raise UserError(f"`horizon={options.horizon}`: a direct run forecasts {s.horizon} steps; leave it out")
        ahead = options.horizon or s.horizon
        found: list[Prediction] = []
        for given in inputs:
            series = read_to_continue(given, self.fitted, s.missing, s.window, ahead)
            ask = partial(self._ask, past=all_windows(series, self.fitted, s.window, ahead))
            name = str(given) if isinstance(given, str | Path) else "table"
            continued = continue_series(series, ask, model, s.window, ahead, self.fitted)
            found += [Forecast.of(name, one, self.fitted.roles, s.level) for one in continued]
        return found

    def show(self, predictions: Sequence[Prediction]) -> str:
        """The forecasts with an empty line between; of many series the first ones, and how to have all."""
        shown_ones = predictions if len(predictions) <= MOST_SHOWN else predictions[: MOST_SHOWN - 2]
        texts = [prediction.show() for prediction in shown_ones]
        if len(shown_ones) < len(predictions):
            more = len(predictions) - len(shown_ones)
            texts.append(f"... and {more:,} more series; ask for a table (out) or for JSON to have all")
        return "\n\n".join(texts)

    def write(self, predictions: Sequence[Prediction], path: Path) -> tuple[Path, ...]:
        """All series as one table and one picture: `path`.csv, `path`.svg and `path`.png."""
        from elman.tasks.forecasting.prediction import Forecast, write_forecasts

        return write_forecasts([one for one in predictions if isinstance(one, Forecast)], path)


def _plainly(value: object) -> str:
    return " ".join(map(str, value)) if isinstance(value, tuple) else str(value)
