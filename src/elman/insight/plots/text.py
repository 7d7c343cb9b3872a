"""A text coloured by what a unit did on it, in the terminal and as a page that stands by itself.

Whatever the text holds is shown and never obeyed: the page escapes it, loads nothing and runs nothing, and in
the terminal control characters are replaced by their pictures.
"""

from __future__ import annotations

import html
import unicodedata
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from elman.atomic_io import write_text
from elman.errors import UserError, optional_imports
from elman.insight.hidden_units import Passage, Units
from elman.plotting.palette import colour

if TYPE_CHECKING:
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

_SHADES = 10  # on either side of white

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color:
#1a1a1a; }} pre {{ font: 15px/1.6 ui-monospace, monospace; white-space: pre-wrap; overflow-wrap: anywhere; }}
.scale span {{ display: inline-block; padding: 0 .5rem; }}
{shades}
</style>
</head>
<body>
<h1>{title}</h1>
<p class="scale">h = {scale}</p>
{sections}
</body>
</html>
"""


def shown(text: str) -> str:
    """Replace what would steer a terminal or reorder a line by a picture of it; line breaks and tabs stay."""
    return "".join(c if c in "\n\t" or unicodedata.category(c) not in ("Cc", "Cf") else _picture(c) for c in text)


def _picture(c: str) -> str:
    return chr(0x2400 + ord(c)) if ord(c) < 0x20 else "␡" if c == "\x7f" else "�"


def coloured(units: Units, unit: int, start: int = 0, stop: int | None = 400) -> Text:
    """Colour tokens `start` to `stop` by one unit, for `rich.print`: blue below zero, vermillion above.

    Raises:
        UserError: there is no such unit.
    """
    with optional_imports():
        from rich.text import Text

    text = Text()
    for token, shade in _shades(units, unit, start, stop):
        background, ink = colour(shade / _SHADES)
        for line in shown(token).splitlines(keepends=True):
            body = line.rstrip("\n")
            text.append(body + "↵" * (line != body), style=f"{ink} on {background}")
            text.append("\n" * (line != body))
    return text


def terminal_view(units: Units, chosen: Sequence[int] | None = None, stop: int | None = 400) -> Group:
    """Show the table of what units track, and the text coloured by each of the chosen units.

    Arguments:
        chosen: units by number; the best for each track if not given.
    """
    with optional_imports():
        from rich.console import Group
        from rich.text import Text

    parts: list[Text] = []
    for unit, heading in _headings(units, chosen):
        parts += [Text(f"\n{heading}", style="bold"), coloured(units, unit, 0, stop)]
    return Group(Text(f"{units.layer}: {units.too_short}") if units.too_short else units.table(), *parts)


def nearest_table(units: Units, at: int, count: int = 5) -> Table:
    """Show the passages that are nearest in state to that after token `at`, which comes first, in the terminal.

    Raises:
        UserError: there is no such token.
    """
    with optional_imports():
        from rich.table import Table
        from rich.text import Text

    table = Table("token", "distance", "passage", title=f"Nearest in state to token {at}", title_justify="left")
    for passage in (units.passage(at % len(units.tokens)), *units.nearest(at, count)):
        before, token, after = _pieces(passage)
        text = Text.assemble(before, (f"[{token}]", "bold"), after)
        table.add_row(str(passage.at), f"{passage.distance:.3f}", text)
    return table


def html_page(
    units: Units,
    chosen: Sequence[int] | None = None,
    *,
    near: Sequence[int] = (),
    stop: int | None = 5000,
) -> str:
    """Make a page of the text coloured by each of the chosen units, in which all of the text is escaped.

    Arguments:
        chosen: units by number; the best for each track if not given.
        near: places in the text (from 0) for which to list the passages nearest in state.
        stop: tokens to show.

    Raises:
        UserError: there is no such unit or place.
    """
    steps = range(-_SHADES, _SHADES + 1)
    sections = [_section(units, unit, heading, stop) for unit, heading in _headings(units, chosen)]
    sections += [_neighbours(units, at) for at in near]
    styles = {_class(k): colour(k / _SHADES) for k in steps}
    return _PAGE.format(
        title=html.escape(f"What hidden units of {units.layer} do on a text of {len(units.tokens)} tokens"),
        shades="\n".join(f".{name} {{ background: {b}; color: {ink}; }}" for name, (b, ink) in styles.items()),
        scale="".join(f'<span class="{_class(k)}">{k / _SHADES * units.limit:.2g}</span>' for k in steps[::5]),
        sections="\n".join(sections),
    )


def save_html(
    units: Units,
    path: str | Path,
    chosen: Sequence[int] | None = None,
    *,
    near: Sequence[int] = (),
    stop: int | None = 5000,
) -> Path:
    """Write `html_page` to a file, whole or not at all, and give its path."""
    path = Path(path)
    write_text(path, html_page(units, chosen, near=near, stop=stop))
    return path


def _headings(units: Units, chosen: Sequence[int] | None) -> list[tuple[int, str]]:
    if chosen is not None:
        return [(unit, f"Unit {unit}") for unit in chosen]
    best = units.best().items()
    if units.too_short:
        return [(unit, f"Unit {unit}") for unit in dict.fromkeys(unit for _, (unit, _) in best)]
    return [(unit, f"Unit {unit} tracks {track} (r = {r:+.2f})") for track, (unit, r) in best]


def _shades(units: Units, unit: int, start: int, stop: int | None) -> Iterator[tuple[str, int]]:
    """Give each token with its shade, a whole number from -10 to 10; neighbours of one shade are joined."""
    if not 0 <= unit < units.h.shape[1]:
        raise UserError(f"there is no unit {unit}: layer {units.layer} has {units.h.shape[1]}, counted from 0")
    values = (units.h[start:stop, unit] / units.limit * _SHADES).clamp(-_SHADES, _SHADES).round().int().tolist()
    for shade, pairs in groupby(zip(units.tokens[start:stop], values, strict=True), key=lambda pair: pair[1]):
        yield "".join(token for token, _ in pairs), shade


def _class(shade: int) -> str:
    return f"{'n' if shade < 0 else 'p'}{abs(shade)}"


def _section(units: Units, unit: int, heading: str, stop: int | None) -> str:
    pieces = _shades(units, unit, 0, stop)
    spans = "".join(f'<span class="{_class(k)}">{html.escape(shown(text))}</span>' for text, k in pieces)
    more = len(units.tokens) - len(units.tokens[:stop])
    rest = f"<p>... and {more} more tokens</p>" if more else ""
    return f"<h2>{html.escape(heading)}</h2>\n<pre>{spans}</pre>{rest}"


def _neighbours(units: Units, at: int) -> str:
    lines = "\n".join(_line(p) for p in (units.passage(at), *units.nearest(at)))
    return f"<h2>Nearest in state to token {at}</h2>\n<pre>{lines}</pre>"


def _line(passage: Passage) -> str:
    before, token, after = map(html.escape, _pieces(passage))
    return f"{passage.distance:8.3f}  {before}<b>[{token}]</b>{after}"


def _pieces(passage: Passage) -> tuple[str, str, str]:
    """What stands before, at and after a place, on one line."""
    before, token, after = (shown(p).replace("\n", "↵") for p in (passage.before, passage.token, passage.after))
    return before, token, after
