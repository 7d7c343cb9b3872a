"""`RNNForecaster`: the task `forecasting` as an estimator.

S series, N rows of one, F steps ahead, Y targets, K covariates whose future is known.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from elman.errors import UserError, optional_imports
from elman.sklearn.base import settings_from
from elman.sklearn.inputs import check_some, one_line
from elman.sklearn.numbers import plain, whole_number
from elman.sklearn.progress import telling

with optional_imports():
    import pandas as pd
    from sklearn.base import BaseEstimator, RegressorMixin, clone
    from sklearn.metrics import r2_score
    from sklearn.utils.validation import check_array, check_consistent_length, check_is_fitted, validate_data

    from elman.sklearn.forecasts import GoingOn, going_on
    from elman.sklearn.tables import SeriesTable, dates_of, rows_to_come, table_of

PLAIN = (
    *("cell", "layers", "dropout", "mode", "window", "horizon", "anchor", "combine", "season"),
    *("intervals", "level", "hidden_size", "steps", "batch_size", "lr", "validation", "missing", "frequency", "device"),
)
"""Parameters that are settings of the task `forecasting`."""
ROLES = ("time", "target", "past", "known", "series_id")
_WHY = "row k of predict(X) is the k-th step after the rows of fit, so that the order and the number of rows matter"
EXPECTED_FAILED_CHECKS = {"check_methods_sample_order_invariance": _WHY, "check_methods_subset_invariance": _WHY}
"""For scikit-learn's `check_estimator(RNNForecaster(), expected_failed_checks=...)`: what it cannot pass, and why."""


