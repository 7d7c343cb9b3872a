"""Where one may stand in a series and look back and ahead: the windows of a split in time.

T rows of a window, F steps of the horizon, B windows, Y targets, P past covariates, K known-future ones, the calendar's
among them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from elman.data.timeseries.scaling import Array, FittedSeries
from elman.data.timeseries.table import Flags, TimeSeries
from elman.data.timeseries.timestamps import calendar, shown, times_after
from elman.errors import UserError

if TYPE_CHECKING:
    import torch
    from torch import Tensor

Split = Literal["times", "series"]
"""Whether all series are cut at the same two times, or each at its own end."""
Part = tuple[int, int]
"""The rows of a series from which (included) to which (excluded) forecasts may reach."""
PASSAGES = 16
"""Runs of windows that follow each other, where some stand for all."""
NUMBERS_AT_ONCE = 1 << 24
"""What windows look back on, in float64, of as many as are laid side by side: 128 MiB."""


class WindowBatch(NamedTuple):
    """What is known, and what comes.

    values (T, B, Y + P) up to the present; known (T + F, B, K) of the window and of the horizon; future (F, B, Y);
    observed (T + F, B, Y) whether a target was measured or filled in.
    """

    values: Tensor
    known: Tensor
    future: Tensor
    observed: Tensor

    def to(self, device: torch.device) -> WindowBatch:
        """The same windows on a device."""
        return WindowBatch(*(tensor.to(device) for tensor in self))


@dataclass(frozen=True)
class ScaledSeries:
    """A series as a network reads it, and as it was.

    Arguments:
        values: (N, Y + P).
        known: (N + F, K) with the calendar.
        raw: the series in its own units.
        observed: (N, Y) whether a target was measured.
    """

    values: Array
    known: Array
    raw: TimeSeries
    observed: Flags


def scale_series(series: TimeSeries, fitted: FittedSeries, source: str, ahead: int = 0) -> ScaledSeries:
    """Scale a series and add the calendar.

    Arguments:
        ahead: steps past the last value for which known columns are needed.

    Raises:
        UserError: the file does not know so much of the future, or the series is of another name.
    """
    scale = fitted.scale_of(series.name, source)
    values, known = scale.scaled(series, fitted.roles)
    times = series.times
    given = len(times) - len(values)
    if given < ahead:
        if fitted.roles.known:
            columns = ", ".join(map(repr, fitted.roles.known))
            where = f"{source}, series {series.name!r}" if series.name else source
            raise UserError(
                f"{where} has {given} rows after its last value ({shown(times[len(values) - 1])}), and the forecast of"
                f" {ahead} steps needs {columns} for each; add rows with these and an empty target"
            )
        times = times.append(times_after(times[-1], fitted.frequency, ahead - given))
        known = np.zeros((len(times), 0), np.float32)
    known = np.concatenate([known, calendar(times, fitted.calendar)], axis=1)
    return ScaledSeries(values, known, series, series.measured(len(fitted.roles.targets)))


@dataclass(frozen=True)
class Windows:
    """The windows of one part of several series.

    Arguments:
        series: what the windows are cut from.
        window: T.
        horizon: F.
        targets: Y.
        places: (W, 2) for each window the series, and the row of the first forecast step.
    """

    series: Sequence[ScaledSeries]
    window: int
    horizon: int
    targets: int
    places: NDArray[np.int64]

    @classmethod
    def within(
        cls, series: Sequence[ScaledSeries], parts: Sequence[Part], window: int, horizon: int, targets: int
    ) -> Windows:
        """All windows whose horizon lies inside the part of its series; what is looked back on may lie before it."""
        places = [
            np.stack([np.full(count, number), np.arange(first, first + count)], axis=1)
            for number, (begin, end) in enumerate(parts)
            if (count := end - horizon + 1 - (first := max(begin, window))) > 0
        ]
        return cls(series, window, horizon, targets, np.concatenate(places) if places else np.zeros((0, 2), np.int64))

    def __len__(self) -> int:
        return len(self.places)

    def thinned(self, most: int) -> Windows:
        """At most so many windows, evenly spread."""
        if len(self) <= most:
            return self
        return self._of(self.places[np.linspace(0, len(self) - 1, most).astype(int)])

    def passages(self, most: int) -> Windows:
        """So many windows in `PASSAGES` runs of them, or as many as there are windows, evenly spread; all for 0."""
        if not most or len(self) <= most:
            return self
        runs = min(PASSAGES, most)
        sizes = np.diff(np.arange(runs + 1) * most // runs)
        left_out_before = np.linspace(0, len(self) - most, runs).astype(np.int64)
        return self._of(self.places[np.arange(most) + np.repeat(left_out_before, sizes)])

    def pieces(self) -> Iterator[Windows]:
        """All windows in order, so many at a time that what they look back on is `NUMBERS_AT_ONCE` at most."""
        most = max(1, NUMBERS_AT_ONCE // (self.window * self.targets))
        for begin in range(0, len(self), most):
            yield self._of(self.places[begin : begin + most])

    def _of(self, places: NDArray[np.int64]) -> Windows:
        return Windows(self.series, self.window, self.horizon, self.targets, places)

    def batch(self, chosen: NDArray[np.int64]) -> WindowBatch:
        """The windows of these numbers side by side."""
        import torch

        parts = zip(*(self._cut(*place) for place in self.places[chosen].tolist()), strict=True)
        return WindowBatch(*(torch.from_numpy(np.stack(part, axis=1)) for part in parts))

    def _cut(self, number: int, origin: int) -> tuple[Array, Array, Array, Flags]:
        series, start, end = self.series[number], origin - self.window, origin + self.horizon
        return (
            series.values[start:origin],
            series.known[start:end],
            series.values[origin:end, : self.targets],
            series.observed[start:end],
        )

    def rows(self, begin: int, end: int) -> Iterator[tuple[int, NDArray[np.int64], NDArray[np.int64]]]:
        """Each series' number, which windows are its own, and (n, end - begin) rows of it from where these begin."""
        numbers, origins = self.places.T
        for number in np.unique(numbers).tolist():
            own = np.flatnonzero(numbers == number)
            yield number, own, origins[own, None] + np.arange(begin, end)

    def truth(self) -> NDArray[np.float64]:
        """(W, F, Y) what came, in the targets' own units; NaN where nothing was measured."""
        found = np.empty((len(self), self.horizon, self.targets))
        for number, own, rows in self.rows(0, self.horizon):
            one = self.series[number]
            found[own] = np.where(one.observed[rows], one.raw.values[:, : self.targets][rows], np.nan)
        return found

    def history(self) -> NDArray[np.float64]:
        """(W, T, Y) the targets that were looked back on, in their own units."""
        found = np.empty((len(self), self.window, self.targets))
        for number, own, rows in self.rows(-self.window, 0):
            found[own] = self.series[number].raw.values[:, : self.targets][rows]
        return found


