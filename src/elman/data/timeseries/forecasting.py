"""The series to forecast: a public dataset by name, a person's own file, or a table in memory."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from elman.data.datasets.cache import fetch
from elman.data.datasets.registry import find, own_path
from elman.data.io.tables import checked_table, read_table
from elman.data.timeseries.dates import DateOrder
from elman.data.timeseries.roles import Roles, roles_of, with_categories
from elman.data.timeseries.scaling import FittedSeries, Transform, fit_series
from elman.data.timeseries.table import Missing, TimeSeries, Values, read_series
from elman.data.timeseries.timestamps import Feature, TimeTexts, calendar_features, season_of
from elman.data.timeseries.windows import ScaledSeries, Split, Windows, scale_series, split_in_time
from elman.errors import UserError, optional_imports

if TYPE_CHECKING:
    import pandas as pd

log = logging.getLogger("elman")


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


def read_source(
    data: str | Path | pd.DataFrame | pd.Series,
    series_id: str,
    notes: list[str] | None = None,
    thousands: Collection[str] = (),
) -> tuple[pd.DataFrame, str]:
    """A table of series, and what to call it in a message.

    Arguments:
        data: a name of `NAMES`, a .csv, .tsv or .parquet file, a table, or one series whose index holds the times.
        series_id: the column of names, which stay the texts that they are; "" for none.
        notes, thousands: see `elman.data.io.tables.read_table`.

    Raises:
        UserError: it cannot be read or downloaded; an unknown name suggests the near one.
    """
    texts = {series_id} - {""}
    if not isinstance(data, str | Path):
        return checked_table(_as_table(data), "the table", texts=texts), "the table"
    if str(data) in NAMES:
        dataset = find(str(data))
        return read_table(fetch(dataset.name) / dataset.files[0].file, texts=texts), dataset.files[0].file
    path = own_path(data, "series in time", list(NAMES))
    return read_table(path, texts=texts, notes=notes, thousands=thousands), str(path)


def _as_table(data: Any) -> pd.DataFrame:
    with optional_imports():
        import pandas as pd

    if isinstance(data, pd.Series):
        data = data.to_frame(data.name if data.name is not None else "value")
    if not isinstance(data, pd.DataFrame):
        raise UserError(f"a {type(data).__name__} is no table; give a file's name, or a table or series of pandas")
    return data


@dataclass(frozen=True)
class Reading:
    """How a table is read.

    Arguments:
        time, target, past, known, series_id: see `elman.data.timeseries.roles.roles_of`.
        frequency, missing, date_order: see `elman.data.timeseries.table.read_series`.
        rows: of the table that count, from the first; 0 takes all.
    """

    time: tuple[str, ...]
    target: tuple[str, ...]
    past: tuple[str, ...]
    known: tuple[str, ...]
    series_id: str
    frequency: str
    missing: Missing
    date_order: DateOrder
    rows: int


@dataclass(frozen=True)
class Cutting:
    """How series are cut into windows of parts.

    Arguments:
        transform: what is done to the targets before they are scaled.
        calendar: features to make from the times; None takes the one that suits the step.
        season: rows, or 0 for the usual one of the step.
        window, horizon: T and F.
        validation, test, split: see `elman.data.timeseries.windows.split_in_time`.
    """

    transform: Transform
    calendar: tuple[Feature, ...] | None
    season: int
    window: int
    horizon: int
    validation: float
    test: float
    split: Split


@dataclass(frozen=True)
class SourceSeries:
    """The series of a source as they were read: S of them.

    Arguments:
        frequency: the step that they share.
        source: what to call the source in a message.
        notes: what was decided in reading it and might surprise.
        rows: of the table that they were read from.
        thousands: columns of the table whose points were read as marks between thousands.
    """

    series: tuple[TimeSeries, ...]
    roles: Roles
    frequency: str
    date_order: DateOrder
    source: str
    notes: tuple[str, ...] = ()
    rows: int = 0
    thousands: tuple[str, ...] = ()


@dataclass(frozen=True)
class ForecastData:
    """Series split in time, scaled by what their training parts taught.

    Arguments:
        held: validation and test in one, with the windows that reach over the border between them.
        notes: which series have no forecast in a part, so that nobody takes a figure for that of all series.
    """

    fitted: FittedSeries
    series: tuple[ScaledSeries, ...]
    train: Windows
    validation: Windows
    test: Windows
    held: Windows
    notes: tuple[str, ...] = ()

    def contents(self) -> Iterator[tuple[str, TimeTexts, Values, Values]]:
        """Name, times, values and known columns of every series."""
        raw = (one.raw for one in self.series)
        return ((one.name, TimeTexts(one.times), one.values, one.known) for one in raw)


def read_all_series(data: str | Path | pd.DataFrame, reading: Reading) -> SourceSeries:
    """Read and check the series of a source.

    Raises:
        UserError: whatever of this fails; the message says where.
    """
    r, notes = reading, list[str]()
    table, source = read_source(data, r.series_id, notes)
    named = {"time": r.time, "targets": r.target, "past": r.past, "known": r.known}
    roles = roles_of(table, source, **named, series_id=r.series_id, notes=notes)
    rows = table.iloc[: r.rows] if r.rows else table
    roles = with_categories(rows, roles, source)
    read = read_series(
        rows, roles, source, missing=r.missing, frequency=r.frequency, date_order=r.date_order, notes=notes
    )
    thousands = tuple(table.attrs.get("thousands", ()))
    found = tuple(read.series), roles, read.frequency, read.date_order, source, tuple(notes), len(rows), thousands
    return SourceSeries(*found)


def cut_and_scale(read: SourceSeries, cutting: Cutting) -> ForecastData:
    """Split series in time and scale them.

    Raises:
        UserError: a part is too short, or a series cannot be scaled.
    """
    c, source = cutting, read.source
    longest = max(map(len, read.series))
    if c.horizon >= longest:
        raise UserError(f"`horizon={c.horizon}` is longer than the data: {source} has {longest} rows; choose a shorter")
    cuts = split_in_time(read.series, c.validation, c.test, c.split)
    calendar = calendar_features(read.frequency) if c.calendar is None else c.calendar
    season = c.season or season_of(read.frequency)
    begins = [cut[0] for cut in cuts]
    fitted = fit_series(read.series, begins, read.roles, read.frequency, season, calendar, c.transform, read.date_order)
    fitted = replace(fitted, thousands=read.thousands)
    scaled = tuple(scale_series(one, fitted, source) for one in read.series if one.name in fitted.scales)
    cuts = [cut for one, cut in zip(read.series, cuts, strict=True) if one.name in fitted.scales]
    parts = [
        Windows.within(scaled, [edges(cut) for cut in cuts], c.window, c.horizon, len(read.roles.targets))
        for edges in (lambda c: (0, c[0]), lambda c: (c[0], c[1]), lambda c: (c[1], c[2]), lambda c: (c[0], c[2]))
    ]
    _check_enough(parts[:3], cuts, cutting, source)
    train, validation, test, held = parts
    notes = _absent(parts[:3], read.series, cutting, source)
    return ForecastData(fitted, scaled, train, validation, test, held, notes)


def read_other(
    data: str | Path | pd.DataFrame, fitted: FittedSeries, missing: Missing, ahead: int
) -> list[ScaledSeries]:
    """The series of another table with the columns of the run's own.

    Arguments:
        ahead: steps past the last values for which known-future columns are needed.

    Raises:
        UserError: a column is missing, the times have another step, a series was never seen, or as for training.
    """
    notes: list[str] = []
    table, source = read_source(data, fitted.roles.series_id, notes, fitted.thousands)
    for note in notes:
        log.warning("%s", note)
    read = read_series(
        table, fitted.roles, source, missing=missing, frequency=fitted.frequency, date_order=fitted.date_order
    )
    return [scale_series(one, fitted, source, ahead) for one in read.series]


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


def _check_enough(parts: Sequence[Windows], cuts: Sequence[tuple[int, int, int]], c: Cutting, source: str) -> None:
    train, validation, test = parts
    if not len(train):
        most = max(cut[0] for cut in cuts)
        raise UserError(
            f"{source}: too few rows for one window: the training part has {most}, and `window={c.window}` and"
            f" `horizon={c.horizon}` take {c.window + c.horizon}; lower them, or give more rows"
        )
    for name, part, first, end in (("validation", validation, 0, 1), ("test", test, 1, 2)):
        if not len(part) and (name == "validation" or c.test):
            most = max(cut[end] - cut[first] for cut in cuts)
            raise UserError(
                f"{source}: the {name} part has {most} rows, fewer than `horizon={c.horizon}`; raise `{name}` or lower"
                " the horizon"
            )


def _absent(parts: Sequence[Windows], series: Sequence[TimeSeries], c: Cutting, source: str) -> tuple[str, ...]:
    """Which series have no forecast in a part."""
    notes = []
    for name, part in zip(("training", "validation", "test"), parts, strict=True):
        there = {part.series[number].raw.name for number in set(part.places[:, 0].tolist())}
        absent = [one.name for one in series if one.name not in there]
        if absent and (name != "test" or c.test):
            some = ", ".join(map(repr, absent[:5])) + (", ..." if len(absent) > 5 else "")
            why = (
                "they end before it, or are too short"
                if name != "training"
                else "they begin after it, or are too short"
            )
            notes.append(
                f"{source}: {len(absent)} of {len(series)} series ({some}) have no forecast in the {name} part: {why}"
            )
    return tuple(notes)
