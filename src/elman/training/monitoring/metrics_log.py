"""metrics.csv: one row every few steps, rewritten whole, so that a killed run leaves no half row."""

from __future__ import annotations

import csv
import io
import logging
from pathlib import Path

from elman.atomic_io import write_text
from elman.data.io.files import read_bytes
from elman.data.io.text import decode_utf8
from elman.errors import UserError

Row = dict[str, float]
log = logging.getLogger("elman")


class MetricsLog:
    """The rows of a run, in step order; the columns are the union of what the rows hold."""

    def __init__(self, path: Path, rows: list[Row] | None = None) -> None:
        self.path = path
        self.rows = rows or []

    @classmethod
    def resumed(cls, path: Path, step: int) -> MetricsLog:
        """The rows up to `step`, so that what came after the checkpoint is not counted twice.

        A damaged or emptied file loses no run: its rows are dropped, which is logged.
        """
        try:
            rows = read_metrics(path)
        except UserError as error:
            rows = []
            log.warning("the metrics before step %d are dropped: %s", step, error)
        else:
            if not rows and (path.exists() or path.is_symlink()):
                log.warning("the metrics before step %d are gone: %s is empty or no file", step, path)
        return cls(path, [row for row in rows if row.get("step", step + 1) <= step])

    def add(self, row: Row) -> None:
        """Take in a row; one of the same step is completed."""
        if self.rows and self.rows[-1]["step"] == row["step"]:
            self.rows[-1].update(row)
        else:
            self.rows.append(row)

    def write(self) -> None:
        """Write all rows, whole or not at all."""
        columns = list(dict.fromkeys(name for row in self.rows for name in row))
        text = io.StringIO()
        writer = csv.DictWriter(text, columns, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows({name: _number(value) for name, value in row.items()} for row in self.rows)
        write_text(self.path, text.getvalue())


def read_metrics(path: Path) -> list[Row]:
    """The rows of a metrics.csv; empty cells are left out of their row.

    Raises:
        UserError: a cell is no number: says the line.
    """
    if not path.is_file() or not path.stat().st_size:
        return []
    rows = []
    text = decode_utf8(read_bytes(path), path)
    for line, cells in enumerate(csv.DictReader(io.StringIO(text, newline="")), start=2):
        try:
            row = {name: float(cell) for name, cell in cells.items() if cell}
        except (TypeError, ValueError, AttributeError):
            raise UserError(f"{path}, line {line}: a cell is not a number; remove the damaged line") from None
        if "step" not in row:
            raise UserError(f"{path}, line {line}: it has no step; remove the damaged line")
        rows.append(row)
    return rows


def _number(value: float) -> str:
    return str(int(value)) if float(value).is_integer() and abs(value) < 1e15 else f"{value:.8g}"
