"""What the network may be added to, each tried by itself, and the settings that are found so."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from elman.data.timeseries.facts import facts_of
from elman.data.timeseries.forecasting import ForecastData, SourceSeries, cut_and_scale
from elman.data.timeseries.windows import Windows
from elman.metrics.baselines import last_value, seasonal_naive
from elman.metrics.forecasting import errors
from elman.models.forecasting.line import Line
from elman.models.forecasting.line_fits import fit_lines, inner_split
from elman.tasks.forecasting.auto import choose, choose_anchor
from elman.tasks.forecasting.evaluation import line_forecasts, naive_errors
from elman.tasks.forecasting.settings import Settings
from elman.training.settings import Choice

MOST_WINDOWS = 5_000


@dataclass(frozen=True)
class AnchorTrial:
    """Series cut by some settings, and the anchors there."""

    settings: Settings
    data: ForecastData

    @cached_property
    def _inner(self) -> tuple[Windows, Windows]:
        return inner_split(self.data.train, self.data.validation)

    @cached_property
    def lines(self) -> list[Line]:
        """Lines through the window: of the early part of training, to compare with, and of all of it."""
        early, judged = self._inner
        whole = self.data.train
        parts = [whole] if early is whole else [early, whole]
        found = fit_lines(parts, judged, len(self.data.fitted.roles.known), self.data.fitted.season)
        return [found[0], found[-1]]

    def errors(self) -> list[tuple[str, float]]:
        """MASE of each anchor by itself, on validation and, where that is short, late in training; simplest first."""
        windows, s, fitted = self._inner[1].thinned(MOST_WINDOWS), self.settings, self.data.fitted
        history = windows.history()
        found = {"last": last_value(history, s.horizon)}
        if 1 < fitted.season <= s.window - (s.mode == "recursive"):
            found["season"] = seasonal_naive(history, s.horizon, fitted.season)
        if s.mode == "direct":
            found["line"] = line_forecasts(self.lines[0], windows, fitted)
        truth, sizes = windows.truth(), naive_errors(windows, fitted)
        return [(name, errors(forecast, truth, sizes)["mase"]) for name, forecast in found.items()]


def settle(asked: Settings, read: SourceSeries) -> tuple[AnchorTrial, list[Choice]]:
    """What was left open, found from the series: the settings with all in place, and the choices made.

    Raises:
        UserError: a part of the series is too short, or cannot be scaled.
    """
    choices = choose(facts_of(read), asked)

    def trial(settings: Settings) -> AnchorTrial:
        return AnchorTrial(settings, cut_and_scale(read, settings.cutting()))

    best = trial(asked.chosen(choices))
    if asked.anchor == "auto":
        found = best.errors()
        if asked.transform == "auto" and best.settings.transform != "none":
            other = trial(best.settings.chosen([Choice("transform", "none", "")]))
            plain = other.errors()
            if min(error for _, error in plain) < min(error for _, error in found):
                best, found = other, plain
                why = "the anchors forecast better without, though the targets vary in proportion to their level"
                choices = [one for one in choices if one.setting != "transform"] + [Choice("transform", "none", why)]
        choices.append(choose_anchor(found, best.lines[0].way if asked.mode == "direct" else ""))
        settled = AnchorTrial(asked.chosen(choices), best.data)
        if "lines" in vars(best):
            vars(settled)["lines"] = best.lines
        best = settled
    return best, choices
