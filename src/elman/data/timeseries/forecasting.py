"""The series to forecast: a public dataset by name, a person's own file, or a table in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from elman.data.datasets.cache import fetch
from elman.data.datasets.registry import find, own_path
from elman.data.io.tables import checked_table, read_table
from elman.data.timeseries.scaling import FittedSeries, Transform, fit_series
from elman.data.timeseries.table import Missing, read_series, roles_of
from elman.data.timeseries.timestamps import Feature, calendar_features, season_of
from elman.data.timeseries.windows import ScaledSeries, Windows, scale_series, split_in_time
from elman.errors import UserError

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Standard:
    """How a dataset is usually split: rows that count (0: all), and the last parts as shares or numbers of rows."""

    rows: int
    validation: float
    test: float


NAMES = {
    "etth1": Standard(14_400, 2_880, 2_880),
    "airline": Standard(0, 24, 24),
    "sunspots": Standard(0, 0.1, 0.1),
}
"""The datasets that are known by name."""
OTHERS = Standard(0, 0.1, 0.1)


def read_source(data: str | Path | pd.DataFrame, series_id: str) -> tuple[pd.DataFrame, str]:
    """A table of series, and what to call it in a message.

    Arguments:
        data: a name of `NAMES`, a .csv, .tsv or .parquet file, or a table.
        series_id: the column of names, which stay the texts that they are; "" for none.

    Raises:
        UserError: it cannot be read or downloaded; an unknown name suggests the near one.
    """
    if not isinstance(data, str | Path):
        return checked_table(data, "the table", texts={series_id}), "the table"
    if str(data) in NAMES:
        dataset = find(str(data))
        return read_table(fetch(dataset.name) / dataset.files[0].file, texts={series_id}), dataset.files[0].file
    path = own_path(data, "series in time", list(NAMES))
    return read_table(path, texts={series_id}), str(path)


@dataclass(frozen=True)
class Reading:
    """How a table is read, and how its series are cut.

    Arguments:
        time, target, past, known, series_id, frequency: see `elman.data.timeseries.table.roles_of` and `read_series`.
        missing: what becomes of empty cells and left-out times.
        transform: what is done to the targets before they are scaled.
        calendar: features to make from the times; None takes the one that suits the step.
        season: rows, or 0 for the usual one of the step.
        window, horizon: T and F.
        rows: of the table that count, from the first; 0 takes all.
        validation, test: shares or numbers of times at the end.
    """

    time: str
    target: tuple[str, ...]
    past: tuple[str, ...]
    known: tuple[str, ...]
    series_id: str
    frequency: str
    missing: Missing
    transform: Transform
    calendar: tuple[Feature, ...] | None
    season: int
    window: int
    horizon: int
    rows: int
    validation: float
    test: float


@dataclass(frozen=True)
class ForecastData:
    """Series split in time, scaled by what their training parts taught.

    Arguments:
        held: validation and test in one, with the windows that reach over the border between them.
    """

    fitted: FittedSeries
    series: tuple[ScaledSeries, ...]
    train: Windows
    validation: Windows
    test: Windows
    held: Windows


def read_forecast_data(data: str | Path, reading: Reading) -> ForecastData:
    """Read, check, split in time and scale.

    Raises:
        UserError: whatever of this fails; the message says where.
    """
    r = reading
    table, source = read_source(data, r.series_id)
    roles = roles_of(
        list(table.columns), source, time=r.time, targets=r.target, past=r.past, known=r.known, series_id=r.series_id
    )
    rows = table.iloc[: r.rows] if r.rows else table
    series, frequency = read_series(rows, roles, source, missing=r.missing, frequency=r.frequency)
    longest = max(map(len, series))
    if r.horizon >= longest:
        raise UserError(f"`horizon={r.horizon}` is longer than the data: {source} has {longest} rows; choose a shorter")
    cuts = split_in_time(series, r.validation, r.test)
    calendar = calendar_features(frequency) if r.calendar is None else r.calendar
    fitted = fit_series(
        series, [cut[0] for cut in cuts], roles, frequency, r.season or season_of(frequency), calendar, r.transform
    )
    scaled = tuple(scale_series(one, fitted, source) for one in series if one.name in fitted.scales)
    cuts = [cut for one, cut in zip(series, cuts, strict=True) if one.name in fitted.scales]
    parts = [
        Windows.within(scaled, [edges(cut) for cut in cuts], r.window, r.horizon, len(roles.targets))
        for edges in (lambda c: (0, c[0]), lambda c: (c[0], c[1]), lambda c: (c[1], c[2]), lambda c: (c[0], c[2]))
    ]
    _check_enough(parts[:3], cuts, reading, source)
    return ForecastData(fitted, scaled, *parts)


def read_other(
    data: str | Path | pd.DataFrame, fitted: FittedSeries, missing: Missing, ahead: int
) -> list[ScaledSeries]:
    """The series of another table with the columns of the run's own.

    Arguments:
        ahead: steps past the last values for which known-future columns are needed.

    Raises:
        UserError: a column is missing, the times have another step, a series was never seen, or as for training.
    """
    table, source = read_source(data, fitted.roles.series_id)
    series, _ = read_series(table, fitted.roles, source, missing=missing, frequency=fitted.frequency)
    return [scale_series(one, fitted, source, ahead) for one in series]


def read_windows(
    data: str | Path | pd.DataFrame, fitted: FittedSeries, missing: Missing, window: int, horizon: int
) -> Windows:
    """All windows of another table, with what came after each.

    Raises:
        UserError: as `read_other`; or there is no such window.
    """
    windows = all_windows(read_other(data, fitted, missing, 0), fitted, window, horizon)
    if not len(windows):
        raise UserError(f"{data}: no series has the {window + horizon} rows that one forecast and its truth take")
    return windows


def read_to_continue(
    data: str | Path | pd.DataFrame, fitted: FittedSeries, missing: Missing, window: int, ahead: int
) -> list[ScaledSeries]:
    """The series of a table, each long enough to look back on.

    Raises:
        UserError: as `read_other`; or one has fewer rows than a window.
    """
    series = read_other(data, fitted, missing, ahead)
    for one in series:
        if len(one.values) < window:
            name = f"series {one.raw.name!r}" if one.raw.name else "the series"
            raise UserError(
                f"{data if isinstance(data, str | Path) else 'the table'}: {name} has {len(one.values)} rows, and"
                f" a forecast looks back on {window}; give more"
            )
    return series


def all_windows(series: Sequence[ScaledSeries], fitted: FittedSeries, window: int, horizon: int) -> Windows:
    """All windows of whole series."""
    parts = [(0, len(one.values)) for one in series]
    return Windows.within(series, parts, window, horizon, len(fitted.roles.targets))


def _check_enough(parts: Sequence[Windows], cuts: Sequence[tuple[int, int, int]], r: Reading, source: str) -> None:
    train, validation, test = parts
    if not len(train):
        most = max(cut[0] for cut in cuts)
        raise UserError(
            f"{source}: too few rows for one window: the training part has {most}, and `window={r.window}` and"
            f" `horizon={r.horizon}` take {r.window + r.horizon}; lower them, or give more rows"
        )
    for name, part, first, end in (("validation", validation, 0, 1), ("test", test, 1, 2)):
        if not len(part) and (name == "validation" or r.test):
            most = max(cut[end] - cut[first] for cut in cuts)
            raise UserError(
                f"{source}: the {name} part has {most} rows, fewer than `horizon={r.horizon}`; raise `{name}` or lower"
                " the horizon"
            )
