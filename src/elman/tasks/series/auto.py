"""Settings of `series` that follow from the data: a pure function from what the series are like to choices."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from elman.models.classification.multiscale import PATCH, WIDEST, averaged, most_in_stride
from elman.tasks.series.settings import Settings
from elman.training.settings import Choice

FRAMES = 64
"""Steps of the network for a series of usual length, at the finest scale."""
FOLDS = 10
FEW, MANY, VERY_MANY = 1_000, 5_000, 20_000
"""Series up to which there is cross-validation; up to which there are several networks; up to which they are
varied in training."""
SPREAD = 100
"""How far the sizes of series are apart that are each divided by their own: by one scale most would be next to zero."""


@dataclass(frozen=True)
class SeriesFacts:
    """What the training series are like.

    Attributes:
        examples: how many there are, those included that could be held out.
        length: of the median one, in steps.
        channels: numbers in a step.
        classes: how many there are.
        smallest: examples of the rarest class.
        own_validation: whether the data come with a validation part.
        spread: of their root mean squares: how many times the 10 % quantile the 90 % quantile is.
    """

    examples: int
    length: int
    channels: int
    classes: int
    smallest: int
    own_validation: bool
    spread: float


def choose(facts: SeriesFacts, settings: Settings) -> list[Choice]:
    """What the data say of settings that are left open."""
    found = dict(_chosen(facts, settings))
    return [Choice(name, value, reason) for name, (value, reason) in found.items() if name in settings.left_open()]


def _chosen(facts: SeriesFacts, s: Settings) -> Iterator[tuple[str, tuple[Any, str]]]:
    count = facts.examples
    plain = s.small_init
    scale = s.scale if s.scale != "auto" else "series" if facts.spread >= SPREAD else "channels"
    yield "scale", (scale, _why_scale(facts.spread))
    if scale == "series":  # the network also reads the size of each channel
        facts = replace(facts, channels=2 * facts.channels)
    stride = s.stride or (1 if plain else _stride(facts))
    why = "`small_init` reads each step by itself" if plain else f"about {FRAMES} steps of the network for series of"
    yield "stride", (stride, why if plain else f"{why} {facts.length:,}, in patches of {PATCH * stride}")
    scales = s.scales or (1 if plain else _scales(facts, stride))
    yield (
        "scales",
        (scales, why if plain else f"patches of {PATCH * stride} to {PATCH * stride * 2 ** (scales - 1)} steps"),
    )
    members = s.members or (5 if count <= FEW else 3 if count <= MANY else 1)
    if s.folds > 0 and s.members == 0:
        members = max(members, 2)
    yield "members", (members, f"{count:,} series: the fewer, the more networks agree on an answer")
    folded = members > 1 and count <= FEW and not facts.own_validation
    folds = s.folds if s.folds >= 0 else FOLDS if folded else 0
    yield "folds", (folds, _why_folds(facts, members, folds))
    hidden = s.hidden_size or (32 if members > 1 else 128)
    yield "hidden_size", (hidden, f"{count:,} series" + (f" and {members} networks" if members > 1 else ""))
    yield "augment", (1.0 if count <= VERY_MANY else 0.0, f"{count:,} series")
    batch = s.batch_size or (32 if count <= FEW else 64)
    yield "batch_size", (batch, f"{count:,} series")
    steps = s.steps or _steps(facts, batch)
    yield "steps", (steps, f"{steps * batch / count:.0f} times through {count:,} series of {facts.classes} classes")
    every = steps if folds else max(1, steps // 10)
    reason = "at the end alone: nothing is chosen on few examples" if folds else "a tenth of the steps"
    yield "eval_every", (every, reason)


def _why_scale(spread: float) -> str:
    """How the sizes of the series differ, on either side of the limit."""
    times = f"{float(f'{spread:.3g}'):,g}"
    side = f"at least {SPREAD}-fold: each is divided by its own" if spread >= SPREAD else f"less than {SPREAD}-fold"
    return f"the series' root mean squares differ {times}-fold (90 % over 10 % quantile), {side}"


def _stride(facts: SeriesFacts) -> int:
    """One of about `FRAMES` in a series; of long ones a number that can be averaged down."""
    stride = max(1, round(facts.length / FRAMES))
    together = -(-stride // most_in_stride(facts.channels))
    return together * round(stride / together)


def _scales(facts: SeriesFacts, stride: int) -> int:
    """As many as there are patches not much longer than the series, three at most, and fewer for many channels."""
    scales, patch = 1, 2 * facts.channels * PATCH * stride // averaged(stride, facts.channels)
    while scales < 3 and stride * 2**scales * PATCH <= 2 * facts.length and patch * 2**scales <= 2 * WIDEST:
        scales += 1
    return scales


def _why_folds(facts: SeriesFacts, members: int, folds: int) -> str:
    if folds:
        return f"{facts.examples:,} series are too few to hold a part of them out for good"
    if facts.own_validation:
        return "the data have a validation part"
    return "one network" if members == 1 else f"{facts.examples:,} series are enough to hold a part of them out"


def _steps(facts: SeriesFacts, batch: int) -> int:
    """So many times through the series; more where there are many classes, fewer where it would take minutes."""
    if facts.examples <= FEW:
        return int(max(300, min(80 * facts.examples / batch, 1_200), 40 * facts.classes))
    epochs = 20 if facts.examples <= VERY_MANY else 5
    return int(min(max(1_200, epochs * facts.examples / batch), 4_000))


def candidates(s: Settings) -> list[dict[str, Any]]:
    """Changes of settings found from the data that may do better: sizes, scales, rates, and how series are varied."""
    found: list[dict[str, Any]] = [
        {"hidden_size": 2 * s.hidden_size},
        {"readout": "mean" if s.readout != "mean" else "max"},
        {"lr": 2 * s.lr},
        {"lr": s.lr / 2},
        {"dropout": 0.4},
        {"augment": 2.0 if s.augment else 1.0},
    ]
    if s.patched:
        found += [{"stride": 2 * s.stride}] + ([{"stride": s.stride // 2}] if s.stride > 1 and s.scales > 1 else [])
    return found
