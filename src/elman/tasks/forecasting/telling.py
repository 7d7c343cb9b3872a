"""What training says: what it read and chose, and at its end how the network stands beside its baselines."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from elman.data.timeseries.forecasting import ForecastData, SourceSeries
from elman.data.timeseries.windows import Windows
from elman.models.forecasting.conformal import FEWEST_SCORES, FEWEST_TO_CALIBRATE
from elman.tasks.forecasting.evaluation import NETWORK, Judged
from elman.tasks.forecasting.settings import Settings
from elman.training.settings import CHOICES, Choice

if TYPE_CHECKING:
    from torch import Tensor, nn

log = logging.getLogger("elman")

ADVICE = ("more `steps`", "a larger `hidden_size`", "a longer `window`")
ROUNDING = 1e-4
"""Of MASE: two forecasts that are no farther apart are equally good."""


def decided(read: SourceSeries, data: ForecastData, choices: Sequence[Choice]) -> Iterator[str]:
    """What had to be decided in reading the series, and which settings followed."""
    yield from (*read.notes, *data.notes)
    if choices:
        chosen = ", ".join(f"{one.setting} {_plainly(one.value)}" for one in choices)
        yield f"chosen by the data ({CHOICES} says why): {chosen}"


def verdict(
    judged: Judged, whole: int, share: float, anchor: str, chosen: Collection[str] = ()
) -> tuple[list[str], list[str]]:
    """What is to be said of forecasts of the validation part, and what the user is to be warned of.

    Arguments:
        whole: windows that the part has.
        share: of the network's answers, that is added to the anchor.
        chosen: settings that were left to the data already.
    """
    some = f" (of {len(judged.truth):,} of its {whole:,} windows)" if len(judged.truth) < whole else ""
    told, warned = [f"validation MASE{some}: {judged.told()}"], []
    if share == 0:
        warned.append(f"on validation the network adds nothing to its anchor ({anchor}), which forecasts alone")
    elif share < 1:
        told.append(f"the forecasts are the anchor's and {share:.0%} of what the network adds, which did best")
    own, (best, other) = judged.errors(NETWORK)["mase"], judged.best_baseline("mase")
    if own > max(1.01 * other, other + ROUNDING):
        asked = [name for name in ("anchor", "combine") if name not in chosen]
        left = [f"{' and '.join(f'`{name}`' for name in asked)} left to the data"] if asked else []
        # where the network adds nothing, a larger one or more steps are no advice either
        advice = [*(ADVICE if share else ADVICE[-1:]), *left]
        listed = ", ".join(advice[:-1]) + (" or " if len(advice) > 1 else "") + advice[-1]
        warned.append(f"the network is behind: {best} does better on validation; try {listed}")
    return told, warned


def warn_uncalibrated(s: Settings, model: nn.Module, past: Windows | None, seen: Windows | None = None) -> None:
    """Say where intervals were asked to be calibrated, and are not.

    Arguments:
        past: earlier forecasts of the same series; None where these are not looked at.
        seen: the windows of the validation part, where it is there to be counted.
    """
    from elman.models.forecasting.forecaster import Forecaster

    assert isinstance(model, Forecaster)
    if s.calibrate == "none" or s.intervals == "none":
        return
    values = 0 if seen is None else len(seen) * seen.horizon
    if said := uncalibrated(model.widen, values, past if s.calibrate == "recent" else None, s.level):
        log.warning("%s", said)


def uncalibrated(widen: Tensor, validation: int, recent: Windows | None, level: float) -> str:
    """What is to be said of intervals that stay as the network says them, since too few forecasts could be judged.

    Arguments:
        widen: what validation widened them by; 0 where it was too short.
        validation: values that were forecast there; 0 where that is not known.
        recent: earlier forecasts of the same series, which may widen them too.
    """
    if bool(widen.any()):
        return ""
    if recent is not None:
        before = np.bincount(recent.places[:, 0], minlength=len(recent.series))
        if len(before) and before.min() >= FEWEST_TO_CALIBRATE:
            return ""
    values = f" ({validation} values)" if validation else ""
    return (
        f"the {level:.0%} intervals are not calibrated and may cover far less: validation{values} is too short for it"
        f" ({FEWEST_SCORES} values); hold out more with `validation`"
        + (
            f", or give {FEWEST_TO_CALIBRATE - 1} rows more than window and horizon"
            if recent is not None and not validation
            else ""
        )
    )


def _plainly(value: object) -> str:
    return " ".join(map(str, value)) if isinstance(value, tuple) else str(value)
