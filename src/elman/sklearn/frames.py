"""Data frames as sequences: the names of their columns, and the order of their rows in time."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from elman.errors import UserError, optional_imports
from elman.sklearn.numbers import plain

with optional_imports():
    import pandas as pd


def names_of(given: Any, what: str) -> tuple[str, ...] | None:
    """The names of a frame's columns; None where they have none, or it is no frame.

    Raises:
        UserError: some columns have names, and others numbers.
    """
    if not isinstance(given, pd.DataFrame):
        return None
    text = [isinstance(name, str) for name in given.columns]
    if any(text) and not all(text):
        raise UserError(f"{what} has columns with names and with numbers; name all by text: frame.columns.astype(str)")
    return tuple(given.columns) if text and all(text) else None


def other_names(given: Sequence[str], wanted: Sequence[str]) -> str:
    """How names of columns differ, in a few words."""
    lacking, more = ([name for name in one if name not in two] for one, two in ((wanted, given), (given, wanted)))
    if not lacking and not more:
        return f"the columns {_listed(given)} in another order than {_listed(wanted)}"
    return f"the columns {_listed(given)}, and wanted are {_listed(wanted)}"


def _listed(names: Sequence[str], most: int = 5) -> str:
    shown = ", ".join(map(repr, names[:most]))
    return f"{shown}, ... ({len(names)} columns)" if len(names) > most else shown


def check_names(estimator: Any, items: Sequence[Any], reset: bool, place: str) -> None:
    """Set the estimator's `feature_names_in_`, or meet it: as scikit-learn does for 2-D X.

    Arguments:
        items: the frames, and what has no names.
        place: what an item is called, with {} for its number.

    Raises:
        UserError: a frame has other names, or the same in another order.
    """
    if reset and hasattr(estimator, "feature_names_in_"):
        del estimator.feature_names_in_
    if not reset and estimator.rows_are_series_:
        return  # the names are of steps
    name = type(estimator).__name__
    names = [names_of(one, place.format(number)) for number, one in enumerate(items)]
    wanted = names[0] if reset else getattr(estimator, "feature_names_in_", None)
    for number, given in enumerate(names):
        where = place.format(number)
        if given is not None and wanted is not None and list(given) != list(wanted):
            whose = "X[0].columns" if reset else "estimator.feature_names_in_"
            raise UserError(f"{where} has {other_names(given, wanted)}; give every frame those of {whose}")
        if (given is None) != (wanted is None):
            if reset:
                raise UserError(f"{where} and X[0] differ: one has columns with names; give names to all, or to none")
            has, fitted = ("does not have valid", "with") if given is None else ("has", "without")
            text = f"X {has} feature names, but {name} was fitted {fitted} feature names"  # scikit-learn's words
            warnings.warn(text, UserWarning, stacklevel=5)
            break
    if reset and wanted is not None:
        estimator.feature_names_in_ = np.asarray(wanted, dtype=object)


def series_of(X: pd.DataFrame) -> list[Any]:
    """The series of a frame with two levels of index, each sorted by time."""
    series, times = X.index.get_level_values(0), X.index.get_level_values(1)
    if series.hasnans or times.hasnans:
        raise UserError("the index of X has a missing value; give every row its series and its time")
    if not (_is_time(times) or pd.api.types.is_any_real_numeric_dtype(times.dtype)):
        raise UserError(
            f"the second level of the index of X is the time, and holds {times.dtype} values; give numbers or dates"
        )
    twice = X.index.duplicated()
    if twice.any():
        one, time = X.index[twice.argmax()]
        raise UserError(f"in X the time {time} stands twice in series {plain(one)!r}; give each time of a series once")
    numbers, _ = pd.factorize(series)
    order = np.lexsort((np.asarray(times.argsort().argsort()), numbers))
    bounds = np.flatnonzero(np.diff(numbers[order])) + 1
    values = X.to_numpy()[order]
    return list(np.split(values, bounds))


def in_time(one: Any, number: int) -> Any:
    """A frame or series of a list as an array, sorted where its index holds dates."""
    if not isinstance(one, pd.DataFrame | pd.Series):
        return one
    if _is_time(one.index):
        if one.index.hasnans or one.index.has_duplicates:
            raise UserError(f"the dates of X[{number}] are missing in part, or one stands twice; give each once")
        one = one.sort_index()
    return one.to_numpy()


def _is_time(index: pd.Index) -> bool:
    return isinstance(index, pd.DatetimeIndex | pd.PeriodIndex | pd.TimedeltaIndex)