class RNNForecaster(RegressorMixin, BaseEstimator):
    """How series go on, by the network of `elman train forecasting`.

    Rows are times in order. `fit(series)` learns one series or many; `fit(X, y)` a series y with covariates X, whose
    future must be known: row k of `predict(X)` is then the k-th step after the last row of `fit`. So it goes into
    `cross_val_score` and `GridSearchCV` with `TimeSeriesSplit`, whose test rows follow on the training rows.

    Parameters that are 0, None or "auto" by default are found from the data, as the command does.

    Arguments:
        horizon: F, steps that are forecast at once; longer forecasts go on from their own.
        window: rows that are looked back on.
        mode: "direct", all steps at once, or "recursive", one after the other.
        anchor, combine, season: see `elman.tasks.forecasting.Settings`; so is `target_transform`, there `transform`.
        intervals, level: how intervals are made, and the share of values that they shall cover.
        cell, hidden_size, layers, dropout: the recurrent part.
        steps, batch_size, lr: optimiser steps, windows in one, and the peak learning rate of AdamW.
        validation: the last rows, a share below 1 or a number, that choose the best weights and calibrate intervals.
        missing: "refuse", "interpolate" or "previous": what becomes of NaN and of times that are left out.
        frequency: the step between rows as pandas writes it, where it is not to be found from the dates.
        time, target, past, known, series_id: columns of a data frame by their role, for `fit(frame)`.
        device: "auto", "cpu" or "cuda", to train on; forecasts are made on the CPU.
        settings: further settings of the task by their names, such as `{"nonlinearity": "relu"}`.
        random_state: seed of the initial weights, the order of the data and dropout.
        verbose: 1 tells how training goes, on standard error; 2 of every step.

    Attributes:
        settings_: the task's settings, with what was found from the data in its place; `choices_` says why.
        model_: the network.
        n_iter_: optimiser steps.
        validation_: errors on the validation rows, beside those of the best simple method.
    """

    def __init__(
        self,
        *,
        horizon: int = 0,
        window: int = 0,
        mode: Literal["direct", "recursive"] = "direct",
        anchor: Literal["auto", "none", "last", "season", "line"] = "auto",
        combine: Literal["auto", "anchor", "none"] = "auto",
        season: int = 0,
        target_transform: Literal["auto", "none", "log", "sqrt"] = "auto",
        intervals: Literal["auto", "quantile", "gaussian", "none"] = "auto",
        level: float = 0.8,
        cell: str = "rnn",
        hidden_size: int = 0,
        layers: int = 1,
        dropout: float = 0.1,
        steps: int = 0,
        batch_size: int = 0,
        lr: float = 2e-3,
        validation: float | None = None,
        missing: Literal["refuse", "interpolate", "previous"] = "refuse",
        frequency: str = "",
        time: str | Sequence[str] = (),
        target: str | Sequence[str] = (),
        past: str | Sequence[str] = (),
        known: str | Sequence[str] = (),
        series_id: str = "",
        device: Literal["auto", "cpu", "cuda"] = "auto",
        settings: Mapping[str, Any] | None = None,
        random_state: Any = None,
        verbose: int = 0,
    ) -> None:
        self.horizon = horizon
        self.window = window
        self.mode = mode
        self.anchor = anchor
        self.combine = combine
        self.season = season
        self.target_transform = target_transform
        self.intervals = intervals
        self.level = level
        self.cell = cell
        self.hidden_size = hidden_size
        self.layers = layers
        self.dropout = dropout
        self.steps = steps
        self.batch_size = batch_size
        self.lr = lr
        self.validation = validation
        self.missing = missing
        self.frequency = frequency
        self.time = time
        self.target = target
        self.past = past
        self.known = known
        self.series_id = series_id
        self.device = device
        self.settings = settings
        self.random_state = random_state
        self.verbose = verbose

    def fit(self, X: Any, y: ArrayLike | None = None) -> Self:
        """Train on series.

        Arguments:
            X: without y the series: (N,), (N, Y), a Series with dates, a list of these, (S, N, Y), or a data frame
                that `elman train forecasting` would read, with `target` and the other roles as parameters; of a frame
                whose index holds dates, without roles, each column is a target. With y the covariates (N, K).
            y: the series, (N,) or (N, Y).

        Raises:
            UserError: a series cannot be learned from, or a parameter is out of range.
        """
        with optional_imports():
            from elman.sklearn.in_memory import train_in_memory
            from elman.tasks.forecasting.settings import Settings
            from elman.tasks.forecasting.task import Task

        table = self._table(X, y, self._roles())
        fixed = {"data": "table", "test": 0.0, "transform": self.target_transform, **table.roles}
        settings = settings_from(Settings, self, PLAIN, **fixed)
        task = Task.of(settings, table.rows)
        with telling(self, self.verbose):
            self.model_, result = train_in_memory(task)
        self.settings_, self.choices_, self.n_iter_ = task.settings, task.choices, result.steps
        self.validation_ = result.metrics
        self.table_ = table
        self.task_ = Task(task.settings)  # without the data
        self.task_.fitted = task.fitted
        return self

    def _table(self, X: Any, y: Any, roles: dict[str, Any]) -> SeriesTable:
        check_some(X)
        if y is None:
            table = table_of(X, None, roles)
            if hasattr(self, "feature_names_in_"):
                del self.feature_names_in_  # of covariates, in an earlier `fit`
            self.n_features_in_ = X.shape[1] if table.kind == "frame" else len(table.roles["target"])
            return table
        finite = "allow-nan" if self.missing != "refuse" else True
        with one_line():
            covariates = validate_data(self, X, dtype=np.float64, ensure_all_finite=finite, ensure_min_samples=3)
            targets = check_array(y, dtype=np.float64, ensure_2d=False, input_name="y", ensure_all_finite=finite)
            check_consistent_length(covariates, targets)
        dates = dates_of(X) if dates_of(X) is not None else dates_of(y)
        return table_of(covariates if dates is None else pd.DataFrame(covariates, dates), targets, roles)

    def predict(self, X: Any = None, *, horizon: int | None = None, history: Any = None) -> Any:
        """How the series go on.

        Arguments:
            X: covariates of the rows to come, (F, K); of a data frame of many columns its rows to come. Or a number of
                steps. What was learned without covariates needs none.
            horizon: steps to forecast, `settings_.horizon` by default; with covariates as many as they have rows.
            history: series to go on from in place of those of `fit`, of the same kind; without covariates.

        Returns:
            (F,) or (F, Y) as y was; of many series a list of these, or (S, F, Y) as X was.

        Raises:
            UserError: covariates are missing, or of other columns than in `fit`.
        """
        return self._shaped(self._going_on(X, horizon, history).values())

    def predict_interval(self, X: Any = None, *, horizon: int | None = None) -> tuple[Any, Any]:
        """The lower and the upper ends of intervals that shall cover `level` of the values, each as `predict` returns.

        Raises:
            UserError: as `predict`; or `intervals` is "none", or there are more steps than are forecast at once.
        """
        check_is_fitted(self)
        if self.settings_.intervals == "none":
            raise UserError("`intervals` is 'none'; fit again with 'auto' to have some")
        found = self._going_on(X, horizon)
        if not found.at_once:
            raise UserError(f"intervals reach {self.settings_.horizon} steps ahead; fit again with a larger `horizon`")
        return self._shaped(found.values("lower")), self._shaped(found.values("upper"))

    def forecast(self, X: Any = None, *, horizon: int | None = None) -> pd.DataFrame:
        """What `predict` returns as a table with the columns series, time, target, forecast, and lower and upper.

        Raises:
            UserError: as `predict`.
        """
        return self._going_on(X, horizon).table()

    def score(self, X: Any, y: ArrayLike | None = None, sample_weight: ArrayLike | None = None) -> float:
        """R^2 of the forecast of the rows that follow on those of `fit`; without y, X is the series itself there."""
        if y is not None:
            return float(super().score(X, y, sample_weight))
        actual = np.asarray(X, dtype=np.float64)
        found = self.predict(horizon=len(actual))
        return float(r2_score(actual, found, sample_weight=sample_weight))

    def historical_forecasts(
        self,
        X: Any = None,
        y: ArrayLike | None = None,
        *,
        start: float = 0.5,
        horizon: int | None = None,
        stride: int = 1,
        retrain: bool = False,
    ) -> pd.DataFrame:
        """Forecasts that would have been made at many times of a series, beside what came.

        Arguments:
            X, y: as in `fit`; the series of `fit` if not given.
            start: where the first one begins: a share of the rows below 1, or a whole number of rows.
            horizon: steps ahead, `settings_.horizon` or fewer.
            stride: rows between two of them.
            retrain: fit anew for each, on what was known then: slow, and honest; otherwise the network stays as it is,
                and has learned from what it is asked about where that was in `fit`.

        Returns:
            a row for each series, origin (the last time that was known), step and target; with the columns forecast,
            lower and upper, and actual.

        Raises:
            UserError: no forecast has room, or `retrain` is asked for of many series.
        """
        from elman.tasks.forecasting.backtest import historical

        check_is_fitted(self)
        most = self.settings_.horizon
        ahead = most if horizon is None else whole_number(horizon, "horizon")
        if ahead > most:
            raise UserError(f"`horizon` is {ahead}; the network forecasts 1 to {most} steps at once")
        start, stride = _checked_start(start), whole_number(stride, "stride")
        table = self.table_
        if X is not None:
            if y is not None and self.settings_.known:
                self._known_values(X)
            table = clone(self)._table(X, y, self._roles())
        if retrain:
            return self._refitted(table, start, ahead, stride)
        return historical(self.task_, self.model_, table.rows, start, ahead, stride)

    def _refitted(self, table: SeriesTable, start: float, ahead: int, stride: int) -> pd.DataFrame:
        if table.kind != "one":
            raise UserError("`retrain` is for one series given as an array; take them one by one")
        names, known = list(table.roles["target"]), list(table.roles.get("known", ()))
        count, found = len(table.rows), []
        first = int(start * count) if start < 1 else int(start)
        for origin in range(first, count - ahead + 1, stride):
            past, future = table.rows[:origin], table.rows[origin : origin + ahead].reset_index(drop=True)
            one = clone(self)
            given = (past[known], past[names].to_numpy()) if known else (past[names].to_numpy(),)
            one.fit(*given)
            said = one.forecast(future[known] if known else None, horizon=ahead)
            said.insert(1, "origin", past["time"].iloc[-1])
            said.insert(3, "step", np.tile(np.arange(1, ahead + 1), len(names)))
            said["time"] = np.tile(future["time"], len(names))
            found.append(said.assign(actual=future[names].to_numpy().T.ravel()))
        if not found:
            raise UserError(f"no forecast has room: after `start={start:g}` there must be {ahead} rows")
        return pd.concat(found, ignore_index=True)

    def _going_on(self, X: Any, horizon: int | None, history: Any = None) -> GoingOn:
        check_is_fitted(self)
        s, table = self.settings_, self.table_ if history is None else self._other(history)
        if X is not None and (np.isscalar(X) or getattr(X, "shape", None) == ()):
            X, horizon = None, whole_number(X, "X")
        if horizon is not None:
            horizon = whole_number(horizon, "horizon")
        rows, future = table.rows, None
        if table.kind == "frame" and isinstance(X, pd.DataFrame):
            rows = pd.concat([rows, X], ignore_index=isinstance(rows.index, pd.RangeIndex))
        elif X is not None and not s.known:
            raise UserError(f"X is a {type(X).__name__}, and the series has no covariates; give a number of steps")
        elif table.kind == "one":
            future = self._future(X)
        steps = horizon or (s.horizon if future is None else len(future))
        if future is not None and steps > len(future):
            raise UserError(f"`horizon` is {steps}, and X has {len(future)} rows; give the covariates of every step")
        return going_on(self.task_, self.model_, rows, future, steps)

    def _other(self, given: Any) -> SeriesTable:
        """Other series of the kind of those of `fit`."""
        table = table_of(given, None, self._roles())
        if table.kind != self.table_.kind or self.settings_.known or table.roles != self.table_.roles:
            raise UserError("`history` is of another kind than the series of `fit`, or there are covariates; fit anew")
        return table

    def _roles(self) -> dict[str, Any]:
        return {name: _names(getattr(self, name)) for name in ROLES[:-1]} | {"series_id": self.series_id}

    def _future(self, X: Any) -> pd.DataFrame | None:
        """The rows to come, of what was learned with covariates."""
        if not self.settings_.known:
            return None
        if X is None:
            raise UserError(f"the series has {len(self.settings_.known)} covariates; give those of the rows to come")
        return rows_to_come(X, self._known_values(X, finite=True), self.table_.rows, self.task_.fitted.frequency)

    def _known_values(self, X: Any, *, finite: bool = False) -> NDArray[np.float64]:
        """(F, K) covariates of the columns of `fit`."""
        allowed = True if finite or self.missing == "refuse" else "allow-nan"
        with one_line():
            values: NDArray[np.float64] = validate_data(
                self, X, dtype=np.float64, reset=False, ensure_all_finite=allowed
            )
        return values

    def _shaped(self, found: list[NDArray[np.float64]]) -> Any:
        shaped = [one[:, 0] if self.table_.flat else one for one in found]
        if self.table_.kind == "panel":
            return np.stack(shaped)
        return shaped[0] if self.table_.kind == "one" or len(shaped) == 1 else shaped

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.regressor_tags.poor_score = True  # row k of predict(X) is the k-th step after fit, not row k of fit
        tags.target_tags.multi_output = True
        tags.target_tags.required = False
        tags.input_tags.allow_nan = self.missing != "refuse"
        return tags


def _checked_start(start: Any) -> float:
    """A share of the rows above 0 and below 1, or a whole number of rows."""
    value = plain(start)
    if isinstance(value, float) and 0 < value < 1:
        return value
    try:
        return whole_number(value, "start")
    except UserError as error:
        raise UserError(f"`start` is {value!r}; give a share between 0 and 1, or a whole number of rows") from error


def _names(given: str | Sequence[str]) -> tuple[str, ...]:
    return (given,) if isinstance(given, str) and given else tuple(given)
