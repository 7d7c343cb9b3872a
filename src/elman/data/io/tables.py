"""A table of the user's own, CSV, Excel or Parquet, as a data frame: its columns by name, its cells as numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from elman.data.io.columns import known_column
from elman.data.io.delimited import delimiter_in, read_delimited
from elman.data.io.files import bytes_to_read, check_file, file_kind, read_bytes
from elman.data.io.large.plain_columns import LONGEST_CELL, MISSING
from elman.data.io.large.stored_tables import stored_table
from elman.errors import UserError, optional_imports
from elman.runtime.text.decimal_marks import no_number, plain_numbers, point_notes, read_marks

if TYPE_CHECKING:
    import pandas as pd

_UNCHECKED_CELLS, _LARGEST_RATIO = 1 << 24, 100
_SUFFIXES = (".csv", ".tsv", ".xlsx", ".parquet")


def read_table(
    path: Path, *, texts: Collection[str] = (), notes: list[str] | None = None, thousands: Collection[str] = ()
) -> pd.DataFrame:
    """The rows of a .csv, .tsv, .xlsx or .parquet file; columns whose cells are all numbers or empty hold numbers.

    Arguments:
        texts: columns whose cells stay the texts that they are, such as names that look like numbers.
        notes: takes what was decided in reading numbers and might surprise.
        thousands: columns whose points stand between thousands, where nothing shows otherwise; `attrs["thousands"]` of
            the table has those that were read so.

    Raises:
        UserError: the file is missing, empty, damaged, or of another format.
    """
    with optional_imports():
        import pandas as pd

    kind = file_kind(path)
    if kind not in _SUFFIXES:
        raise UserError(f"cannot tell the format of {path}; give a {', '.join(_SUFFIXES[:-1])} or .parquet file")
    if kind == ".parquet":
        return checked_table(_parquet(path), str(path), texts=texts)
    stored = stored_table(path, texts, thousands=bool(thousands))
    if stored is not None:
        return checked_table(stored, str(path))
    read = read_delimited(path)
    for line, cells in read.records:
        if longest := next((cell for cell in cells if len(cell) > LONGEST_CELL), ""):
            what = f"{len(longest):,} characters ({longest[:20]!r}...)"
            raise UserError(f"{path} line {line} has a cell of {what}; mend it")
    counted = Counter(read.header)
    if twice := [name for name, times in counted.items() if times > 1]:
        raise UserError(f"{path} has two columns called {twice[0]!r}; rename one")
    typed, cells_of = kind == ".xlsx", read.columns()
    marks = None if typed else read_marks(cells_of, [name in thousands for name in read.header])
    if notes is not None and marks is not None:
        commas = delimiter_in(path) == ","
        notes += [f"{path}, {note}" for note in point_notes(read.header, cells_of, marks, commas=commas)]
    columns = dict(zip(read.header, plain_numbers(cells_of, typed=typed, marks=marks), strict=True))
    columns |= {name: read.column(name) for name in columns.keys() & set(texts)}
    made = {name: pd.Series(cells) if name in texts else _typed(cells) for name, cells in columns.items()}
    table = checked_table(pd.DataFrame(made), str(path))
    points = [] if marks is None else marks.points
    table.attrs["thousands"] = [name for name, (way, _) in zip(read.header, points, strict=False) if way == "thousands"]
    return table


def _parquet(path: Path) -> pd.DataFrame:
    try:
        return _read_parquet(path)
    except UserError:
        raise
    except Exception as error:  # pandas and pyarrow raise many kinds for a damaged file
        reason = " ".join(str(error).split())[:120]
        raise UserError(f"{path} cannot be read as parquet ({reason}); mend it or write it again") from error


def _read_parquet(path: Path) -> pd.DataFrame:
    with optional_imports():
        import pyarrow as pa
        from pyarrow import parquet

    size = check_file(path)
    most = bytes_to_read(path)
    file = parquet.ParquetFile(pa.BufferReader(read_bytes(path))) if most is None else parquet.ParquetFile(path)
    cells = file.metadata.num_rows * file.metadata.num_columns
    if cells > max(_UNCHECKED_CELLS, _LARGEST_RATIO * size):
        raise UserError(f"{path} claims {cells:,} cells in {size:,} bytes, as no data do; check where it is from")
    if most is None:
        table = file.read()
    else:
        batches = file.iter_batches(batch_size=max(1, file.metadata.num_rows * most // size))
        table = pa.Table.from_batches([next(batches)])
    table.validate(full=True)  # texts that are not UTF-8, for one
    return table.to_pandas()


def _typed(cells: list[str]) -> pd.Series:
    """Numbers where every cell is one or missing, else texts; NaN where a cell is missing."""
    with optional_imports():
        import pandas as pd

    column = pd.Series(cells, dtype=object)
    column[column.isin(MISSING)] = None
    numbers = pd.to_numeric(column, errors="coerce")
    return numbers if bool((numbers.notna() | column.isna()).all()) else column


def checked_table(table: pd.DataFrame, source: str, *, texts: Collection[str] = ()) -> pd.DataFrame:
    """`table` with its columns named by texts.

    Arguments:
        texts: columns that become texts: 1 stays "1" where the column, for a missing one, holds 1.0.

    Raises:
        UserError: it has no rows, or two columns of one name.
    """
    with optional_imports():
        import pandas as pd

    plain = isinstance(table.index, pd.RangeIndex) and table.index.name is None
    table = table.reset_index(drop=plain).rename(columns=str)  # times often are the index
    if not len(table):
        raise UserError(f"{source} has no rows under its line of names; give a file with some")
    twice = table.columns[table.columns.duplicated()]
    if len(twice):
        raise UserError(f"{source} has two columns called {twice[0]!r}; rename one")
    return table.assign(**{name: _as_texts(table[name]) for name in texts if name in table.columns})


def _as_texts(column: pd.Series) -> pd.Series:
    """The cells as texts, whole numbers without a point; missing ones stay missing."""
    with optional_imports():
        import pandas as pd

    def text(cell: object) -> object:
        whole = isinstance(cell, float) and cell.is_integer()
        return str(int(cell)) if whole else str(cell)  # type: ignore[call-overload]

    return pd.Series(
        [None if lost else text(cell) for cell, lost in zip(column, column.isna(), strict=True)], dtype=object
    )


def numbers(table: pd.DataFrame, columns: Sequence[str], source: str) -> NDArray[np.float64]:
    """(N, C) the cells of these columns as numbers, NaN where a cell is empty.

    Raises:
        UserError: no such column (suggests the near one), or a cell that is no number (says row and column).
    """
    with optional_imports():
        import pandas as pd

    for name in columns:
        known_column(name, list(table.columns), Path(source))
    values = np.empty((len(table), len(columns)))
    for place, name in enumerate(columns):
        cells = table[name]
        if cells.dtype.kind in "mM":  # dates, which pandas takes for numbers of nanoseconds
            cells = cells.astype(str).where(cells.notna(), None)
        parsed = pd.to_numeric(cells, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
        wrong = np.isnan(parsed) & cells.notna().to_numpy() | np.isinf(parsed)
        if wrong.any():
            row = int(wrong.argmax())
            raise UserError(f"{source} row {row + 1}, column {name!r}: {no_number(str(cells[row]))}")
        values[:, place] = parsed
    return values
