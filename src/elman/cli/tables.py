"""Figures and tables as the terminal shows them."""

from __future__ import annotations

from typing import Any

from rich.markup import escape
from rich.table import Table as RichTable

from elman.training.report import Table, figure

LONGEST_CELL = 100  # characters; the file has the rest


def metrics_table(title: str, metrics: dict[str, float]) -> RichTable:
    """Figures by name."""
    table = RichTable(title=escape(title), title_justify="left")
    table.add_column("figure")
    table.add_column("value", justify="right")
    for name, value in metrics.items():
        table.add_row(escape(name.replace("_", " ")), figure(value))
    return table


def rich_table(table: Table) -> RichTable:
    """A report's table, numbers to the right."""
    shown = RichTable(title=escape(table.title), title_justify="left")
    for index, column in enumerate(table.columns):
        numbers = all(isinstance(row[index], int | float) for row in table.rows)
        shown.add_column(escape(column), justify="right" if numbers else "left")
    for row in table.rows:
        shown.add_row(*map(_cell, row))
    return shown


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return figure(value)
    if isinstance(value, int):
        return f"{value:,}"
    text = " ".join(str(value).split())
    return escape(text if len(text) <= LONGEST_CELL else text[: LONGEST_CELL - 1] + "…")
