"""What is to be forecast, as a table: paths and data frames as they are, a series of numbers as one of one column."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from elman.data.timeseries.roles import Roles
from elman.errors import UserError, optional_imports


def as_table(value: Any, roles: Roles) -> Any:
    """A series, an array or a list of numbers as a data frame; its values are the run's target, where that is one.

    Raises:
        UserError: the run has several targets, so that one series does not say which it is.
    """
    with optional_imports():
        import pandas as pd

    if isinstance(value, str | Path | pd.DataFrame):
        return value
    if len(roles.targets) > 1:
        raise UserError(f"this run forecasts {', '.join(roles.targets)}; give a data frame with these columns")
    if not isinstance(value, pd.Series):
        array = np.asarray(value)
        if array.size != len(array):
            raise UserError(f"the series has shape {array.shape}; give (T,) numbers, or a data frame")
        value = pd.Series(array.reshape(len(array)))
    series = value
    if roles.time and not isinstance(series.index, pd.RangeIndex):
        series = series.rename_axis(roles.time)  # times are the index, whatever it is called
    return series.to_frame(roles.targets[0])
