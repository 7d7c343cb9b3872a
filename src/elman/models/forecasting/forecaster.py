"""Forecaster: a window of the past goes in, the steps to come come out, all at once or one after the other.

T rows of a window, F steps ahead, B windows, Y targets, P past covariates, K known-future ones, Q numbers a forecast.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from elman.models.config import RecurrentConfig
from elman.models.dropout import LockedDropout
from elman.models.forecasting.heads import Gaussian, Head
from elman.models.recurrent import Recurrent, State

Anchor = Literal["none", "last", "season", "line"]
Bounds = tuple[Tensor, Tensor]
PATHS_AT_ONCE = 1 << 14


@dataclass(frozen=True)
class Layout:
    """What goes in and what comes out.

    Arguments:
        targets, past, known: Y, P and K.
        horizon: F.
        segment: rows that one step of the network reads together (Lin et al. 2023), a divisor of T.
        anchor: what the answers are added to: nothing; the last value; the value one season before; or a line through
            the window, see `DirectForecaster.set_line`. The network reads the targets relative to the same, and to the
            last value with a line.
        rows, own: T, and how many of the K known columns are the user's own and not the calendar's: for a line.
        blended: whether validation decides which share of the network's answers is added to the anchor.
        season: rows.
    """

    targets: int
    past: int
    known: int
    horizon: int
    segment: int = 1
    anchor: Anchor = "none"
    season: int = 1
    rows: int = 0
    own: int = 0
    blended: bool = False


class Forecaster(nn.Module):
    """What both kinds share: the recurrent part, the output layer, and how wide the intervals must be.

    `widen` (F, Y) is what validation says the intervals lack on either side, see `elman.models.forecasting.inference`.
    """

    widen: Tensor

    def __init__(self, layout: Layout, head: Head, shape: RecurrentConfig, read: int, answers: int, dropout: float):
        super().__init__()
        self.layout = layout
        self.head = head
        self.recurrent = Recurrent(shape)
        self.dropout = LockedDropout(dropout)
        self.output = nn.Linear(read, answers * head.size)
        head.start(self.output.bias)
        self.register_buffer("widen", torch.zeros(layout.horizon, layout.targets))

    def forward(
        self, values: Tensor, known: Tensor, future: Tensor, observed: Tensor | None = None
    ) -> tuple[Tensor, int]:
        """Summed loss and what it was summed over, for values (T, B, Y + P), known (T + F, B, K), future (F, B, Y).

        Arguments:
            observed: (T + F, B, Y) which targets were measured; others count for nothing. None: all were.
        """
        raise NotImplementedError

    def forecast(self, values: Tensor, known: Tensor) -> tuple[Tensor, Bounds | None]:
        """Points (F, B, Y) and the ends of their intervals, before `widen`, from values (T, B, Y + P) and known."""
        raise NotImplementedError


class DirectForecaster(Forecaster):
    """All F steps at once, from the state after the window and from what is known of the steps to come."""

    line_weight: Tensor
    line_known: Tensor
    line_ahead: Tensor
    line_bias: Tensor
    share: Tensor
    interval_spread: Tensor
    anchors_alone = False

    def __init__(self, layout: Layout, head: Head, shape: RecurrentConfig, *, dropout: float = 0.0) -> None:
        read = shape.hidden_size + layout.horizon * layout.known
        super().__init__(layout, head, shape, read, layout.horizon * layout.targets, dropout)
        if layout.anchor == "line":
            answers = layout.targets, layout.horizon
            self.register_buffer("line_weight", torch.zeros(*answers, layout.rows))
            self.register_buffer("line_known", torch.zeros(*answers, layout.rows, layout.own))
            self.register_buffer("line_ahead", torch.zeros(*answers, layout.known))
            self.register_buffer("line_bias", torch.zeros(answers))
        if layout.blended:
            self.register_buffer("share", torch.ones(()))
            self.register_buffer("interval_spread", torch.ones(()))  # 0: intervals are as wide as `widen` says
            with torch.no_grad():
                self.output.weight.zero_()  # the network begins by adding nothing to the anchor

    def set_line(self, weight: Tensor, known: Tensor, ahead: Tensor, bias: Tensor) -> None:
        """The line of `anchor="line"`: what is in `elman.models.forecasting.line.Line`, in its order and shapes."""
        self.line_weight.copy_(weight)
        self.line_known.copy_(known)
        self.line_ahead.copy_(ahead)
        self.line_bias.copy_(bias)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """The anchor without the network, which is not asked, while this lasts; for a blended forecaster."""
        self.anchors_alone = True
        try:
            yield
        finally:
            self.anchors_alone = False

    def numbers(self, values: Tensor, known: Tensor) -> Tensor:
        """What the head takes, (F, B, Y, Q), relative to the anchor."""
        layout, (steps, batch, _) = self.layout, values.shape
        rows = torch.cat([self._relative(values), known[:steps]], dim=2)
        segments = rows.view(steps // layout.segment, layout.segment, batch, -1).transpose(1, 2).flatten(2)
        _, state = self.recurrent(self.dropout(segments))
        ahead = known[steps:].transpose(0, 1).flatten(1)
        read = torch.cat([self.dropout(state[0][-1:])[0], ahead], dim=1)
        answers: Tensor = self.output(read).view(batch, layout.horizon, layout.targets, self.head.size)
        return answers.transpose(0, 1)

    def forward(
        self, values: Tensor, known: Tensor, future: Tensor, observed: Tensor | None = None
    ) -> tuple[Tensor, int]:
        """Summed loss of all steps of the horizon, and what it was summed over; shapes as in `Forecaster.forward`."""
        losses = self.head.loss(self.numbers(values, known).float(), future - self._anchors(values, known))
        return _summed(losses, None if observed is None else observed[len(values) :])

    def forecast(self, values: Tensor, known: Tensor) -> tuple[Tensor, Bounds | None]:
        """Points and intervals of all steps at once; shapes as in `Forecaster.forecast`."""
        if self.anchors_alone:
            return self._anchors(values, known), None
        answers, bounds, anchors = self.parts(values, known)
        blended = (self.share, self.interval_spread) if self.layout.blended else None
        return joined(answers, bounds, anchors, blended)

    def parts(self, values: Tensor, known: Tensor) -> tuple[Tensor, Bounds | None, Tensor]:
        """The network's answers and the ends of their intervals, and the anchors that they are added to."""
        numbers = self.numbers(values, known).float()
        return self.head.point(numbers), self.head.interval(numbers), self._anchors(values, known)

    def _relative(self, values: Tensor) -> Tensor:
        layout = self.layout
        targets = values[..., : layout.targets]
        if layout.anchor in ("last", "line"):
            targets = targets - targets[-1:]
        elif layout.anchor == "season":
            targets = difference(targets, layout.season)
        return torch.cat([targets, values[..., layout.targets :]], dim=2)

    def _anchors(self, values: Tensor, known: Tensor) -> Tensor:
        """(F, B, Y) what the answers are added to."""
        layout = self.layout
        targets = values[..., : layout.targets]
        if layout.anchor == "none":
            return targets.new_zeros(layout.horizon, *targets.shape[1:])
        if layout.anchor == "line":
            steps = len(targets)
            line = torch.einsum("yft,tby->fby", self.line_weight, targets) + self.line_bias.T.unsqueeze(1)
            line = line + torch.einsum("yftu,tbu->fby", self.line_known, known[:steps, :, : layout.own])
            return line + torch.einsum("yfk,fbk->fby", self.line_ahead, known[steps:])
        last = targets[-(layout.season if layout.anchor == "season" else 1) :]
        return last.repeat(-(-layout.horizon // len(last)), 1, 1)[: layout.horizon]


class RecursiveForecaster(Forecaster):
    """One step at a time, each forecast being the next input; it has no past covariates, whose future is not known.

    It learns from every step of the window (teacher forcing, Williams and Zipser 1989).
    """

    def __init__(self, layout: Layout, head: Head, shape: RecurrentConfig, *, dropout: float = 0.0) -> None:
        super().__init__(layout, head, shape, shape.hidden_size, layout.targets, dropout)

    @property
    def lag(self) -> int:
        """How many rows back the anchor lies; 0 without one."""
        return {"none": 0, "last": 1, "season": self.layout.season, "line": 0}[self.layout.anchor]

    def forward(
        self, values: Tensor, known: Tensor, future: Tensor, observed: Tensor | None = None
    ) -> tuple[Tensor, int]:
        """Summed loss of every next step, and what it was summed over; shapes as in `Forecaster.forward`."""
        targets = torch.cat([values, future])
        relative = self._relative(targets)
        numbers, _ = self._run(relative[:-1], known[1:], ())
        first = self.lag  # before it there is no difference
        losses = self.head.loss(numbers[first:].float(), relative[first + 1 :])
        return _summed(losses, None if observed is None else observed[first + 1 :])

    def forecast(
        self, values: Tensor, known: Tensor, paths: int = 0, level: float = 0.0, seed: int = 0
    ) -> tuple[Tensor, Bounds | None]:
        """As the base says; intervals come from `paths` futures that are drawn, and enclose the middle `level`."""
        point = self._go_on(values, known, None)
        if not paths or not isinstance(self.head, Gaussian):
            return point, None
        generator = torch.Generator(values.device).manual_seed(seed)
        ends = torch.tensor([(1 - level) / 2, (1 + level) / 2], device=values.device)
        lower, upper = [], []
        for some in torch.split(torch.arange(values.shape[1], device=values.device), max(1, PATHS_AT_ONCE // paths)):
            wide = some.repeat_interleave(paths)
            drawn = self._go_on(values[:, wide], known[:, wide], generator)
            low, high = drawn.view(len(drawn), len(some), paths, -1).quantile(ends, dim=2)
            lower.append(low)
            upper.append(high)
        return point, (torch.cat(lower, dim=1), torch.cat(upper, dim=1))

    def _go_on(self, values: Tensor, known: Tensor, generator: torch.Generator | None) -> Tensor:
        """(F, B, Y) forecasts, or with a generator one drawn future of each window; F is what `known` reaches."""
        steps = len(values)
        numbers, state = self._run(self._relative(values), known[1 : steps + 1], ())
        numbers, past = numbers[-1:], values
        for step in range(steps + 1, len(known) + 1):
            answer = self._answer(numbers.float(), generator)
            if self.lag:
                answer = answer + past[len(past) - self.lag : len(past) - self.lag + 1]
            past = torch.cat([past, answer])
            if step < len(known):
                relative = self._relative(past[-self.lag - 1 :])[-1:]
                numbers, state = self._run(relative, known[step : step + 1], state)
        return past[steps:]

    def _answer(self, numbers: Tensor, generator: torch.Generator | None) -> Tensor:
        point = self.head.point(numbers)
        if generator is None or not isinstance(self.head, Gaussian):
            return point
        noise = torch.randn(point.shape, generator=generator, device=point.device)
        return point + self.head.std(numbers) * noise

    def _run(self, relative: Tensor, known: Tensor, state: State) -> tuple[Tensor, State]:
        """Numbers (T, B, Y, Q) for the row after each of (T, B, Y), of which known (T, B, K) tells."""
        states, state = self.recurrent(self.dropout(torch.cat([relative, known], dim=2)), state)
        answers = self.output(self.dropout(states))
        return answers.view(*relative.shape, self.head.size), state

    def _relative(self, targets: Tensor) -> Tensor:
        return difference(targets, self.lag) if self.lag else targets


def joined(
    answers: Tensor, bounds: Bounds | None, anchors: Tensor, blended: tuple[Tensor, Tensor] | None
) -> tuple[Tensor, Bounds | None]:
    """Points and the ends of their intervals: the network's answers and the anchors.

    Answers, bounds and anchors are of one shape.

    Arguments:
        blended: the share of the answers that is taken, all of them for None, and whether (1) or not (0) the network
            says how wide intervals are.
    """
    if blended is not None:
        anchors = anchors + (blended[0] - 1) * answers  # the interval goes with its point
    point = answers + anchors
    if bounds is None or (blended is not None and not bool(blended[1])):
        return point, None if bounds is None else (point, point)
    return point, (bounds[0] + anchors, bounds[1] + anchors)


def _summed(losses: Tensor, observed: Tensor | None) -> tuple[Tensor, int]:
    """The sum of losses (..., B, Y) over what was measured, and how much that is; 1 at least, to divide by."""
    if observed is None:
        return losses.sum(), losses.numel()
    return (losses * observed).sum(), max(1, int(observed.sum()))


def difference(targets: Tensor, lag: int) -> Tensor:
    """Targets (T, B, Y) less those `lag` rows before; 0 for the first rows, which have none."""
    return torch.cat([torch.zeros_like(targets[:lag]), targets[lag:] - targets[:-lag]])
