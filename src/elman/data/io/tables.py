"""A table of a person's own, CSV or Parquet, read by pandas: its columns by name, its cells as numbers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from elman.data.io.columns import known_column
from elman.data.io.text import decode_utf8, read_bytes
from elman.errors import UserError, optional_imports

if TYPE_CHECKING:
    import pandas as pd

_SUFFIXES = (".csv", ".tsv", ".parquet")


def read_table(path: Path, *, texts: bool = False) -> pd.DataFrame:
    """The rows of a .csv, .tsv or .parquet file.

    Arguments:
        texts: leave every cell the text that it is, "" where it is empty.

    Raises:
        UserError: the file is missing, empty, damaged, or of another format.
    """
    with optional_imports():
        import pandas as pd

    kind = path.suffix.lower()
    if kind not in _SUFFIXES:
        raise UserError(f"cannot tell the format of {path}; give a {', '.join(_SUFFIXES[:-1])} or .parquet file")
    raw = read_bytes(path)
    try:
        if kind == ".parquet":
            table = pd.read_parquet(path)
        else:
            decode_utf8(raw, path)
            separator = "\t" if kind == ".tsv" else _separator(raw)
            kinds: dict[str, Any] = {"dtype": str, "keep_default_na": False} if texts else {}
            table = pd.read_csv(path, sep=separator, skipinitialspace=True, encoding="utf-8-sig", **kinds)
    except UserError:
        raise
    except Exception as error:  # pandas and pyarrow raise many kinds for a damaged file
        reason = " ".join(str(error).split())[:120]
        raise UserError(f"{path} cannot be read as {kind[1:]} ({reason}); mend it or write it again") from error
    return checked_table(table, str(path))


def checked_table(table: pd.DataFrame, source: str) -> pd.DataFrame:
    """`table` with its columns named by texts.

    Raises:
        UserError: it has no rows, or two columns of one name.
    """
    table = table.reset_index(drop=True).rename(columns=str)
    if not len(table):
        raise UserError(f"{source} has no rows under its line of names; give a file with some")
    twice = table.columns[table.columns.duplicated()]
    if len(twice):
        raise UserError(f"{source} has two columns called {twice[0]!r}; rename one")
    return table


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
        parsed = pd.to_numeric(cells, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
        wrong = np.isnan(parsed) & cells.notna().to_numpy() | np.isinf(parsed)
        if wrong.any():
            row = int(wrong.argmax())
            raise UserError(f"{source} row {row + 1}, column {name!r}: {str(cells[row])[:40]!r} is no number; mend it")
        values[:, place] = parsed
    return values


def _separator(raw: bytes) -> str:
    first = raw.split(b"\n", 1)[0].decode("utf-8", errors="replace")
    return max(",;\t", key=first.count)
