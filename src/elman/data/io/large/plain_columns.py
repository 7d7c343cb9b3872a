"""What the columns of a large table hold, found block by block: whole numbers, numbers, times, or texts.

It is what `elman.data.io.tables.read_table` finds with all cells before it. Where these have to be weighed against each
other, as 1.250 beside 800, whose point may stand between thousands, a table is refused here.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from typing import TYPE_CHECKING, Any

import numpy as np

from elman.data.io.large.plain_text import NotPlainError
from elman.errors import optional_imports
from elman.runtime.text.decimal_marks import DECIMAL_POINT, ONCE, THOUSANDS, THREE, WHOLE

if TYPE_CHECKING:
    import pyarrow as pa

LONGEST_CELL = 1000
"""Characters of a cell, at most."""
MISSING = frozenset({"", "NA", "N/A", "n/a", "#N/A", "<NA>", "NaN", "nan", "-nan", "-NaN", "NULL", "null", "None", "?"})
"""Cells that stand for a missing number."""
FEW = 50
"""Times that differ, up to which a column of them may be one of categories, which are called as its cells are."""
_NUMBER_WITH_COMMA = r"[+-]?[\d.,]*\d[\d.,]*([eE][+-]?\d+)?"
_DECIMAL_COMMA = r"[+-]?\d+,\d+"
_ZERO = r"[+-]?0+"


class Kind(IntEnum):
    """What a column holds; where a later block has something else, a higher one."""

    WHOLE = 0
    NUMBER = 1
    TIME = 2
    TEXT = 3


DTYPES = {Kind.WHOLE: "<i8", Kind.NUMBER: "<f8", Kind.TIME: "<M8[us]"}
"""How the cells of a column are kept; texts are kept as Arrow's."""


class ChangedKindError(Exception):
    """A column holds something else than its first blocks showed: begin anew."""


