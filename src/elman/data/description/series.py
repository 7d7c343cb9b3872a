"""Series in time, as they were understood: what is ambiguous in them is asked about by the name of the setting."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from elman.data.description.facts import Column, Description, Fact, listed, spread
from elman.data.description.formats import column_of, columns_of, table_facts
from elman.data.io.delimited import read_delimited
from elman.data.io.files import exists, file_kind
from elman.data.timeseries.facts import facts_of
from elman.data.timeseries.forecasting import NAMES, Reading, SourceSeries, read_all_series, read_source
from elman.data.timeseries.roles import roles_of, time_column
from elman.data.timeseries.timestamps import shown
from elman.errors import UserError, optional_imports

if TYPE_CHECKING:
    import pandas as pd

KIND = "series in time"
_STEPS = {
    "s": "every second", "min": "every minute", "h": "hourly", "D": "daily", "B": "business days", "W": "weekly",
    "MS": "monthly", "ME": "monthly, by the last day", "QS": "quarterly", "QE": "quarterly, by the last day",
    "YS": "yearly", "YE": "yearly, by the last day",
}  # fmt: skip
_MOST_IDS = 0.5
"""A column that tells series apart has at most so many different cells, as a share of all."""
_LEAST_ROWS = 3
"""A number that names a series has at least so many rows."""


def describe_series(read: SourceSeries) -> Description:
    """Series that were read."""
    return Description(read.source, KIND, tuple(_facts(read)), notes=read.notes)


def describe_table(data: str, reading: Reading) -> Description:
    """Series in time in a file or dataset that may need more to be said of it before it can be trained on.

    Raises:
        UserError: it cannot be read as a table, or is wrong in a way that no setting mends.
    """
    questions: list[str] = []
    settings: dict[str, Any] = {}
    facts, columns = _written(data)
    read = None
    for _ in range(4):  # what is open may be: series, their dates, their gaps
        try:
            read = read_all_series(data, reading)
            break
        except UserError as error:
            answers = _answers(str(error), data, reading)
            if not answers:
                raise
            questions.append(str(error) + _suggested(answers))
            settings |= answers[0]
            reading = replace(reading, **answers[0])
    if read is None:
        raise UserError(f"{data}: {questions[-1]}")
    for one in _other_orders(questions, reading):
        try:
            again = read_all_series(data, one)
        except UserError:
            continue
        questions.append(
            f"read {reading.date_order} the step is {read.frequency}, to {_last(read)}; read {one.date_order} it is"
            f" {again.frequency}, to {_last(again)}"
        )
    return Description(read.source, KIND, (*facts, *_facts(read)), columns, read.notes, tuple(questions), settings)


def _answers(message: str, data: str, reading: Reading) -> list[dict[str, Any]]:
    """Settings that a message asks for, the likeliest first; none where it asks for none that is still open."""
    if "`series_id`" in message and not reading.series_id:
        return [{"series_id": name} for name in _series_columns(data, reading)]
    if "`date_order=" in message and reading.date_order == "auto":
        return [{"date_order": "day-first"}, {"date_order": "month-first"}]
    if "`missing=" in message and reading.missing == "refuse":
        return [{"missing": "interpolate"}, {"missing": "previous"}]
    return []


def _suggested(answers: Sequence[dict[str, Any]]) -> str:
    if "series_id" not in answers[0]:
        return ""
    return ": " + " or ".join(f"`series_id={one['series_id']}`" for one in answers)


def _series_columns(data: str, reading: Reading) -> list[str]:
    """The columns that tell series apart: with each of them, no time stands twice."""
    with optional_imports():
        import pandas as pd

    table, source = read_source(data, "")
    r = reading
    roles = roles_of(table, source, time=r.time, targets=r.target, past=r.past, known=r.known, series_id="")
    times = time_column(table, roles).astype(str)
    taken = {*roles.time_parts, roles.time, *r.target, *r.past, *r.known}
    numbers = [name for name in table.columns if name not in taken and pd.api.types.is_numeric_dtype(table[name])]
    found = []
    for name in table.columns:
        cells = table[name].astype(str)
        if name in numbers and not (_may_be_ids(table[name]) and (r.target or len(numbers) > 1)):
            continue
        if name in taken or not 1 < cells.nunique() <= _MOST_IDS * len(table):
            continue
        if not (cells + "\0" + times).duplicated().any():
            found.append(str(name))
    return found


def _may_be_ids(column: pd.Series) -> bool:
    """Whether numbers may be names of series: whole, and each in several rows."""
    whole = column.notna().all() and (column == column.round()).all()
    return bool(whole and column.value_counts().min() >= _LEAST_ROWS)


def _other_orders(questions: Sequence[str], reading: Reading) -> list[Reading]:
    if not any("`date_order=" in question for question in questions):
        return []
    return [replace(reading, date_order="month-first" if reading.date_order == "day-first" else "day-first")]


def _last(read: SourceSeries) -> str:
    return shown(max(one.times[len(one) - 1] for one in read.series))


def _written(data: str) -> tuple[list[Fact], tuple[Column, ...]]:
    """How the file is written, and its columns."""
    path = Path(data).expanduser()
    if data in NAMES or not exists(path):
        return [], ()
    if file_kind(path) in (".csv", ".tsv", ".xlsx"):
        return table_facts(path), columns_of(read_delimited(path))
    table, _ = read_source(data, "")
    return [], tuple(_frame_column(str(name), table[name]) for name in table.columns)


def _frame_column(name: str, column: pd.Series) -> Column:
    """A column of a table that keeps types."""
    cells = ["" if lost else str(cell) for cell, lost in zip(column, column.isna(), strict=True)]
    return column_of(name, cells)


def _facts(read: SourceSeries) -> list[Fact]:
    found, roles = facts_of(read), read.roles
    lengths = list(found.lengths)
    several = len(lengths) > 1
    first, last = min(one.times[0] for one in read.series), max(one.times[len(one) - 1] for one in read.series)
    step = _STEPS.get(read.frequency.split("-")[0].lstrip("0123456789"), "")
    step_text = f"{read.frequency} ({step})" if step and not read.frequency[0].isdigit() else read.frequency
    span = f"{shown(first)} to {shown(last)}"
    time = repr(roles.time) if roles.time else "the column without a name"
    facts = [
        Fact("rows", sum(lengths), f"{sum(lengths):,}", "" if several else f"{sum(lengths):,} rows"),
        Fact("time", roles.time, time, f"time {time}, step {step_text}, {span}"),
        Fact("step", read.frequency, step_text),
        Fact("span", [shown(first), shown(last)], span),
        Fact("calendar", found.dated, "the times are dates" if found.dated else "none: the times are numbers"),
    ]
    if several:
        names = [one.name for one in read.series]
        short = f"{len(names):,} series of {min(lengths):,} to {max(lengths):,} rows"
        text = f"{len(names):,} by {roles.series_id!r} ({listed(names, 5)}), of {spread(lengths)} rows"
        facts.insert(0, Fact("series", dict(zip(names, lengths, strict=True)), text, short))
        early = sum(rows > 0 for rows in found.behind)
        facts.append(Fact("series that end early", early))
    season = max(found.usual_season, 1)
    usual = f"{season} rows are usual for this step" if season > 1 else "none is usual for this step"
    seen = (
        f"the values repeat themselves after {found.found_season} rows"
        if found.found_season > 1
        else "none is seen in the values"
    )
    facts.append(Fact("season", {"usual": season, "seen": found.found_season}, f"{usual}; {seen}"))
    if read.date_order != "auto":
        facts.append(Fact("date order", read.date_order, brief=read.date_order))
    covariates = [*roles.past, *roles.known]
    targets = " ".join(map(repr, roles.targets))
    facts.append(Fact("target", list(roles.targets), targets, f"target {targets}"))
    if read.thousands:
        marked = " ".join(map(repr, read.thousands))
        facts.append(
            Fact("points between thousands", list(read.thousands), marked, f"points between thousands in {marked}")
        )
    if covariates:
        facts.append(Fact("covariates", covariates, " ".join(map(repr, covariates))))
    left_out = sum(len(one.times) for one in read.series) - read.rows
    if read.rows:
        facts.append(Fact("gaps", left_out, f"{left_out:,} times are left out" if left_out else "none"))
    empty = sum(int((~one.observed).sum()) for one in read.series if one.observed is not None)
    facts.append(Fact("empty target cells", empty))
    values = np.concatenate([one.values[:, 0] for one in read.series])
    facts.append(
        Fact(
            "target values",
            {"least": float(values.min()), "most": float(values.max())},
            f"{values.min():.6g} to {values.max():.6g}",
        )
    )
    return facts
