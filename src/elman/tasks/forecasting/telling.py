"""What training says: what it read and chose, and at its end how the network stands beside its baselines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from elman.data.timeseries.forecasting import ForecastData, SourceSeries
from elman.tasks.forecasting.evaluation import NETWORK, Judged
from elman.training.settings import CHOICES, Choice

ADVICE = "try more `steps`, a larger `hidden_size`, a longer `window`, or `anchor` and `combine` left to the data"
ROUNDING = 1e-4
"""Of MASE: two forecasts that are no farther apart are equally good."""


def decided(read: SourceSeries, data: ForecastData, choices: Sequence[Choice]) -> Iterator[str]:
    """What had to be decided in reading the series, and which settings followed."""
    yield from (*read.notes, *data.notes)
    if choices:
        chosen = ", ".join(f"{one.setting} {_plainly(one.value)}" for one in choices)
        yield f"chosen by the data ({CHOICES} says why): {chosen}"


def verdict(judged: Judged, share: float, anchor: str) -> tuple[list[str], list[str]]:
    """What is to be said of forecasts of the validation part, and what the user is to be warned of.

    Arguments:
        share: of the network's answers, that is added to the anchor.
    """
    told, warned = [f"validation MASE: {judged.told()}"], []
    if share == 0:
        warned.append(f"on validation the network adds nothing to its anchor ({anchor}), which forecasts alone")
    elif share < 1:
        told.append(f"the forecasts are the anchor's and {share:.0%} of what the network adds, which did best")
    own, (best, other) = judged.errors(NETWORK)["mase"], judged.best_baseline("mase")
    if own > max(1.01 * other, other + ROUNDING):
        warned.append(f"the network is behind: {best} does better on validation; {ADVICE}")
    return told, warned


def _plainly(value: object) -> str:
    return " ".join(map(str, value)) if isinstance(value, tuple) else str(value)
