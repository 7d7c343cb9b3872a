"""What `elman evaluate` finds: figures, and tables where a task has them."""

from __future__ import annotations

import csv
import io
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from elman.atomic_io import write_text


@dataclass(frozen=True)
class Table:
    """A table for people and for files.

    Arguments:
        name: of its file, NAME.csv in the run folder.
        title: what it shows.
        columns: their names.
        rows: one cell a column: texts, whole numbers, or shares.
        only_file: whether it is too long to be shown, and goes into its file alone.
    """

    name: str
    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    only_file: bool = False

    def write(self, folder: Path) -> Path:
        """Write the table into the folder as CSV, whole or not at all."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(self.columns)
        writer.writerows(self.rows)
        path = folder / f"{self.name}.csv"
        write_text(path, text.getvalue())
        return path

    def records(self) -> list[dict[str, Any]]:
        """The rows with their columns' names, for JSON."""
        return [dict(zip(self.columns, row, strict=True)) for row in self.rows]


def figure(value: float) -> str:
    """A number as people read it: four decimals, or four digits where it is very small or very large."""
    plain = value == 0 or not math.isfinite(value) or 1e-2 <= abs(value) < 1e9
    return f"{value:,.4f}" if plain else f"{value:.4g}"


@dataclass(frozen=True)
class Report:
    """Figures by name, and tables."""

    metrics: dict[str, float]
    tables: tuple[Table, ...] = ()
