"""Forecasters: a window of the past goes in, the steps to come come out; see `elman.models.forecasting`.

T rows of a window, F steps ahead, B windows, Y targets, P past covariates, K known-future ones, Q numbers a forecast.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from elman.runtime.classifier import linear_in
from elman.runtime.recurrent import Recurrent, Shape, State, Weights
from elman.runtime.tensors import Floats

Bounds = tuple[Floats, Floats]
Noise = Callable[[int], Floats]
"""So many normal numbers, float32."""
LEAST_STD = np.float32(1e-3)
PATHS, PATHS_AT_ONCE = 200, 1 << 14
"""Futures that a recursive forecast draws for its intervals, and how many at once."""
SIZES = {"none": 1, "quantile": 3, "gaussian": 2}
"""Q of each kind of interval."""
SOFTPLUS_LINEAR = 20.0


class Layout(NamedTuple):
    """What goes in and what comes out; see `elman.models.forecasting.forecaster.Layout`."""

    targets: int
    past: int
    known: int
    own: int
    rows: int
    horizon: int
    segment: int
    anchor: str
    season: int
    blended: bool
    intervals: str
    level: float


class Head:
    """From Q numbers to a point and an interval."""

    def __init__(self, intervals: str, level: float) -> None:
        from statistics import NormalDist

        self.intervals, self.size = intervals, SIZES[intervals]
        self._width = np.float32(NormalDist().inv_cdf((1 + level) / 2))

    def std(self, numbers: Floats) -> Floats:
        """(...) the standard deviation of a Gaussian."""
        raw = numbers[..., 1]
        soft = np.where(raw > SOFTPLUS_LINEAR, raw, np.log1p(np.exp(np.minimum(raw, SOFTPLUS_LINEAR))))
        return soft + LEAST_STD

    def interval(self, numbers: Floats) -> Bounds | None:
        """Lower and upper end (...), or None."""
        if self.intervals == "none":
            return None
        if self.intervals == "quantile":
            return numbers.min(axis=-1), numbers.max(axis=-1)
        half = self._width * self.std(numbers)
        return numbers[..., 0] - half, numbers[..., 0] + half


class DirectForecaster:
    """All F steps at once, from the state after the window and from what is known of the steps to come."""

    def __init__(self, weights: Weights, layout: Layout, shape: Shape) -> None:
        self.layout, self.head = layout, Head(layout.intervals, layout.level)
        Y, F, K, size = layout.targets, layout.horizon, layout.known, layout.targets + layout.past + layout.known
        self.recurrent = Recurrent(weights, "recurrent.layer.", layout.segment * size, shape)
        self.output = linear_in(weights, "output", F * Y * self.head.size, shape.hidden_size + F * K)
        self.widen = weights.take("widen", F, Y)
        if layout.anchor == "line":
            shapes = {
                "weight": (Y, F, layout.rows),
                "known": (Y, F, layout.rows, layout.own),
                "ahead": (Y, F, K),
                "bias": (Y, F),
            }
            self.line = {name: weights.take(f"line_{name}", *sizes) for name, sizes in shapes.items()}
        self.share = float(weights.take("share")) if layout.blended else 1.0
        later = layout.blended and weights.has("interval_spread")  # runs of version 0.1 have none
        self.interval_spread = float(weights.take("interval_spread")) if later else 1.0

    def forecast(self, values: Floats, known: Floats) -> tuple[Floats, Bounds | None]:
        """Points (F, B, Y) and the ends of their intervals, from values (T, B, Y + P) and known (T + F, B, K)."""
        numbers, anchors = self._numbers(values, known), self._anchors(values, known)
        bounds, point = self.head.interval(numbers), numbers[..., 0]
        if self.layout.blended:
            anchors = anchors + np.float32(self.share - 1) * point  # the interval goes with its point
        found = point + anchors
        if bounds is None or not self.interval_spread:
            return found, None if bounds is None else (found, found)
        return found, (bounds[0] + anchors, bounds[1] + anchors)

    def _numbers(self, values: Floats, known: Floats) -> Floats:
        layout, (steps, batch, _) = self.layout, values.shape
        rows = np.concatenate([self._relative(values), known[:steps]], axis=2)
        segments = rows.reshape(steps // layout.segment, layout.segment, batch, -1).transpose(0, 2, 1, 3)
        _, state = self.recurrent(np.ascontiguousarray(segments).reshape(steps // layout.segment, batch, -1))
        ahead = known[steps:].transpose(1, 0, 2).reshape(batch, -1)
        answers = np.concatenate([state[0][-1], ahead], axis=1) @ self.output[0].T + self.output[1]
        return answers.reshape(batch, layout.horizon, layout.targets, self.head.size).transpose(1, 0, 2, 3)

    def _relative(self, values: Floats) -> Floats:
        layout = self.layout
        targets = values[..., : layout.targets]
        if layout.anchor in ("last", "line"):
            targets = targets - targets[-1:]
        elif layout.anchor == "season":
            targets = difference(targets, layout.season)
        return np.concatenate([targets, values[..., layout.targets :]], axis=2)

    def _anchors(self, values: Floats, known: Floats) -> Floats:
        layout = self.layout
        targets = values[..., : layout.targets]
        if layout.anchor == "none":
            return np.zeros((layout.horizon, *targets.shape[1:]), np.float32)
        if layout.anchor == "line":
            steps, line = len(targets), self.line
            found: Floats = np.einsum("yft,tby->fby", line["weight"], targets) + line["bias"].T[:, None]
            found = found + np.einsum("yftu,tbu->fby", line["known"], known[:steps, :, : layout.own])
            found += np.einsum("yfk,fbk->fby", line["ahead"], known[steps:])
            return found
        last = targets[-(layout.season if layout.anchor == "season" else 1) :]
        return np.tile(last, (-(-layout.horizon // len(last)), 1, 1))[: layout.horizon]


class RecursiveForecaster:
    """One step at a time, each forecast being the next input."""

    def __init__(self, weights: Weights, layout: Layout, shape: Shape) -> None:
        self.layout, self.head = layout, Head(layout.intervals, layout.level)
        self.recurrent = Recurrent(weights, "recurrent.layer.", layout.targets + layout.past + layout.known, shape)
        self.output = linear_in(weights, "output", layout.targets * self.head.size, shape.hidden_size)
        self.widen = weights.take("widen", layout.horizon, layout.targets)
        self.lag = {"none": 0, "last": 1, "season": layout.season, "line": 0}[layout.anchor]

    def forecast(self, values: Floats, known: Floats, seed: int = 0) -> tuple[Floats, Bounds | None]:
        """Points (F, B, Y), F being what `known` reaches, and intervals from futures that are drawn."""
        point = self._go_on(values, known, None)
        if self.head.intervals != "gaussian":
            return point, None
        noise, level = torch_normal(seed), self.layout.level
        ends, lower, upper = ((1 - level) / 2, (1 + level) / 2), [], []
        for begin in range(0, values.shape[1], max(1, PATHS_AT_ONCE // PATHS)):
            some = np.arange(begin, min(begin + max(1, PATHS_AT_ONCE // PATHS), values.shape[1]))
            wide = np.repeat(some, PATHS)
            drawn = self._go_on(values[:, wide], known[:, wide], noise)
            low, high = np.quantile(drawn.reshape(len(drawn), len(some), PATHS, -1), ends, axis=2).astype(np.float32)
            lower.append(low)
            upper.append(high)
        return point, (np.concatenate(lower, axis=1), np.concatenate(upper, axis=1))

    def _go_on(self, values: Floats, known: Floats, noise: Noise | None) -> Floats:
        steps = len(values)
        numbers, state = self._run(self._relative(values), known[1 : steps + 1], ())
        numbers, past = numbers[-1:], values
        for step in range(steps + 1, len(known) + 1):
            answer = numbers[..., 0]
            if noise is not None:
                answer = answer + self.head.std(numbers) * noise(answer.size).reshape(answer.shape)
            if self.lag:
                answer = answer + past[len(past) - self.lag : len(past) - self.lag + 1]
            past = np.concatenate([past, answer])
            if step < len(known):
                relative = self._relative(past[-self.lag - 1 :])[-1:]
                numbers, state = self._run(relative, known[step : step + 1], state)
        return past[steps:]

    def _run(self, relative: Floats, known: Floats, state: State) -> tuple[Floats, State]:
        states, state = self.recurrent(np.concatenate([relative, known], axis=2), state)
        answers = states @ self.output[0].T + self.output[1]
        return answers.reshape(*relative.shape, self.head.size), state

    def _relative(self, targets: Floats) -> Floats:
        return difference(targets, self.lag) if self.lag else targets


def difference(targets: Floats, lag: int) -> Floats:
    """Targets (T, B, Y) less those `lag` rows before; 0 for the first rows, which have none."""
    return np.concatenate([np.zeros_like(targets[:lag]), targets[lag:] - targets[:-lag]])


def torch_normal(seed: int) -> Noise:
    """Normal numbers as torch's CPU generator draws 16 and more: Mersenne Twister, Box and Muller by sixteens."""
    generator = np.random.RandomState(seed)

    def uniform(count: int) -> Floats:
        bits = generator.randint(0, 1 << 32, count, dtype=np.uint32)
        return (bits & ((1 << 24) - 1)).astype(np.float32) * np.float32(2.0**-24)

    def paired(numbers: Floats) -> Floats:
        rows = numbers.reshape(-1, 2, 8)
        radius, angle = np.sqrt(-2 * np.log(1 - rows[:, 0])), np.float32(2 * np.pi) * rows[:, 1]
        return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1).reshape(-1)

    def draw(count: int) -> Floats:
        numbers, whole = uniform(count), count // 16 * 16
        found = np.concatenate([paired(numbers[:whole]), numbers[whole:]])
        if whole < count:
            found[-16:] = paired(uniform(16))
        return found

    return draw
