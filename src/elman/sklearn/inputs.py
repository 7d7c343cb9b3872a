"""What estimators take for X: arrays, data frames, and lists of sequences of unequal length; read into (T, I) each.

N sequences, T steps, I channels.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from elman.data.io.records import Record, checked
from elman.errors import UserError, optional_imports
from elman.sklearn.frames import check_names, in_time, series_of

with optional_imports():
    import pandas as pd
    from sklearn.utils.validation import check_array, validate_data

Sequences = list[NDArray[np.float32]]


def sequences_of(estimator: Any, X: Any, *, reset: bool, interpolate: bool = False) -> Sequences:
    """N sequences (T_n, I) float32.

    Arguments:
        estimator: whose `n_features_in_` and `channels_` are set, or must be met. Of a 2-D array, whose rows are
            series of one channel, `n_features_in_` is the number of steps; of all else the number of channels. So
            are `feature_names_in_`, where X has columns with names: frames have the same names in the same order.
        X: (N, T); (N, T, I); a data frame with a series in each row, or with two levels of index (series, time) and
            a channel in each column; or a list of (T_n, I) or (T_n,). With two levels the series are in the order in
            which they first appear, and the rows of each are sorted by time: by numbers or dates, each once. Data
            frames in a list whose index holds dates are sorted by them, too; rows of all others are in order.
        reset: whether this is `fit`.
        interpolate: fill missing values on the line between their neighbours in time, which are else refused.

    Raises:
        UserError: there are none, one has no steps, a value is missing, or there are other channels than in `fit`.
    """
    check_some(X)
    levels = getattr(getattr(X, "index", None), "nlevels", 1)
    X = _by_series(estimator, X, levels, reset=reset)
    ragged = X if levels > 1 else _ragged(X)
    if ragged is not None:
        return _checked(estimator, [_one(one, n) for n, one in enumerate(ragged)], reset, interpolate)
    two = _dimensions(X) < 3
    if two and (reset or getattr(estimator, "rows_are_series_", False)):
        values = _valid(validate_data, estimator, X, reset=reset)
        if reset:
            estimator.rows_are_series_ = True
        return _checked(estimator, list(values[:, :, None]), reset, interpolate, columns=values.shape[1])
    values = _valid(check_array, X, allow_nd=True, estimator=estimator)
    if values.ndim > 3:
        raise UserError(f"X has shape {values.shape}; give (N, T), (N, T, I), or a list of sequences")
    return _checked(estimator, list(values[:, :, None] if values.ndim == 2 else values), reset, interpolate)


def check_some(X: Any) -> None:
    """Refuse what holds nothing; what has no length is refused elsewhere."""
    try:
        count = len(X)
    except TypeError:
        return
    if not count:
        raise UserError("X is empty: it holds 0 samples; give at least one sequence")


def _by_series(estimator: Any, X: Any, levels: int, *, reset: bool) -> Any:
    """X with its frames as arrays, a list of them where each was a series; their columns' names are checked."""
    if levels > 1:
        if levels > 2:
            raise UserError(f"the index of X has {levels} levels; give two: the series, and the time")
        check_names(estimator, [X], reset, "X")
        return series_of(X if isinstance(X, pd.DataFrame) else X.to_frame())
    listed = isinstance(X, list | tuple) or (isinstance(X, np.ndarray) and X.dtype == object and X.ndim == 1)
    rows = not listed and _dimensions(X) < 3
    if rows and (reset or getattr(estimator, "rows_are_series_", False)):
        return X  # scikit-learn checks the names, which are of steps
    if not rows:
        check_names(estimator, X if listed else [X], reset, "X[{}]" if listed else "X")
    return [in_time(one, number) for number, one in enumerate(X)] if listed else X


@contextmanager
def one_line() -> Iterator[None]:
    """scikit-learn's own checks inside, their messages on one line."""
    try:
        yield
    except ValueError as error:
        raise UserError(" ".join(str(error).split())) from error


def _valid(check: Any, *given: Any, **options: Any) -> NDArray[np.float64]:
    with one_line():
        values: NDArray[np.float64] = check(*given, dtype=np.float64, ensure_all_finite=False, **options)
    return values


def _dimensions(X: Any) -> int:
    if hasattr(X, "ndim"):
        return int(X.ndim)
    try:
        return np.ndim(X) if isinstance(X, list | tuple) else 2
    except ValueError as error:  # arrays and other things side by side
        raise UserError(
            "X holds what is no sequence of numbers; give (N, T), (N, T, I), or a list of sequences"
        ) from error


def _ragged(X: Any) -> list[Any] | None:
    """The sequences of what is no array, of unequal lengths; else None."""
    if isinstance(X, np.ndarray):
        holds_arrays = X.dtype == object and X.ndim == 1 and len(X) and np.ndim(X[0])
        return list(X) if holds_arrays else None
    if not isinstance(X, list | tuple) or not len(X):
        return None
    if not all(hasattr(one, "__len__") and not isinstance(one, str | bytes | dict) for one in X):
        return None
    shapes = {np.shape(one) if hasattr(one, "shape") else (len(one),) for one in X}
    return list(X) if len(shapes) > 1 or 0 in next(iter(shapes)) else None


def _one(values: Any, number: int) -> NDArray[np.float64]:
    """A sequence (T, I) of a list."""
    try:
        array = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise UserError(f"X[{number}] is no sequence of numbers; give (T, I), or (T,) for one channel") from error
    if array.ndim not in (1, 2):
        raise UserError(f"X[{number}] has shape {array.shape}; give (T, I), or (T,) for one channel")
    return array[:, None] if array.ndim == 1 else array


def _checked(
    estimator: Any,
    sequences: list[NDArray[np.float64]],
    reset: bool,
    interpolate: bool,
    columns: int | None = None,
) -> Sequences:
    """The sequences as float32, where all have steps, numbers, and the channels of the estimator."""
    name = type(estimator).__name__
    channels = sequences[0].shape[1] if reset else estimator.channels_
    for number, one in enumerate(sequences):
        if not len(one):
            raise UserError(f"X[{number}] has no steps (a sequence of length 0); take the sequence out")
        if one.shape[1] != channels:
            whose = f"{name} is expecting" if not reset else "X[0] has"
            raise UserError(
                f"X[{number}] has {one.shape[1]} channels, but {whose} {channels}; every sequence must have the same"
            )
        if not interpolate:
            _check_finite(one, number, columns is not None)
    with np.errstate(over="ignore"):  # to infinity, which is refused
        small = [one.astype(np.float32) for one in sequences]
    for number, (short, given) in enumerate(zip(small, sequences, strict=True)):
        if (np.isinf(short) & np.isfinite(given)).any():
            raise UserError(
                f"X[{number}] contains infinity or a value too large for float32; look for what is so large"
            )
    if interpolate:
        small = [r.values for r in checked([Record(v, "", Path(f"X[{n}]")) for n, v in enumerate(small)], True)]
    if reset:
        estimator.channels_ = channels
        if columns is None:
            estimator.rows_are_series_ = False
            estimator.n_features_in_ = channels
    return small


def _check_finite(one: NDArray[np.float64], number: int, row: bool) -> None:
    finite = np.isfinite(one)
    if finite.all():
        return
    step, channel = np.argwhere(~finite)[0].tolist()
    what = "NaN" if np.isnan(one[step, channel]) else "infinity or a value too large"
    place = f"X[{number}, {step}]" if row else f"X[{number}][{step}, {channel}]"
    raise UserError(
        f"Input X contains {what}: {place}; mend it, or set `interpolate=True` to fill it from its neighbours in time"
    )
