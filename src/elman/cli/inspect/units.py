"""`elman inspect units`: what each hidden unit does on a text."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from elman.cli.inspect.common import Input, Layer, Out, TextFile, answer, folder_for, look_at
from elman.cli.running import Json, RunPath, Weights
from elman.errors import UserError

if TYPE_CHECKING:
    from rich.console import RenderableType

    from elman.insight.hidden_units import Units

RANKED = 5


def units(
    run: RunPath,
    /,
    *,
    input: Input = None,
    text: TextFile = None,
    track: Annotated[
        Path | None,
        Parameter(help="File with a 0 or 1 (or another number) for each token: units are ranked by it too."),
    ] = None,
    unit: Annotated[
        tuple[int, ...], Parameter(negative="", consume_multiple=True, help="Show these units, not the best ones.")
    ] = (),
    near: Annotated[int, Parameter(help="Token, from 0, whose nearest passages to list; -1 is the last.")] = -1,
    layer: Layer = None,
    out: Out = None,
    json: Json = False,
    weights: Weights = "best",
) -> None:
    """Colour a text by what hidden units do on it, rank the units by what they track, list passages alike in state.

    Example: elman inspect units runs/shakespeare --text play.txt
    """
    from elman.insight import nearest_table, plot_units, save_figure, save_html, terminal_view
    from elman.insight import units as units_on
    from elman.run import load

    loaded = load(run, weights=weights)
    look = look_at(loaded, input, text)
    tracks = dict(look.tracks or {}) | ({track.stem: read_track(track)} if track is not None else {})
    found = units_on(loaded.inspected, look.inputs, look.tokens, layer=layer, tracks=tracks, text=look.tracks is None)
    chosen = unit or None
    shown: list[RenderableType] = [terminal_view(found, chosen), nearest_table(found, near)]
    figure, folder = plot_units(found), folder_for(out, run)
    page = save_html(found, folder / "units.html", chosen, near=(near % len(found.tokens),))
    written = [page, *save_figure(figure, folder / "units")]
    answer(shown, _facts(found, near), written, json=json, run=run)


def read_track(path: Path) -> list[float]:
    """The numbers of a file: zeros and ones written together (0011), or numbers with spaces, commas or lines between.

    Raises:
        UserError: the file cannot be read, or holds something that is not a number.
    """
    from elman.data.io.text import read_text

    words = read_text([path]).replace(",", " ").split()
    if all(set(word) <= {"0", "1"} for word in words):
        return [float(digit) for digit in "".join(words)]
    numbers = []
    for place, word in enumerate(words, 1):
        try:
            numbers.append(float(word))
        except ValueError:
            raise UserError(f"{path}: {word[:40]!r}, number {place}, is no number; give 0 or 1 a token") from None
    return numbers


def _facts(found: Units, near: int) -> dict[str, Any]:
    ranking = {
        track: [{"unit": number, "correlation": r} for number, r in found.ranked(track, RANKED)]
        for track in found.best()
    }
    passages = [
        {"token": p.at, "distance": p.distance, "before": p.before, "at": p.token, "after": p.after}
        for p in found.nearest(near)
    ]
    return {"layer": found.layer, "tokens": len(found.tokens), "ranking": ranking, "nearest": passages}