class PlainColumn:
    """One column.

    Arguments:
        kind: what it is at least.
        forced: its cells are texts, whatever they look like.
        commas: whether a comma may be a decimal mark, since something else parts the fields.
    """

    def __init__(self, kind: Kind, *, forced: bool, commas: bool) -> None:
        self.kind, self._forced, self._may_be_decimal = Kind.TEXT if forced else kind, forced, commas
        self._begun = False
        self._times: set[str] = set()  # a few that differ
        self.pointed = self.decimal_point = self.not_thousands = self.commas = self.decimal_comma = False
        self._twice = self._whole = False  # 1.250.000, and numbers without a point, but 0

    @property
    def shows_nothing(self) -> bool:
        """Whether all numbers with a point are as 1.250, and none beside them tells how to read them."""
        return self.kind is Kind.NUMBER and not (self.not_thousands or self._twice or self._whole)

    def add(self, cells: pa.Array) -> Any:
        """The cells of a block: an array of `DTYPES`, or Arrow's texts with None where one is missing.

        Raises:
            ChangedKindError: `kind` has changed.
            NotPlainError: they could be read in two ways.
        """
        kind, found = self._read(cells)
        changed = kind > self.kind
        self.kind = max(kind, self.kind)
        if changed and self._begun:
            raise ChangedKindError
        self._begun = True
        return found.astype(DTYPES[self.kind]) if self.kind is Kind.NUMBER else found

    def end(self) -> None:
        """All blocks were seen; raises a `ChangedKindError` where a few times come again and again: texts, then."""
        if self.kind is Kind.TIME and len(self._times) <= FEW:
            self.kind = Kind.TEXT
            raise ChangedKindError

    def _read(self, cells: pa.Array) -> tuple[Kind, Any]:
        if self.kind < Kind.TIME:
            numbers = self._numbers(cells)
            if numbers is not None:
                return numbers
        return self._texts(cells)

    def _numbers(self, cells: pa.Array) -> tuple[Kind, Any] | None:
        with optional_imports():
            import pyarrow as pa
            import pyarrow.compute as pc

        missing = False
        values = _cast(cells, pa.float64())
        if values is None:
            cells = _without_missing(cells)
            missing = cells.null_count > 0
            values = _cast(cells, pa.float64())
        if values is None and self._may_be_decimal and self._has_decimal_commas(cells):
            values = _cast(pc.replace_substring(cells, ",", "."), pa.float64())
        if values is None:
            return None
        self._look_at_points(cells)
        floats = values.to_numpy(zero_copy_only=False)
        if np.isnan(floats).any() and pc.any(pc.and_(pc.is_nan(values), _without_missing(cells).is_valid())).as_py():
            raise NotPlainError  # NAN, which only Arrow takes for a missing number
        if self.kind is Kind.WHOLE and not missing and (floats == np.round(floats)).all():
            whole = _cast(cells, pa.int64())
            if whole is not None:
                return Kind.WHOLE, whole.to_numpy()
            if pc.all(_match(cells, WHOLE.pattern)).as_py():  # +5, or beyond 64 bits
                raise NotPlainError
        return Kind.NUMBER, floats

    def _has_decimal_commas(self, cells: pa.Array) -> bool:
        """Whether there are commas and all are decimal marks; notes what they show."""
        with optional_imports():
            import pyarrow.compute as pc

        some = cells.filter(pc.match_substring(cells, ","))
        pointed = pc.any(pc.match_substring(cells, ".")).as_py()
        if not len(some) or pointed or not pc.all(_match(some, _DECIMAL_COMMA)).as_py():
            return False
        three = _match(some, THREE.pattern)
        self.commas = True
        self.decimal_comma |= not pc.all(three).as_py()
        return True

    def _look_at_points(self, cells: pa.Array) -> None:
        with optional_imports():
            import pyarrow.compute as pc

        if self.decimal_point and self.not_thousands:
            return
        pointed = pc.match_substring(cells, ".")
        if not self._whole:
            self._whole = not pc.all(pc.or_(pointed, _match(cells, _ZERO))).as_py()
        some = cells.filter(pointed)
        if len(some):
            self.pointed = True
            self._twice |= not pc.all(_match(some, ONCE.pattern)).as_py()
            self.decimal_point |= pc.any(_match(some, DECIMAL_POINT.pattern)).as_py()
            self.not_thousands |= not pc.all(_match(some, THOUSANDS.pattern)).as_py()

    def _texts(self, cells: pa.Array) -> tuple[Kind, Any]:
        with optional_imports():
            import pandas as pd
            import pyarrow as pa
            import pyarrow.compute as pc

        if (pc.max(pc.utf8_length(cells)).as_py() or 0) > LONGEST_CELL:
            raise NotPlainError
        if self.kind < Kind.TEXT and (times := _cast(cells, pa.timestamp("us"))) is not None:
            if len(self._times) <= FEW:
                self._times.update(pc.unique(cells)[: FEW + 1].to_pylist())
            return Kind.TIME, times.to_numpy(zero_copy_only=False)
        if not self._forced:
            cells = _without_missing(cells)
        if self.kind < Kind.TIME:
            numbers = pd.to_numeric(pd.Series(cells.to_pylist(), dtype=object), errors="coerce")
            if bool((numbers.notna() | pd.Series(cells.is_null().to_numpy(zero_copy_only=False))).all()):
                raise NotPlainError  # something that only pandas takes for numbers
        if not self.not_thousands:
            self._look_at_points(cells)
        some = cells.filter(pc.match_substring(cells, ","))
        if len(some) and pc.any(_match(some, _NUMBER_WITH_COMMA)).as_py():
            raise NotPlainError  # a number among texts may tell how others are to be read
        return Kind.TEXT, cells


def check_marks(columns: Sequence[PlainColumn], *, decimal: bool) -> None:
    """Raise `NotPlainError` unless the columns together leave no choice of how points and commas are to be read.

    Arguments:
        decimal: whether points count as decimal where nothing shows otherwise.
    """
    plain = all(column.not_thousands or (decimal and column.shows_nothing) for column in columns if column.pointed)
    with_commas = [column for column in columns if column.commas]
    if with_commas:
        shown = any(column.decimal_comma for column in with_commas)
        plain = plain and shown and not any(column.pointed for column in with_commas)
    else:
        plain = plain or any(column.decimal_point for column in columns)
    if not plain:
        raise NotPlainError


def _match(cells: pa.Array, pattern: str) -> pa.Array:
    with optional_imports():
        import pyarrow.compute as pc

    return pc.match_substring_regex(cells, f"^(?:{pattern})$")


def _without_missing(cells: pa.Array) -> pa.Array:
    with optional_imports():
        import pyarrow as pa
        import pyarrow.compute as pc

    missing = pc.is_in(cells, value_set=pa.array(sorted(MISSING)))
    return pc.if_else(missing, pa.scalar(None, pa.string()), cells)


def _cast(cells: pa.Array, to: pa.DataType) -> pa.Array | None:
    with optional_imports():
        import pyarrow as pa

    try:
        return cells.cast(to)
    except pa.ArrowInvalid:
        return None
