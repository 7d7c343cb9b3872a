"""A classifier beside simple methods, on the validation part."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

log = logging.getLogger("elman")


@dataclass(frozen=True)
class Baseline:
    """What a simple method reaches.

    Attributes:
        name: of the method, for people.
        accuracy: on the validation part.
    """

    name: str
    accuracy: float


def say_comparison(
    own: float, examples: int, baselines: Sequence[Baseline], advice: str, name: str = "network"
) -> None:
    """Log the network's accuracy beside the baselines', and advice where one of them is ahead.

    Arguments:
        own: the network's accuracy on the validation part.
        examples: of the validation part.
        advice: what to try.
        name: what gave the answers, where it was not the network alone.
    """
    if not baselines:
        return
    others = ", ".join(f"{one.name} {one.accuracy:.1%}" for one in baselines)
    log.info("validation accuracy, %d examples: %s %.1f%%; %s", examples, name, 100 * own, others)
    best = max(baselines, key=lambda one: one.accuracy)
    if best.accuracy > own:
        log.warning("the %s is behind: %s does better on validation; %s", name, best.name, advice)
