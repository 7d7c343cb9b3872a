"""Looking inside a run: numbers for the page's pictures. Each is worked out on a copy of the network of its own.

What is asked of the network while it is recorded must not be in the record, so predictions use another copy.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from elman.errors import UserError, optional_imports
from elman.run import Run, load
from elman.web.service.requests.problems import Problem
from elman.web.service.served_run import ServedRun

with optional_imports():
    import msgspec

MOST_STEPS, MOST_UNROLLED, MOST_UNITS = 4000, 200, 1024
"""Steps of a text that is coloured, of a network that is unrolled, and units that are shown."""
MOST_SOLVED = 300
"""Units of a layer whose fixed points are looked for."""
STARTS = 24


class InspectBody(msgspec.Struct, forbid_unknown_fields=True):
    """What is to be looked at, and how."""

    input: str
    layer: str | None = None
    begin: int = 0
    end: int = 1
    threshold: float = 0.3
    only: bool = False
    near: int = -1
    fixed_points: bool = False


class Inspector:
    """Answers one question after the other about a run.

    Arguments:
        served: the run, whose weights are read again where training has written better ones.
    """

    def __init__(self, served: ServedRun) -> None:
        self._served = served
        self._lock = threading.Lock()
        self._run: Run | None = None
        self._written = 0.0

    async def answer(self, what: str, body: InspectBody) -> dict[str, Any]:
        """The numbers of one picture.

        Raises:
            Problem: no such picture, or an input that the task cannot show.
        """
        look = LOOKS.get(what)
        if look is None:
            raise Problem(404, f"there is no {what[:40]!r} to look at; there are: {', '.join(LOOKS)}")
        if self._served.run.task.inputs_are_files:
            raise Problem(422, f"a {self._served.run.task.name} run is looked into by `elman inspect`, with its files")

        def work() -> dict[str, Any]:
            with self._lock:
                return look(self._current(), body)

        try:
            return await asyncio.to_thread(work)
        except UserError as error:
            raise Problem(422, str(error)) from error

    def _current(self) -> Run:
        weights = self._served.run.folder.weights
        written = weights.stat().st_mtime if weights.exists() else 0.0
        if self._run is None or written != self._written:
            self._run, self._written = load(self._served.run.folder.path), written
        return self._run


def unroll(run: Run, body: InspectBody) -> dict[str, Any]:
    """Every copy of the network over one input: states, outputs and costs forward, gradients back."""
    from elman.insight import unroll as unrolled_over

    look = run.inspection_example(body.input)
    _check(len(look.tokens), MOST_UNROLLED)
    found = unrolled_over(run.inspected, look.inputs, look.targets, tokens=look.tokens, layer=look.layer)
    rows = [found.output_row(t) for t in range(found.steps)]
    return {
        "tokens": list(found.tokens),
        "about": look.about,
        "cost": found.cost,
        "layers": [
            {
                "name": layer.name,
                "h": layer.h[:, :MOST_UNITS],
                "grad_h": layer.grad_h[:, :MOST_UNITS],
                "norm_h": layer.h.norm(dim=-1),
                "norm_grad_h": layer.grad_h.norm(dim=-1),
            }
            for layer in found.layers
        ],
        "y": [None if row is None else found.y[row][:MOST_UNITS] for row in rows],
        "costs": [None if row is None else float(found.costs[row]) for row in rows],
        "weights": [
            {"name": weight.name, "gradient_norm": float(weight.gradient.norm()), "by_step": weight.by_step}
            for weight in found.weights
        ],
    }


def units(run: Run, body: InspectBody) -> dict[str, Any]:
    """Each hidden unit along a text, what each tracks, and the passages nearest in state to one token."""
    from elman.insight import units as units_on

    look = run.inspection_example(body.input)
    _check(len(look.tokens), MOST_STEPS)
    tracks = dict(look.tracks or {})
    found = units_on(run.inspected, look.inputs, look.tokens, layer=body.layer, tracks=tracks, text=look.tracks is None)
    return {
        "layer": found.layer,
        "tokens": list(found.tokens),
        "limit": found.limit,
        "h": found.h[:, :MOST_UNITS].half().float(),
        "ranking": {
            track: [{"unit": unit, "correlation": r} for unit, r in found.ranked(track)] for track in found.best()
        },
        "nearest": found.nearest(body.near, 8),
    }


def search(run: Run, body: InspectBody) -> dict[str, Any]:
    """Stretches of a text in which the units that are on in a range are on again."""
    from elman.insight import units as units_on
    from elman.insight.state_search import state_search

    look = run.inspection_example(body.input)
    _check(len(look.tokens), MOST_STEPS)
    found = units_on(run.inspected, look.inputs, look.tokens, layer=body.layer, text=False)
    matches = state_search(found.h, body.begin, body.end, body.threshold, only=body.only)
    return {
        "units": matches.units,
        "matches": [
            {
                "begin": one.begin,
                "end": one.end,
                "shared": one.shared,
                "before": found.passage(one.begin).before,
                "text": "".join(found.tokens[one.begin : one.end]),
                "after": found.passage(one.end - 1).after,
            }
            for one in matches.matches
        ],
    }


def states(run: Run, body: InspectBody) -> dict[str, Any]:
    """Where the states go in their first three principal components, and where they would come to rest."""
    import torch

    from elman.insight import fixed_points
    from elman.insight import states as states_of

    look = run.inspection_example(body.input)
    _check(len(look.tokens), MOST_STEPS)
    space = states_of(run.inspected, look.inputs, body.layer)
    h = space.h[:, 0]
    centred = h - space.mean
    _, values, directions = torch.linalg.svd(centred, full_matrices=False)
    axes = directions[:3]
    axes = axes * axes.gather(1, axes.abs().argmax(1, keepdim=True)).sign()
    shares = (values.square() / values.square().sum().clamp_min(1e-300))[:3]
    answer = {
        "layer": space.name,
        "tokens": list(look.tokens),
        "summary": space.summary,
        "explained": shares,
        "points": centred @ axes.T,
        "fixed": None,
    }
    if body.fixed_points:
        if h.shape[1] > MOST_SOLVED:
            raise UserError(
                f"the layer has {h.shape[1]} units; points are looked for in layers of {MOST_SOLVED} at most"
            )
        points = fixed_points(space, space.x[space.real].mean(0), space.visited(STARTS))
        places = (points.state[:, : len(space.mean)] - space.mean) @ axes.T
        rows = zip(points.kinds, points.speed.tolist(), places, points.eigenvalues.abs(), strict=True)
        answer["fixed"] = [
            {"kind": kind, "speed": speed, "place": place, "eigenvalues": values[:3]}
            for kind, speed, place, values in rows
        ]
    return answer


def metrics(folder: Path) -> dict[str, Any]:
    """What training has written down so far, by column; numbers alone."""
    from elman.training.monitoring.metrics_log import read_metrics

    path = folder / "metrics.csv"
    if path.is_symlink() or not path.is_file():
        return {"rows": []}
    return {"rows": read_metrics(path)}


def _check(steps: int, most: int) -> None:
    if steps > most:
        raise UserError(f"the input has {steps:,} steps, and at most {most:,} are looked at; give a shorter one")


LOOKS: dict[str, Callable[[Run, InspectBody], dict[str, Any]]] = {
    "unroll": unroll,
    "units": units,
    "search": search,
    "states": states,
}
"""By the last word of the address."""