def split_in_time(
    series: Sequence[TimeSeries], validation: float, test: float, split: Split = "times"
) -> list[tuple[int, int, int]]:
    """Cut all series at the same two times, or each by itself at its own end.

    Arguments:
        validation, test: shares of all times (or of each series' rows) if below 1, else numbers of them, at the end.

    Returns:
        for each series the row where validation begins, the row where the test begins, and its number of rows.

    Raises:
        UserError: nothing is left to train on.
    """
    if split == "series":
        cuts = [_own_cut(len(one), validation, test) for one in series]
        _check_left(max(cut[0] for cut in cuts), max(map(len, series)), validation, test)
        return cuts
    times = series[0].times[: len(series[0])]
    for other in series[1:]:
        times = times.union(other.times[: len(other)])
    left, tested, _ = _own_cut(len(times), validation, test)
    _check_left(left, len(times), validation, test)
    ends = times[left], times[tested] if tested < len(times) else None
    return [_cuts(one, *ends) for one in series]


def _own_cut(count: int, validation: float, test: float) -> tuple[int, int, int]:
    held = [round(part * count) if part < 1 else int(part) for part in (validation, test)]
    return max(0, count - sum(held)), max(0, count - held[1]), count


def _check_left(left: int, count: int, validation: float, test: float) -> None:
    if left < 1:
        raise UserError(
            f"`validation={validation:g}` and `test={test:g}` leave nothing of {count} times to train on; lower them"
        )


def _cuts(series: TimeSeries, validation: object, test: object | None) -> tuple[int, int, int]:
    times = series.times[: len(series)]
    first = int(times.searchsorted(validation))
    return first, len(series) if test is None else int(times.searchsorted(test)), len(series)
