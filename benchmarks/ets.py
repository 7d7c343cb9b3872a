"""Exponential smoothing with trend and season (ETS) as a peer of a forecasting run, by statsmodels.

Each test forecast has a model of its own, fitted on all of the series before it: the one of six forms (additive or no
trend, which may be damped, additive or no season) whose corrected AIC is least.
"""

from __future__ import annotations

import warnings
from itertools import product

import numpy as np
from numpy.typing import NDArray

from elman.metrics.forecasting import errors
from elman.run import Run
from elman.tasks.forecasting.evaluation import naive_errors

MOST_WINDOWS = 100
"""Test windows that are forecast, evenly spread."""
FORMS = tuple(product((None, "add"), (False, True), (None, "add")))


def ets_mase(run: Run) -> float:
    """MASE of ETS on the test part of a run of one target; NaN where statsmodels is not installed."""
    try:
        import statsmodels.tsa.holtwinters  # noqa: F401
    except ImportError:
        return float("nan")
    windows, fitted = run.task.data.test.thinned(MOST_WINDOWS), run.task.fitted
    points = []
    for series, origin in windows.places.tolist():
        known = windows.series[series].raw.values[:origin, 0]
        points.append(forecast(known, windows.horizon, fitted.season))
    return errors(np.stack(points)[:, :, None], windows.truth(), naive_errors(windows, fitted))["mase"]


def forecast(known: NDArray[np.float64], horizon: int, season: int) -> NDArray[np.float64]:
    """(F,) the forecast of the best form; the last value where none can be fitted."""
    from statsmodels.tsa.holtwinters import ExponentialSmoothing

    found: list[tuple[float, NDArray[np.float64]]] = []
    for trend, damped, seasonal in FORMS:
        if (damped and trend is None) or (seasonal and not 1 < season <= len(known) // 2):
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            form = {"trend": trend, "damped_trend": damped, "seasonal": seasonal}
            periods = {"seasonal_periods": season} if seasonal else {}
            fit = ExponentialSmoothing(known, **form, **periods, initialization_method="estimated").fit()
        point = np.asarray(fit.forecast(horizon))
        if np.isfinite(fit.aicc) and np.isfinite(point).all():
            found.append((float(fit.aicc), point))
    return min(found, key=lambda one: one[0])[1] if found else np.repeat(known[-1:], horizon)
