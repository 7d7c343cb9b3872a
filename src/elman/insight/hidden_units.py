"""What each hidden unit does on a text: what it tracks, how closely, and which passages are alike in state."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from elman.errors import UserError, optional_imports
from elman.insight.recording import call, recording
from elman.insight.text_features import checked_track, text_tracks
from elman.insight.trace import Trace, traces, turned

if TYPE_CHECKING:
    from rich.table import Table

CONTEXT = 30  # characters shown on either side of a passage
FEWEST = 10
"""Tokens from which a correlation says something: over two of them every r is 1 or -1."""


@dataclass(frozen=True)
class Passage:
    """A place in the text whose state is near to another's.

    Attributes:
        at: the token's place, from 0.
        distance: Euclidean, from state to state.
        before, token, after: the text around it.
    """

    at: int
    distance: float
    before: str
    token: str
    after: str


@dataclass(frozen=True)
class Units:
    """The hidden states of one layer along a text.

    Attributes:
        layer: "rnn.l0".
        tokens: T characters or pieces of the text.
        h: (T, H) float32, the state after each token.
        limit: the largest absolute value that a colour stands for: 1 where the states are bounded, else that
            of h.
        tracks: by name, (T,) what a unit might track.
        correlation: by the same names, (H,) float64 Pearson's r of each unit; nan for a unit that never
            changes. A track that never changes in this text is left out.
    """

    layer: str
    tokens: tuple[str, ...]
    h: Tensor
    limit: float
    tracks: dict[str, Tensor]
    correlation: dict[str, Tensor]

    @property
    def too_short(self) -> str:
        """Why nothing is said of what the units follow; "" for a text that is long enough."""
        count = len(self.tokens)
        return (
            "" if count >= FEWEST else f"{count} tokens are too few to say what a unit follows; give {FEWEST} or more"
        )

    def ranked(self, track: str, count: int = 5) -> list[tuple[int, float]]:
        """Give the units that follow `track` most closely, each with its correlation.

        Raises:
            UserError: there is no such track, or it never changes.
        """
        if track not in self.correlation:
            known = ", ".join(self.correlation)
            raise UserError(f"nothing called {track!r} changes in this text; there are {known or 'none'}")
        r = self.correlation[track]
        order = r.abs().nan_to_num(-1).argsort(descending=True, stable=True)[:count].tolist()
        return [(k, float(r[k])) for k in order if not bool(r[k].isnan())]

    def best(self) -> dict[str, tuple[int, float]]:
        """Give the unit that follows each track most closely, the closest first."""
        found = {track: self.ranked(track, 1) for track in self.correlation}
        pairs = [(track, units[0]) for track, units in found.items() if units]
        return dict(sorted(pairs, key=lambda pair: -abs(pair[1][1])))

    def nearest(self, at: int, count: int = 5, apart: int = 20) -> list[Passage]:
        """Give the places whose states are nearest to that after token `at`.

        Arguments:
            count: how many.
            apart: tokens by which they lie apart from `at` and from one another.

        Raises:
            UserError: there is no such token.
        """
        if not -len(self.tokens) <= at < len(self.tokens):
            raise UserError(f"there is no token {at}: the text has {len(self.tokens)}, counted from 0")
        at %= len(self.tokens)
        distance = (self.h - self.h[at]).double().norm(dim=-1)
        taken, found = [at], list[Passage]()
        for k in distance.argsort(stable=True).tolist():
            if len(found) == count:
                break
            if all(abs(k - other) >= apart for other in taken):
                taken.append(k)
                found.append(self.passage(k, float(distance[k])))
        return found

    def passage(self, at: int, distance: float = 0.0) -> Passage:
        """Give the text around token `at`."""
        before, after = self.tokens[max(0, at - CONTEXT) : at], self.tokens[at + 1 : at + 1 + CONTEXT]
        return Passage(at, distance, "".join(before)[-CONTEXT:], self.tokens[at], "".join(after)[:CONTEXT])

    def table(self, count: int = 3) -> Table:
        """Show the units that track most closely in the terminal."""
        with optional_imports():
            from rich.table import Table

        if self.too_short:
            return Table(f"{self.layer}: {self.too_short}")  # without columns rich shows no title either
        title = f"What units of {self.layer} track in {len(self.tokens)} tokens (Pearson's r)"
        table = Table("track", *(f"unit {place}" for place in ("1st", "2nd", "3rd")[:count]), title=title)
        for track in self.best():
            table.add_row(track, *(f"{unit}: {r:+.2f}" for unit, r in self.ranked(track, min(count, 3))))
        return table


def units(
    model: nn.Module,
    x: Any,
    tokens: Sequence[str],
    *,
    layer: str | None = None,
    tracks: Mapping[str, Iterable[float]] | None = None,
    text: bool = True,
) -> Units:
    """Find what the hidden units do on a text.

    Arguments:
        model: any with a recurrent layer of a registered kind in it.
        x: the text as the model takes it, one sequence of T steps; a tuple gives the model's arguments.
        tokens: the text itself, T characters (a string will do) or pieces.
        layer: which, by name; the last if not given.
        tracks: more that a unit might follow: a name, and a number (0 or 1, say) for each token.
        text: also the tracks that any text has: quotes, brackets, lines.

    Raises:
        UserError: a text of fewer than two tokens or of another length than x, no such layer, a track that
            does not fit, no recurrent layer, weights that are not finite, or a model on another device.
    """
    with recording(model) as calls, torch.no_grad():
        call(model, x)
    found = {t.cell.name: t for one in calls for row in traces(one) for t in row}
    trace = _chosen(found, layer)
    T, B = trace.h.shape[:2]
    if T < 2:
        raise UserError("a text of one token leaves nothing to compare: give a longer one")
    if B != 1 or len(tokens) != T:
        raise UserError(
            f"the text has {len(tokens)} tokens, and the layer was given B={B} sequences of T={T}: they must agree"
        )
    h = (turned(trace.h, trace.lengths) if trace.cell.reverse else trace.h)[:, 0].float().cpu()
    every = text_tracks(tokens) if text else {}
    every.update({name: checked_track(name, values, T) for name, values in (tracks or {}).items()})
    return Units(
        layer=trace.cell.name,
        tokens=tuple(tokens),
        h=h,
        limit=1.0 if trace.cell.map.bounded else float(h.abs().max()) or 1.0,
        tracks=every,
        correlation={name: correlation(h, track) for name, track in every.items() if bool((track != track[0]).any())},
    )


def _chosen(found: dict[str, Trace], layer: str | None) -> Trace:
    if not found:
        raise UserError("the model never called its recurrent layer on this text")
    if layer is not None and layer not in found:
        raise UserError(f"there is no layer called {layer!r}; there are {', '.join(found)}")
    return found[layer if layer is not None else list(found)[-1]]


def correlation(h: Tensor, track: Tensor) -> Tensor:
    """Give Pearson's r of each column of h (T, H) with track (T,): (H,) float64, nan where one is constant."""
    h, track = h.double(), track.double()
    centred, other = h - h.mean(0), track - track.mean()
    r = (centred.T @ other) / (centred.norm(dim=0) * other.norm())
    return torch.where(h.amax(0) == h.amin(0), torch.nan, r.clamp(-1, 1))
