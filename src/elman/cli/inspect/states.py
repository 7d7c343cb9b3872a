"""`elman inspect states`: where the states go, and where they would come to rest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from elman.cli.inspect.common import Layer, OptionalInput, OptionalTextFile, Out, answer, folder_for, look_at
from elman.cli.running import Json, RunPath, Weights

if TYPE_CHECKING:
    from elman.insight.fixed_points import FixedPoints
    from elman.insight.state_space import StateSpace


def states(
    run: RunPath,
    /,
    *,
    input: OptionalInput = None,
    text: OptionalTextFile = None,
    layer: Layer = None,
    starts: Annotated[
        int, Parameter(help="States from which to look for fixed and slow points; 0 leaves them out.")
    ] = 32,
    out: Out = None,
    json: Json = False,
    weights: Weights = "best",
) -> None:
    """Draw where a layer's states go in their two principal components, with the fixed and slow points of its map.

    The sequences are those of the next training batch, or the one input that is given; the points are those under a
    constant input, the mean of what the layer was given. A parity run also gets the picture that explains its answer.

    Example: elman inspect states runs/parity
    """
    from elman.insight import plot_states, save_figure
    from elman.insight import states as states_of
    from elman.run import load

    loaded = load(run, weights=weights)
    words: list[str] = []
    if input is None and text is None:
        batch = loaded.batch()
        space = states_of(loaded.inspected, batch, layer, run=loaded.cost)
        special = loaded.task.show_states(batch, space)
    else:
        space, special = states_of(loaded.inspected, look_at(loaded, input, text).inputs, layer), None
    points = _points(space, starts)
    figures = {"states": plot_states(space, points)}
    if special is not None:
        figures[loaded.task.name], words = special
    folder = folder_for(out, run)
    written = [path for name, figure in figures.items() for path in save_figure(figure, folder / name)]
    shown = [points.table()] if points is not None else []
    answer([space.summary, *words, *shown], _facts(space, points, words), written, json=json, run=run)


def _points(space: StateSpace, starts: int) -> FixedPoints | None:
    from elman.errors import UserError
    from elman.insight import fixed_points
    from elman.insight.fixed_points import ROUNDS
    from elman.training.progress import display

    if starts < 0:
        raise UserError(f"--starts is {starts}; it must be at least 0")
    if not starts:
        return None
    with display().counting("looking for fixed points, rounds", ROUNDS) as done:
        return fixed_points(space, space.x[space.real].mean(0), space.visited(starts), progress=done)


def _facts(space: StateSpace, points: FixedPoints | None, words: list[str]) -> dict[str, Any]:
    facts: dict[str, Any] = {"layer": space.name, "explained": space.explained, "findings": words}
    if points is None:
        return facts
    places = space.project(points.state)
    rows = zip(points.kinds, points.speed.tolist(), points.starts.tolist(), places, points.eigenvalues, strict=True)
    facts["points"] = [
        {"kind": kind, "speed": speed, "starts": count, "place": place, "largest_eigenvalues": values.abs()[:5]}
        for kind, speed, count, place, values in rows
    ]
    return facts
