"""What a run remembers of its series, from `series.json`: roles of columns, step, calendar, and scales.

Y targets, P past covariates, K known-future ones.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from elman.errors import UserError
from elman.runtime.files import COPY, numbers_in, read_json
from elman.runtime.tensors import Doubles, Floats
from elman.runtime.timeseries.times import FEATURES, step_of

Values = Doubles
Names = tuple[str, ...]
LARGEST = 1e150


class Scale(NamedTuple):
    """Mean and size (Y + P + K,) of the columns of one series, the targets transformed."""

    mean: Values
    std: Values


class Fitted(NamedTuple):
    """Roles of the columns, the step, the season in steps, calendar features, what is done to targets, and scales."""

    time: str
    time_parts: Names
    targets: Names
    past: Names
    known: Names
    series_id: str
    frequency: str
    season: int
    calendar: Names
    transform: str
    date_order: str
    scales: dict[str, Scale]
    thousands: Names = ()
    """Columns that had points between thousands in training, where nothing else shows it."""

    @classmethod
    def load(cls, path: Path) -> Fitted:
        """Read a run's `series.json`.

        Raises:
            UserError: it is missing or damaged, or its step is one that takes pandas.
        """
        table = read_json(path, "roles and scales of series")
        try:
            roles = table["roles"]
            names = {key: _names(roles.get(key, [])) for key in ("targets", "past", "known", "time_parts")}
            thousands = _names(table.get("thousands", []))
            columns = len(names["targets"]) + len(names["past"]) + len(names["known"])
            scales = {str(name): _scale(entry, columns, path) for name, entry in table["scales"].items()}
            season, features = table["season"], _names(table["calendar"])
            if not (names["targets"] and scales and type(season) is int and 1 <= season <= 1_000_000):
                raise ValueError("it has no target, no scale, or no season")
            if table["transform"] not in ("none", "log", "sqrt") or not set(features) <= set(FEATURES):
                raise ValueError("it has an unknown transform or calendar")
            step_of(table["frequency"])
            texts = str(roles["time"]), str(roles.get("series_id", "")), str(table.get("date_order", "auto"))
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            if isinstance(error, UserError):
                raise
            raise UserError(f"{path} is damaged ({str(error)[:120]}); {COPY}") from error
        return cls(
            texts[0], names["time_parts"], names["targets"], names["past"], names["known"], texts[1],
            table["frequency"], season, features, table["transform"], texts[2], scales, thousands,
        )  # fmt: skip

    @property
    def measured(self) -> Names:
        """Targets and past covariates: what is read up to the present."""
        return self.targets + self.past

    @property
    def known_size(self) -> int:
        """K, with the calendar's."""
        return len(self.known) + 2 * len(self.calendar)

    def scaled(self, values: Values, known: Values, scale: Scale, what: str) -> tuple[Floats, Floats]:
        """values (N, Y + P) and known (N + G, K) of a series as the network reads them.

        Raises:
            UserError: a target cannot be transformed, or lies so far away that its scaled form is no number.
        """
        Y, measured, values = len(self.targets), len(self.measured), values.copy()
        targets = values[:, :Y]
        if (self.transform == "log" and (targets <= 0).any()) or (self.transform == "sqrt" and (targets < 0).any()):
            raise UserError(
                f"{what}: a target is {targets.min():g}, which the run's `transform={self.transform}` cannot take"
            )
        if self.transform != "none":
            values[:, :Y] = np.log(targets) if self.transform == "log" else np.sqrt(targets)
        with np.errstate(over="ignore"):  # to infinity, which is refused
            parts = (
                (values - scale.mean[:measured]) / scale.std[:measured],
                (known - scale.mean[measured:]) / scale.std[measured:],
            )
            numbers = parts[0].astype(np.float32), parts[1].astype(np.float32)
        if not all(np.isfinite(part).all() for part in numbers):
            raise UserError(
                f"{what}: a value lies so far from those of the training part that it cannot be scaled; mend it"
            )
        return numbers

    def in_units(self, scaled: Floats, scale: Scale) -> Values:
        """Targets (..., Y) in their own units again."""
        Y = len(self.targets)
        values: Values = scaled.astype(np.float64) * scale.std[:Y] + scale.mean[:Y]
        if self.transform == "log":
            with np.errstate(over="ignore"):  # a forecast above all numbers is infinite, and is shown so
                return np.exp(values)
        return np.square(np.maximum(values, 0)) if self.transform == "sqrt" else values


def _names(value: Any) -> Names:
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise ValueError("names are no texts")
    return tuple(value)


def _scale(entry: Any, columns: int, path: Path) -> Scale:
    mean, std = (np.array(numbers_in(entry, name, path), np.float64) for name in ("mean", "std"))
    if mean.shape != (columns,) or std.shape != (columns,):
        raise ValueError(f"it scales {len(mean)} columns of {columns}")
    if not ((np.abs(mean) <= LARGEST).all() and (std <= LARGEST).all() and (std > 0).all()):  # nan is in none
        raise ValueError("a scale is not finite, or not above 0")
    return Scale(mean, std)
