"""The task `forecasting`: series, their scale, the forecaster, and its forecasts."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

from elman.errors import UserError
from elman.tasks.forecasting.settings import Options, Settings
from elman.training.progress import display
from elman.training.task import Carry, Loss, Prediction
from elman.training.task import Task as BaseTask

if TYPE_CHECKING:
    import pandas as pd
    from torch import nn

    from elman.data.batching import Buckets
    from elman.data.description.facts import Description
    from elman.data.timeseries.forecasting import ForecastData, SourceSeries
    from elman.data.timeseries.scaling import FittedSeries
    from elman.data.timeseries.windows import WindowBatch, Windows
    from elman.metrics.forecasting import Forecasts
    from elman.models.forecasting.heads import Head
    from elman.models.forecasting.inference import InUnits, Scaled
    from elman.tasks.forecasting.anchors import AnchorTrial
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


class Task(BaseTask[Settings]):
    """How series go on."""

    name = "forecasting"
    inputs = "tables (.csv, .tsv, .xlsx, .parquet), or folders of them, with the run's columns, each to be continued"
    data_files: ClassVar[int] = 1
    predict_example = ("table.csv",)
    takes = "arrays"
    input_suffixes = (".csv", ".tsv", ".xlsx", ".parquet")
    writes = "the forecasts as a table and a picture"
    calibrates = True
    unit = "windows"
    options_type = Options

    def __init__(self, settings: Settings, folder: Path | None = None) -> None:
        super().__init__(settings, folder)
        self.metric = settings.best_by
        self.loss_unit = {1: "scaled units", 3: "scaled quantile loss"}.get(self.head.size, "nats")

    @classmethod
    def new(cls, settings: Settings) -> Self:
        """A task with its settings found from the data where they were left open."""
        return cls(settings)._settled()

    @classmethod
    def of(cls, settings: Settings, table: pd.DataFrame) -> Self:
        """A task whose series are a table in memory, in place of what `settings.data` names.

        Raises:
            UserError: the table cannot be read, or not be learned from.
        """
        from elman.data.timeseries.forecasting import read_all_series

        task = cls(settings)
        task._read = read_all_series(table, settings.reading())
        return task._settled()

    def _settled(self) -> Self:
        if self.settings.left_open():
            from elman.tasks.forecasting.anchors import settle

            self._anchors, self.choices = settle(self.settings, self._read)
            self.settings, self.data = self._anchors.settings, self._anchors.data
        return self

    @classmethod
    def describe(cls, settings: Settings) -> Description:
        """The series of a table, also where something must be said of it before it can be trained on."""
        from elman.data.description.series import describe_table

        return describe_table(settings.data, settings.reading())

    def understood(self, *, whole: bool = False) -> Description:
        """Series, their times and their columns."""
        from elman.data.description.series import describe_series

        return describe_series(self._read)

    def again(self, settings: Settings) -> Self:
        """A task by other settings, on the series that this one has read."""
        other = type(self)(settings)
        vars(other)["_read"] = self._read
        if settings.cutting() == self.settings.cutting():
            vars(other).update(data=self.data, _anchors=self._anchors)
        return other

    def candidates(self) -> Sequence[Mapping[str, Any]]:
        """Other sizes, learning rates and ways of reading."""
        from elman.tasks.forecasting.auto import candidates

        return candidates(self.settings)

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
    def _anchors(self) -> AnchorTrial:
        from elman.tasks.forecasting.anchors import AnchorTrial

        return AnchorTrial(self.settings, self.data)

    def learned_from(self) -> dict[str, Iterable[Any]]:
        """Times and values of every series."""
        return {"series": self.data.contents()}

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
        self.check()
        _ = self._baselines

    def check(self) -> None:
        """The same, without the baselines, which take a minute where windows are long."""
        self.settings.check_window(self.fitted.season)
        _ = self.data

    def findings(self) -> Sequence[str]:
        """What had to be decided in reading the series, and which settings followed."""
        from elman.tasks.forecasting.telling import decided

        return list(decided(self._read, self.data, self.choices))

    def save(self, folder: Path) -> None:
        """Write roles, season and scales."""
        self.fitted.save(folder / SERIES)

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
        if isinstance(model, DirectForecaster) and s.anchor == "line" and self.begins:
            line = self._anchors.lines[1]  # else the weights file has it
            model.set_line(*map(torch.from_numpy, (line.weight, line.known, line.ahead, line.bias)))
        return model

    @cached_property
    def _buckets(self) -> Buckets:
        import numpy as np

        from elman.data.batching import Buckets

        windows = np.ones(len(self.data.train), dtype=np.int64)
        return Buckets(windows, self.settings.effective_batch_size, self.settings.seed)

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
        from elman.models.forecasting.forecaster import Forecaster
        from elman.models.forecasting.inference import learn_from_validation
        from elman.tasks.forecasting.evaluation import naive_errors

        assert isinstance(model, Forecaster)
        s, seen = self.settings, self._seen_in_training
        blended = (self._in_units(seen), naive_errors(seen, self.fitted)) if s.combine == "anchor" else None
        calibrated = s.calibrate != "none"
        scaled = learn_from_validation(model, seen, s.level, blended=blended, calibrated=calibrated)
        return self._judge(model, seen, scaled=scaled).metrics("")

    def ask(
        self, model: nn.Module, windows: Windows, past: Windows | None = None, scaled: Scaled | None = None
    ) -> Forecasts:
        """Forecasts for windows; their intervals calibrated by `past` windows of the same series, where asked for."""
        from elman.models.forecasting.forecaster import Forecaster
        from elman.models.forecasting.inference import ask

        assert isinstance(model, Forecaster)
        past = past if self.settings.calibrate == "recent" else None
        return ask(model, windows, self.settings.level, self._in_units(windows), past, scaled, display().counting)

    def _in_units(self, windows: Windows) -> InUnits:
        scales = [self.fitted.scales[series.raw.name] for series in windows.series]
        return lambda number, scaled: scales[number].in_units(scaled)

    def _judge(
        self, model: nn.Module, windows: Windows, past: Windows | None = None, scaled: Scaled | None = None
    ) -> Judged:
        from elman.metrics.forecasting import Forecasts
        from elman.models.forecasting.forecaster import DirectForecaster
        from elman.tasks.forecasting.evaluation import ALONE, NETWORK, Judged, naive_errors

        by = {
            NETWORK: self.ask(model, windows, past, scaled),
            **(self._seen_baselines if windows is self._seen_in_training else self._baselines(windows)),
        }
        if self.settings.combine == "anchor":
            assert isinstance(model, DirectForecaster)
            with model.alone():
                by[f"{ALONE} ({self.settings.anchor})"] = Forecasts(self.ask(model, windows).point)
        return Judged(windows.truth(), naive_errors(windows, self.fitted), by)

    def examine(self, model: nn.Module, *data: Path) -> Report:
        """Figures on the validation and the test part, and on the latter the tables: beside baselines, and by step.

        Arguments:
            data: a table to measure on in place of the parts: all its windows.
        """
        from elman.data.timeseries.forecasting import read_windows
        from elman.tasks.forecasting.telling import warn_uncalibrated
        from elman.training.report import Report

        s, targets = self.settings, self.fitted.roles.targets
        if data:
            other = read_windows(data[0], self.fitted, s.missing, s.window, s.horizon)
            warn_uncalibrated(s, model, other)
            return self._judge(model, other, other).report("data", targets, other)
        held = self.data.held
        warn_uncalibrated(s, model, held, self._seen_in_training)
        seen = self._judge(model, self.data.validation, held)
        if not len(self.data.test):
            return seen.report("validation", targets, self.data.validation)
        test = self._judge(model, self.data.test, held).report("test", targets, self.data.test)
        return Report(seen.metrics("validation_") | test.metrics, test.tables)

    def finish(self, folder: RunFolder, model: nn.Module) -> None:
        """Draw the curves, and forecasts of the validation part; say how the network stands beside the baselines."""
        import torch

        from elman.tasks.forecasting.telling import verdict, warn_uncalibrated

        super().finish(folder, model)
        with torch.no_grad():
            judged = self.draw(model, self.data.validation, "validation", folder.path / "forecast")
        chosen = {one.setting for one in self.choices}
        whole = len(self.data.validation)
        told, warned = verdict(judged, whole, float(getattr(model, "share", 1.0)), self.settings.anchor, chosen)
        warn_uncalibrated(self.settings, model, None, self._seen_in_training)
        for line in told:
            log.info("%s", line)
        for line in warned:
            log.warning("%s", line)

    def draw(self, model: nn.Module, windows: Windows, where: str, path: Path) -> Judged:
        """Draw forecasts of a part, one after the other, against what came, as `path`.svg and `path`.png.

        Returns:
            the forecasts of the part beside those of the baselines.
        """
        from elman.plotting.forecast import draw_forecasts
        from elman.tasks.forecasting.outputs import MOST_JUDGED, compared, panels_of_part

        held = self.data.held
        judged = self._judge(model, windows.passages(self.settings.validation_sample or MOST_JUDGED), held)
        own, (best, other) = judged.metrics("")["mae"], judged.best_baseline("mae")
        whose = "" if float(getattr(model, "share", 1.0)) else " of the anchor alone"
        than = f"{compared(own, other)} the best baseline ({best}: {other:.3g})"
        title = f"{where.capitalize()}: MAE {own:.3g}{whose}, {than}"
        panels = panels_of_part(windows, partial(self.ask, past=held), model, self.fitted.roles.targets, DRAWN_WINDOWS)
        draw_forecasts(panels, title, self.settings.level, path)
        return judged

    def input_from(self, value: Any) -> Any:
        """A series, an array or a list of numbers as a table; its values are the run's target, where that is one.

        Raises:
            UserError: the run has several targets, so that one series does not say which it is.
        """
        from elman.tasks.forecasting.inputs import as_table

        return as_table(value, self.fitted.roles)

    def prediction_type(self) -> type[Prediction]:
        """A `Forecast`."""
        from elman.tasks.forecasting.prediction import Forecast

        return Forecast

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
        from elman.tasks.forecasting.telling import warn_uncalibrated

        s = self.settings
        if s.mode == "direct" and options.horizon not in (0, s.horizon):
            raise UserError(f"`horizon={options.horizon}`: a direct run forecasts {s.horizon} steps; leave it out")
        ahead = options.horizon or s.horizon
        found: list[Prediction] = []
        for given in inputs:
            series = read_to_continue(given, self.fitted, s.missing, s.window, ahead)
            past = all_windows(series, self.fitted, s.window, ahead)
            warn_uncalibrated(s, model, past)
            name = str(given) if isinstance(given, str | Path) else "table"
            continued = continue_series(series, partial(self.ask, past=past), model, s.window, ahead, self.fitted)
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

    def write(self, predictions: Sequence[Prediction], path: str | Path) -> tuple[Path, ...]:
        """All series as one table and one picture: `path`.csv, `path`.svg and `path`.png."""
        from elman.tasks.forecasting.prediction import Forecast, write_forecasts

        return write_forecasts([one for one in predictions if isinstance(one, Forecast)], Path(path))
