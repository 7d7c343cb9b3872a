"""From the values of a request to what a task's `predict` takes; no text of a request is ever taken for a file."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from elman.errors import optional_imports
from elman.training.predicting.inputs import inputs_of
from elman.web.service.requests.bodies import Asked
from elman.web.service.requests.problems import Problem
from elman.web.service.served_run import ServedRun


def checked_inputs(asked: Asked, served: ServedRun) -> list[Any]:
    """The inputs of a request, each of a kind that the run takes.

    Raises:
        Problem: 422: says which is not, and what the run takes.
    """
    task = served.run.task
    if asked.folder is not None:
        if task.takes == "texts":
            raise Problem(422, f"a {task.name} run takes {task.inputs}; send them as JSON, not as files")
        return asked.inputs
    if task.takes == "files":
        raise Problem(422, f"a {task.name} run takes {task.inputs}; send them as a form, in `files`")
    found = [_checked(one, number, served) for number, one in enumerate(asked.inputs, 1)]
    return inputs_of(found, task) if task.takes == "texts" else [task.input_from(one) for one in found]


def _checked(one: Any, number: int, served: ServedRun) -> Any:
    task, where = served.run.task, f"input {number}"
    if task.takes == "texts":
        if not isinstance(one, str):
            raise Problem(422, f"{where} is {_kind(one)}; a {task.name} run takes {task.inputs}")
        return one
    if isinstance(one, dict):
        return _table(one, where)
    if not isinstance(one, list):
        raise Problem(422, f"{where} is {_kind(one)}; give lists of numbers, columns by name, or files")
    return numbers(one, where)


def numbers(given: list[Any], where: str) -> Any:
    """Lists of numbers as an array (T,) or (T, I).

    Raises:
        Problem: 422: other than numbers, or lists of different lengths.
    """
    try:
        values = np.asarray(given, dtype=np.float64)
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise Problem(422, f"{where} is no list of numbers, or of lists of one length") from error
    if values.ndim not in (1, 2) or not values.size or _has_texts(given):
        raise Problem(422, f"{where} is no list of numbers, or of lists of one length")
    return values


def _has_texts(given: list[Any]) -> bool:
    rows = given if isinstance(given[0], list) else [given]
    return not all(isinstance(value, int | float) for row in rows for value in row)


def _table(columns: dict[str, Any], where: str) -> Any:
    with optional_imports():
        import pandas as pd

    lengths = {len(values) for values in columns.values() if isinstance(values, list)}
    plain = all(
        isinstance(values, list) and all(isinstance(value, str | int | float | None) for value in values)
        for values in columns.values()
    )
    if not plain or len(lengths) != 1:
        raise Problem(422, f"{where} is no table; give lists of one length by the names of columns")
    return pd.DataFrame({sys.intern(name): values for name, values in columns.items()})


def _kind(value: Any) -> str:
    names = {
        str: "a text",
        bool: "true or false",
        int: "a number",
        float: "a number",
        list: "a list",
        dict: "an object",
    }
    return names.get(type(value), "null")
