"""Forecasts that would have been made in the past, beside what came. W origins, F steps ahead, Y targets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from elman.data.timeseries.forecasting import all_windows, read_other
from elman.data.timeseries.windows import Windows
from elman.errors import UserError, optional_imports

if TYPE_CHECKING:
    import pandas as pd
    from torch import nn

    from elman.metrics.forecasting import Forecasts
    from elman.tasks.forecasting.task import Task


def historical(
    task: Task, model: nn.Module, table: pd.DataFrame, start: float, horizon: int, stride: int
) -> pd.DataFrame:
    """What a forecaster, as it is, says at each of many times of a table, and what came.

    Arguments:
        start: where the first forecast begins: a share of each series' rows below 1, else a number of rows.
        horizon: steps ahead, those of the run or fewer.
        stride: rows between two origins.

    Returns:
        a row for each series, origin, step and target, with the columns series, origin (the last time that was
        known), time, step, target, forecast, lower and upper (with intervals) and actual.

    Raises:
        UserError: no forecast has room, or as `read_other`.
    """
    s, targets = task.settings, task.fitted.roles.targets
    series = read_other(table, task.fitted, s.missing, 0)
    places = []
    for number, one in enumerate(series):
        rows = len(one.values)
        first = max(s.window, int(start * rows) if start < 1 else int(start))
        places += [(number, origin) for origin in range(first, rows - s.horizon + 1, stride)]
    if not places:
        raise UserError(
            f"no forecast has room: after `start={start:g}` there must be {s.horizon} rows, and {s.window} before it"
        )
    windows = Windows(series, s.window, s.horizon, len(targets), np.array(places))
    with torch.no_grad():
        found = task.ask(model, windows, past=all_windows(series, task.fitted, s.window, s.horizon))
    return _rows(windows, found, targets, horizon)


def _rows(windows: Windows, found: Forecasts, targets: tuple[str, ...], horizon: int) -> pd.DataFrame:
    with optional_imports():
        import pandas as pd

    truth, parts = windows.truth(), []
    for w, (number, origin) in enumerate(windows.places.tolist()):
        raw = windows.series[number].raw
        for y, target in enumerate(targets):
            columns: dict[str, Any] = {
                "series": raw.name,
                "origin": raw.times[origin - 1],
                "time": raw.times[origin : origin + horizon],
                "step": np.arange(1, horizon + 1),
                "target": target,
                "forecast": found.point[w, :horizon, y],
            }
            if found.lower is not None and found.upper is not None:
                columns |= {"lower": found.lower[w, :horizon, y], "upper": found.upper[w, :horizon, y]}
            parts.append(pd.DataFrame({**columns, "actual": truth[w, :horizon, y]}))
    return pd.concat(parts, ignore_index=True)
