"""Forecasts of any number of steps from a network that forecasts some at once: it goes on from its own.

F steps at once, Y targets.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from elman.data.timeseries.timestamps import times_after
from elman.errors import UserError, optional_imports
from elman.sklearn.tables import TIME, continued

with optional_imports():
    import pandas as pd

if TYPE_CHECKING:
    from torch import nn

    from elman.tasks.forecasting.prediction import Forecast
    from elman.tasks.forecasting.task import Task


@dataclass(frozen=True)
class GoingOn:
    """How series go on.

    Attributes:
        series: for each its forecasts, one after the other, together of `steps` steps or a few more.
        steps: that were asked for.
    """

    series: Sequence[Sequence[Forecast]]
    steps: int

    @property
    def at_once(self) -> bool:
        """Whether nothing was forecast from a forecast."""
        return all(len(parts) == 1 for parts in self.series)

    def values(self, what: str = "point") -> list[NDArray[np.float64]]:
        """For each series (steps, Y): the points, or the "lower" or "upper" ends of intervals."""
        return [
            np.concatenate(
                [np.stack([getattr(s, what) for s in part.continued.stretches.values()], axis=1) for part in parts]
            )[: self.steps]
            for parts in self.series
        ]

    def table(self) -> pd.DataFrame:
        """A row for each series, target and step: series, time, target, forecast, and of those at once lower, upper."""
        rows = []
        for parts in self.series:
            for target in parts[0].continued.stretches:
                stretches = [part.continued.stretches[target] for part in parts]
                columns: dict[str, Any] = {"series": parts[0].series}
                columns["time"] = np.concatenate([part.continued.times for part in parts])
                columns |= {"target": target, "forecast": np.concatenate([one.point for one in stretches])}
                if self.at_once and stretches[0].lower is not None:
                    columns |= {"lower": stretches[0].lower, "upper": stretches[0].upper}
                rows.append(pd.DataFrame(columns).head(self.steps))
        return pd.concat(rows, ignore_index=True)


def going_on(task: Task, model: nn.Module, history: pd.DataFrame, future: pd.DataFrame | None, steps: int) -> GoingOn:
    """Forecast what follows on a history.

    Arguments:
        future: rows of the covariates of as many steps, where the history does not hold them itself.

    Raises:
        UserError: the history cannot be read, or forecasts cannot go on from their own since a column has no future.
    """
    import torch

    from elman.tasks.forecasting.settings import Options

    s, roles = task.settings, task.fitted.roles
    if (
        s.mode == "direct"
        and steps > s.horizon
        and (roles.past or roles.time_parts or (roles.known and future is None))
    ):
        raise UserError(f"with these columns forecasts reach {s.horizon} steps; fit again with a larger `horizon`")
    recursive = s.mode == "recursive"
    at_once, found = (steps if recursive else s.horizon), []
    for done in range(0, steps, at_once):
        ahead = None if future is None else _padded(future[done : done + at_once], at_once, task.fitted.frequency)
        table = history if ahead is None else pd.concat([history, ahead], ignore_index=True)
        with torch.no_grad():
            block = task.predict(model, [table], Options(horizon=at_once if recursive else 0))
        found.append(cast("list[Forecast]", block))
        if done + at_once < steps:
            history = continued(history, block, roles, ahead)
    return GoingOn(list(zip(*found, strict=True)), steps)


def _padded(rows: pd.DataFrame, count: int, frequency: str) -> pd.DataFrame:
    """As many rows as are forecast at once: the last one again for steps that nobody asked for."""
    lacking = count - len(rows)
    if not lacking:
        return rows
    more = pd.concat([rows.iloc[-1:]] * lacking, ignore_index=True)
    more[TIME] = np.asarray(times_after(rows[TIME].iloc[-1], frequency, lacking))
    return pd.concat([rows, more], ignore_index=True)
