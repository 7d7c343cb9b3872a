"""Figures and tables as the terminal shows them."""

from __future__ import annotations

from typing import Any

from rich.table import Table as RichTable

from elman.errors import one_line_of
from elman.training.report import Table

LONGEST_CELL = 100  # characters; the file has the rest


def metrics_table(title: str, metrics: dict[str, float]) -> RichTable:
    """Figures by name."""
    table = RichTable(title=one_line_of(title), title_justify="left")
    table.add_column("figure")
    table.add_column("value", justify="right")
    for name, value in metrics.items():
        table.add_row(name.replace("_", " "), number(value))
    return table


def number(value: float) -> str:
    """Four decimals; a number that these would write as zero, or as a long row of digits, by its digits that count."""
    return f"{value:,.4f}" if value == 0 or 1e-3 <= abs(value) < 1e9 else f"{value:.4g}"


def rich_table(table: Table) -> RichTable:
    """A report's table, numbers to the right."""
    shown = RichTable(title=one_line_of(table.title), title_justify="left")
    for index, column in enumerate(table.columns):
        numbers = all(isinstance(row[index], int | float) for row in table.rows)
        shown.add_column(one_line_of(column), justify="right" if numbers else "left")
    for row in table.rows:
        shown.add_row(*map(_cell, row))
    return shown


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return number(value)
    if isinstance(value, int):
        return f"{value:,}"
    text = " ".join(str(value).split())
    return text if len(text) <= LONGEST_CELL else text[: LONGEST_CELL - 1] + "…"
