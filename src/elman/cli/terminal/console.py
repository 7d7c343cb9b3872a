"""Rich's console as the one way of tables and bars to a terminal: no foreign text commands it, no number is cut."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from rich.console import Console, ConsoleOptions, Group, RenderableType
from rich.segment import Segment
from rich.table import Column, Table
from rich.text import Text

from elman.cli.terminal.characters import printable

UNBOUNDED = 10_000
"""Columns where the output is no terminal: a file or a pipe cuts nothing."""
NARROWEST = 16
"""Columns that a text may be folded to where the terminal is narrow; numbers are never folded."""
WIDEST = 24
"""Columns that a cell of the first column may take where it is repeated beside every part of a wide table."""


class SafeConsole(Console):
    """A console through which every text goes as it is read: without markup, its control characters written out."""

    def __init__(self, *, stderr: bool = False) -> None:
        super().__init__(stderr=stderr, highlight=False, markup=False, emoji=False)
        if not self.is_terminal:
            self.width = UNBOUNDED

    def render_str(self, text: str, **how: Any) -> Text:
        """A text as it is measured and shown."""
        return super().render_str(printable(text), **how)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Everything that is printed, live displays too, passes here piece by piece."""
        for piece in super().render(renderable, options):
            yield piece if piece.control else Segment(printable(piece.text), piece.style)

    def show(self, *parts: RenderableType) -> None:
        """Print texts, whose lines the terminal may wrap, and tables, as wide as they must be."""
        for part in parts:
            for piece in _fitting(part, self):
                self.print(piece, soft_wrap=isinstance(piece, str | Text))


def _fitting(part: RenderableType, console: Console) -> Iterator[RenderableType]:
    if isinstance(part, Group):
        for inner in part.renderables:
            yield from _fitting(inner, console)
    elif isinstance(part, Table):
        title, caption = part.title, part.caption
        part.title = part.caption = None  # beside the table they are not folded to its width
        yield from (title,) if title else ()
        yield from fitting_tables(part, console)
        yield from (caption,) if caption else ()
    else:
        yield part


def fitting_tables(table: Table, console: Console) -> list[Table]:
    """The table as it is where it fits; else its columns in several tables, the first column beside each.

    Texts and headings fold down to some columns. Numbers (columns to the right) stay whole.
    """
    for column in table.columns:
        column.overflow = "fold"
        heading, cells = (
            _width(column.header, console),
            max((_width(cell, console) for cell in column.cells), default=0),
        )
        if column.justify == "right":
            column.width = column.min_width = max(cells, min(heading, NARROWEST))
        else:
            column.min_width = min(max(heading, cells), NARROWEST)
    around = 3  # a border and a blank on each side of a cell
    room = console.options.max_width - 1
    if sum(column.min_width + around for column in table.columns if column.min_width) <= room:
        return [table]
    first, *others = table.columns
    widest = max(_width(cell, console) for cell in (first.header, *first.cells))
    first.width = first.min_width = min(widest, WIDEST)
    parts: list[list[Column]] = []
    left = 0
    for column in others:
        takes = (column.min_width or 0) + around
        if not parts or takes > left:
            parts.append([])
            left = room - first.min_width - around
        parts[-1].append(column)
        left -= takes
    return [_part([first, *columns]) for columns in parts]


def _part(columns: list[Column]) -> Table:
    """Some columns of a table."""
    part = Table(*(column.copy() for column in columns))
    for row in zip(*(column.cells for column in columns), strict=True):
        part.add_row(*row)
    return part


def _width(cell: RenderableType, console: Console) -> int:
    return console.measure(cell).maximum if cell else 0


def help_console() -> Console:
    """For help: rich wraps it, so on a pipe it is as wide as a page."""
    console = SafeConsole()
    if not console.is_terminal:
        console.width = 80
    return console
