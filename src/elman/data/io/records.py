"""One sequence of vectors with its label and where it was read; what must hold for all is checked here."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from elman.errors import UserError


class Record(NamedTuple):
    """A sequence (T, I) float32, its label, the file it came from, and its line there (0: the whole file)."""

    values: NDArray[np.float32]
    label: str
    path: Path
    line: int = 0

    @property
    def place(self) -> str:
        """File and line as a person looks for them."""
        return f"{self.path} line {self.line}" if self.line else str(self.path)


def checked(records: Sequence[Record], interpolate: bool, channels: int | None = None) -> list[Record]:
    """The records, where all have the same channels (`channels`, if given), some steps, and no missing value.

    Arguments:
        interpolate: fill a missing value (NaN or infinite) on the line between its neighbours in time.

    Raises:
        UserError: it is not so; the message names the record's place.
    """
    expected, whose = (channels, "the training part") if channels else (None, "")
    done = []
    for record in records:
        steps, width = record.values.shape
        if expected is None:
            expected, whose = width, record.place
        if width != expected:
            raise UserError(
                f"{record.place} has {width} channels where {whose} has {expected};"
                " every sequence must have the same channels"
            )
        if not steps:
            raise UserError(f"{record.place} has no steps; take the sequence out")
        done.append(record._replace(values=_filled(record, interpolate)))
    return done


def _filled(record: Record, interpolate: bool) -> NDArray[np.float32]:
    good = np.isfinite(record.values)
    if good.all():
        return record.values
    step, channel = np.argwhere(~good)[0].tolist()
    if not interpolate:
        raise UserError(
            f"{record.place}: the value of step {step + 1}, channel {channel + 1} is missing"
            " (NaN or infinite); mend it, or ask for `interpolate`"
        )
    values = record.values.copy()
    steps = np.arange(len(values))
    for number in np.flatnonzero(~good.all(axis=0)).tolist():
        known = good[:, number]
        if not known.any():
            raise UserError(f"{record.place}: channel {number + 1} has no value; take the sequence out")
        values[:, number] = np.interp(steps, steps[known], values[known, number])
    return values
