"""What series are like, as far as settings may follow from it: lengths, steps, seasons, how they vary."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from elman.data.timeseries.timestamps import season_of, steps_between
from elman.errors import optional_imports

if TYPE_CHECKING:
    from elman.data.timeseries.forecasting import SourceSeries

LONGEST_SEASON = 400
"""Rows of a season that is looked for, at most."""
CLEAR = 0.3
"""The autocorrelation of changes, one season apart, from which on a season is believed."""
_SURE = 5.0
"""Standard errors above 0 that seasons must follow the mean of the others by, to be seen."""
_FEWEST = 8
"""Seasons of which every other tells of the rest, at least."""
_SERIES = 50  # so many series are looked at for their season and how they vary
_HELD = 0.2  # the share at the end that is not looked at
_LOOKED_AT = 1 << 18
"""Rows of a series that are looked at for its season, the last ones, at most."""
_YEAR = 365.25 * 86_400


@dataclass(frozen=True)
class SeriesFacts:
    """What settings may follow from.

    Arguments:
        frequency: the step.
        usual_season: rows of the usual season of this step; 1 where it has none.
        found_season: rows after which the series repeat themselves, by their autocorrelation; 1 for none.
        lengths: rows of each series.
        behind: rows by which each series ends before the last one.
        total: rows from the first time of all to the last.
        dated: whether the times are dates.
        years: that the longest series spans; 0 for numbers.
        proportional: whether all targets are above 0 and vary in proportion to their level.
    """

    frequency: str
    usual_season: int
    found_season: int
    lengths: tuple[int, ...]
    behind: tuple[int, ...]
    total: int
    dated: bool
    years: float
    proportional: bool

    @property
    def rows_a_year(self) -> float:
        """Rows of the longest series in a year; 0 for numbers."""
        return (max(self.lengths) - 1) / self.years if self.years else 0.0


def facts_of(read: SourceSeries) -> SeriesFacts:
    """The facts of the series; of how they vary, those of the first four fifths of at most 50 series."""
    with optional_imports():
        import pandas as pd

    series, frequency = read.series, read.frequency
    ends = [one.times[len(one) - 1] for one in series]
    last, first = max(ends), min(one.times[0] for one in series)
    dated = isinstance(series[0].times, pd.DatetimeIndex)
    longest = max(series, key=len)
    years = (longest.times[len(longest) - 1] - longest.times[0]).total_seconds() / _YEAR if dated else 0.0
    usual = season_of(frequency)
    some = [series[i] for i in np.unique(np.linspace(0, len(series) - 1, _SERIES).astype(int))]
    parts = [one.values[: max(2, round((1 - _HELD) * len(one))), : len(read.roles.targets)] for one in some]
    found = find_season([part[:, 0] for part in parts])
    if found == 1 and repeats([part[:, 0] for part in parts], usual):
        found = usual  # longer than what is looked for, or with small steps under more noise
    return SeriesFacts(
        frequency=frequency,
        usual_season=usual,
        found_season=found,
        lengths=tuple(map(len, series)),
        behind=tuple(round(steps_between(end, last, frequency)) for end in ends),
        total=1 + round(steps_between(first, last, frequency)),
        dated=dated,
        years=years,
        proportional=all((one.values[:, : len(read.roles.targets)] > 0).all() for one in series)
        and _proportional(parts, usual),
    )


def find_season(series: Sequence[NDArray[np.float64]]) -> int:
    """The lag at which the changes of the series agree best with themselves; 1 where none does clearly."""
    longest = min(LONGEST_SEASON, max(map(len, series)) // 3)
    if longest < 3:
        return 1
    total, counted = np.zeros(longest + 1), 0
    for values in series:
        changes = np.diff(values[-_LOOKED_AT:])
        size = changes.std()
        rounding = 64 * np.finfo(np.float64).eps * np.abs(values).max(initial=0)
        if len(changes) < 3 * 4 or not size > rounding:
            continue
        changes = np.clip((changes - changes.mean()) / size, -4, 4)
        spectrum = np.abs(np.fft.rfft(changes, 2 * len(changes))) ** 2
        correlation = np.fft.irfft(spectrum)[: longest + 1]
        correlation /= max(correlation[0], 1e-12)
        total[: len(correlation)] += correlation
        counted += 1
    if not counted:
        return 1
    mean = total / counted
    inner = np.arange(2, longest)
    peaks = inner[(mean[inner] >= mean[inner - 1]) & (mean[inner] >= mean[inner + 1])]
    if not len(peaks):
        return 1
    best = int(peaks[np.argmax(mean[peaks])])
    if mean[best] < CLEAR:
        return 1
    # two or three seasons agree nearly as well as one: the first that does is the season
    best = int(next(lag for lag in peaks if mean[lag] >= 0.9 * mean[best]))
    return best if mean[best] >= CLEAR else 1


def repeats(series: Sequence[NDArray[np.float64]], season: int) -> bool:
    """Whether every other season follows the mean of the rest, each less its own mean and the trend of all.

    How closely is each one's coefficient of regression on that mean: 1 where seasons are alike but for noise, and 0 but
    for chance where they are not. What several series meet at the same time is one witness.
    """
    found: list[list[float]] = []  # of each series, the last season first
    for values in series:
        count = min(len(values), _LOOKED_AT) // season if season > 1 else 0
        if count < _FEWEST:
            continue
        seasons = values[-count * season :].reshape(count, season)
        means = seasons.mean(axis=1, keepdims=True)
        slope = (means[-1, 0] - means[0, 0]) / ((count - 1) * season)
        within = (seasons - means - slope * (np.arange(season) - (season - 1) / 2))[::-1]
        profile = within[1::2].mean(axis=0)
        if (size := float(profile @ profile)) > 0:
            found.append((within[::2] @ profile / size).tolist())
    together = [np.mean([one for one in row if one is not None]) for row in zip_longest(*found)]
    if len(together) < _FEWEST // 2:
        return False
    mean, error = float(np.mean(together)), float(np.std(together, ddof=1)) / len(together) ** 0.5
    return mean > 0.5 and mean > _SURE * error


def _proportional(parts: Sequence[NDArray[np.float64]], season: int) -> bool:
    """Whether blocks of a series vary the more the higher they lie, by the slope of log size on log level."""
    slopes = []
    for part in parts:
        length = max(season, 4)
        for column in part.T:
            count = len(column) // length
            if count < 5 or column.min() <= 0:
                continue
            blocks = column[: count * length].reshape(count, length)
            level, size = np.log(blocks.mean(axis=1)), blocks.std(axis=1)
            if np.ptp(level) < np.log(2) or (size <= 0).any():
                continue
            slopes.append(float(np.polyfit(level, np.log(size), 1)[0]))
    return len(slopes) > len(parts) / 2 and float(np.median(slopes)) > 0.6
