"""ETTh1, 24 hours ahead from 96: how well any line through the lags could do, fitted to the test rows themselves.

A forecast that is fitted to what it is measured on is no forecast; it says what is left for one to reach. By least
squares, and by least absolute errors, which are what MAE measures. Run: python benchmarks/hindsight.py
"""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from elman.data.timeseries.forecasting import read_source

BACK, AHEAD = 96, 24
TRAIN, TEST = (0, 8_640), (11_520, 14_400)  # rows of the targets: 12 months, and the last 4 of 20
Values = NDArray[np.float64]


def windows(series: Values, rows: tuple[int, int]) -> tuple[Values, Values]:
    """Lags with a one behind them (W, BACK + 1), and what followed (W, AHEAD), for targets within `rows`."""
    first = max(rows[0], BACK)
    every = sliding_window_view(series[first - BACK : rows[1]], BACK + AHEAD)
    return np.c_[every[:, :BACK], np.ones(len(every))], every[:, BACK:]


def least_squares(lags: Values, future: Values, shares: Values | float = 1.0) -> Values:
    """Weights (BACK + 1, ...) with the least sum of squared errors, each window's times its share."""
    weighted = lags.T * shares
    weights: Values = np.linalg.solve(weighted @ lags, weighted @ future)
    return weights


def least_absolute(lags: Values, future: Values, rounds: int = 40) -> Values:
    """Weights (BACK + 1, AHEAD) with the least sum of absolute errors, by least squares weighted anew in each round."""
    columns = []
    for target in future.T:
        weights = least_squares(lags, target)
        for _ in range(rounds):
            weights = least_squares(lags, target, 1 / np.maximum(np.abs(lags @ weights - target), 1e-3))
        columns.append(weights)
    return np.stack(columns, axis=1)


def main() -> None:
    series = read_source("etth1", "")[0]["OT"].to_numpy(np.float64)
    train, (lags, future) = windows(series, TRAIN), windows(series, TEST)
    table = Table("forecast of the test part", "MAE")
    for name, forecast in {
        "the last value": lags[:, BACK - 1 : BACK],
        "line, fitted to the training part": lags @ least_squares(*train),
        "line, least squares on the test part itself": lags @ least_squares(lags, future),
        "line, least absolute errors on the test part itself": lags @ least_absolute(lags, future),
    }.items():
        table.add_row(name, f"{np.abs(forecast - future).mean():.3f}")
    Console().print(table)


if __name__ == "__main__":
    main()
