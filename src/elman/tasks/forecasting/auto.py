"""Settings that follow from the data: a pure function from what the series are like to choices and their reasons."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from elman.data.timeseries.facts import SeriesFacts
from elman.data.timeseries.forecasting import NAMES
from elman.tasks.forecasting.settings import Settings
from elman.training.settings import Choice

_LONGEST_DIRECT_SEASON = 96
"""Steps of a season that a forecast reaches over by itself."""
_LONGEST_WINDOW = 2_048
"""Rows of a window of several seasons: a line through one of 10,080, a week of minutes, takes hours to fit."""
_SIZES = ((200, 16, 600, 32), (2_000, 32, 1_000, 32), (50_000, 64, 1_500, 32), (200_000, 128, 2_000, 64))
"""Training windows below so many: hidden units, steps, windows in a batch."""
_LARGEST = (128, 2_000, 128)
_SEGMENT_STEPS = 24
_LONGEST_SEGMENT = 8
MARGIN = 0.98
"""What an anchor's error must be below, as a share of a simpler one's, to be taken instead."""


def choose(facts: SeriesFacts, settings: Settings) -> list[Choice]:
    """What the data say of settings that were left open, but for the anchor; in the order in which they follow."""
    found = dict(_chosen(facts, settings))
    return [Choice(name, value, reason) for name, (value, reason) in found.items()]


def _chosen(facts: SeriesFacts, s: Settings) -> Iterator[tuple[str, tuple[Any, str]]]:
    asked = s.left_open()
    season, why = _season(facts) if "season" in asked else (s.season, "")
    if "season" in asked:
        yield "season", (season, why)
    typical = sorted(facts.lengths)[len(facts.lengths) // 10]  # nine tenths of the series are at least so long
    horizon = s.horizon
    if "horizon" in asked:
        horizon, why = _horizon(season, typical)
        yield "horizon", (horizon, why)
    held = {}
    for name in ("validation", "test"):
        share = getattr(s, name)
        if name in asked:
            share, why = _held_out(s.data, name, horizon, typical)
            yield name, (share, why)
        held[name] = share
    if "split" in asked:
        yield "split", _split(facts, held["test"], horizon)
    left = max(1, typical - sum(round(part * typical) if part < 1 else int(part) for part in held.values()))
    window = s.window
    if "window" in asked:
        window, why = _window(facts, season, horizon, left, s.segment or 1, recursive=s.mode == "recursive")
        yield "window", (window, why)
    if "segment" in asked:
        segment = _segment(window) if s.mode == "direct" else 1
        yield "segment", (segment, f"{window // segment} steps of the network for {window} rows")
    if "calendar" in asked:
        yield "calendar", _calendar(facts)
    if "combine" in asked:
        combined = "anchor" in asked and s.mode == "direct"
        why = "never below the anchor on validation" if combined else "only with a direct forecast and its anchor open"
        yield "combine", ("anchor" if combined else "none", why)
    if "transform" in asked:
        why = "vary" if facts.proportional else "do not vary"
        yield (
            "transform",
            ("log" if facts.proportional else "none", f"the targets {why} in proportion to a level above 0"),
        )
    yield from _sizes(facts, s, window, horizon, held)


def _season(facts: SeriesFacts) -> tuple[int, str]:
    longest = max(facts.lengths)
    if facts.usual_season > 1 and 2.5 * facts.usual_season <= longest:
        return facts.usual_season, f"the usual season of the step {facts.frequency}"
    if facts.found_season > 1:
        return facts.found_season, f"the series repeat themselves after {facts.found_season} rows"
    return 1, "no season is usual for this step, or seen in the data"


def _horizon(season: int, typical: int) -> tuple[int, str]:
    wanted = season if 4 <= season <= _LONGEST_DIRECT_SEASON else 12
    most = max(1, typical // 6)
    return (
        (wanted, "a season" if wanted == season else "no season of a usual length")
        if wanted <= most
        else (
            most,
            f"a sixth of {typical} rows",
        )
    )


def _held_out(data: str, name: str, horizon: int, typical: int) -> tuple[float, str]:
    if data in NAMES:
        return getattr(NAMES[data], name), "the dataset's standard split"
    if 0.1 * typical >= horizon:
        return 0.1, "a tenth of all times"
    more = horizon // 2 if name == "validation" and 6 * horizon <= typical else 0
    return float(horizon + more), f"a horizon{' and a half' if more else ''}: a tenth of {typical} rows is less"


def _split(facts: SeriesFacts, test: float, horizon: int) -> tuple[str, str]:
    rows = round(test * facts.total) if test < 1 else int(test)
    early = sum(behind > rows - horizon for behind in facts.behind)
    if early and test:
        return "series", f"{early} of {len(facts.lengths)} series end too early for a forecast in a common test part"
    return "times", "every series reaches into the last part"


def _window(
    facts: SeriesFacts, season: int, horizon: int, left: int, segment: int, *, recursive: bool
) -> tuple[int, str]:
    """Some seasons, as many as the training part has room for: it should hold the window and horizon 2.5 times."""
    room = int(left / 2.5) - horizon
    if season > 1:
        a_day = facts.rows_a_year > 400 and season == facts.usual_season
        times = (7, 4, 3, 2, 1) if a_day or season <= 7 else (4, 3, 2, 1) if season <= 12 else (3, 2, 1)
        bounded = [count for count in times if count == 1 or count * season <= _LONGEST_WINDOW]
        enough = [count for count in bounded if count * season >= min(horizon, season)]
        fitting = [count for count in enough if count * season <= room] or enough[-1:]
        window, why = fitting[0] * season, f"{fitting[0]} seasons of {season}"
    else:
        window, why = max(1, min(max(2 * horizon, 24), room)), "two horizons, or what the training part has room for"
    window = max(window, season + recursive) if season + recursive + horizon < left else window
    return -(-window // segment) * segment, f"{why}; the training part of a series has {left} rows"


def _segment(window: int) -> int:
    fitting = [s for s in range(1, _LONGEST_SEGMENT + 1) if window % s == 0 and window // s >= _SEGMENT_STEPS]
    return max(fitting, default=1)


def _calendar(facts: SeriesFacts) -> tuple[tuple[str, ...], str]:
    if not facts.dated:
        return ("none",), "the times are numbers"
    yearly = facts.rows_a_year
    features = []
    if yearly > 400 and facts.years * 365.25 >= 2:
        features.append("hour")
    if yearly > 250 and facts.years * 52 >= 4:
        features.append("weekday")
    if yearly > 3 and facts.years >= 3:
        features.append("month")
    return tuple(features) or ("none",), "cycles that the series hold several times"


def _sizes(
    facts: SeriesFacts, s: Settings, window: int, horizon: int, held: dict[str, float]
) -> Iterator[tuple[str, tuple[Any, str]]]:
    def left(rows: int) -> int:
        return rows - sum(round(part * rows) if part < 1 else int(part) for part in held.values())

    windows = sum(max(0, left(rows) - window - horizon + 1) for rows in facts.lengths)
    hidden, steps, batch = next((rest for most, *rest in _SIZES if windows < most), _LARGEST)
    why = f"{windows:,} training windows"
    for name, value in (("hidden_size", hidden), ("steps", steps), ("batch_size", batch)):
        if name in s.left_open():
            yield name, (value, why)
    if "eval_every" in s.left_open():
        yield "eval_every", (max(1, (s.steps or steps) // 20), "a twentieth of all steps")


def choose_anchor(errors: Sequence[tuple[str, float]], line: str = "") -> Choice:
    """The anchor that forecasts the validation part best by itself; a simpler one where there is little between them.

    Arguments:
        errors: MASE of each anchor by itself, the simplest first.
        line: how the line was found.
    """
    best, least = errors[0]
    for name, error in errors[1:]:
        if error < MARGIN * least:
            best, least = name, error
    shown = {"line": f"line by {line}"} if line else {}
    told = ", ".join(f"{shown.get(name, name)} {error:.3f}" for name, error in errors)
    return Choice(
        "anchor",
        best,
        f"MASE of each anchor by itself, on validation and, where that is short, late in training: {told}",
    )


def candidates(s: Settings) -> list[dict[str, Any]]:
    """Changes of settings found from the data that may do better: sizes, rates, and how many rows a step reads."""
    found: list[dict[str, Any]] = [
        {"hidden_size": 2 * s.hidden_size},
        {"hidden_size": max(8, s.hidden_size // 2)},
        {"lr": 2.5 * s.lr},
        {"lr": s.lr / 2.5},
        {"dropout": 0.0},
        {"dropout": 0.3},
        {"layers": s.layers + 1},
    ]
    if s.mode == "direct":
        segment = next((one for one in (4, 2, 3, 6, 1) if s.window % one == 0 and one != s.segment), s.segment)
        found += [{"segment": segment}] if segment != s.segment else []
    return found
