"""Search over leak, radius, scale of the inputs and ridge: many reservoirs at once. V reservoirs, R ridges."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from elman.errors import UserError
from elman.models.reservoir.echo_state import EchoState
from elman.nn.reservoir.layer import Reservoir

RIDGES = tuple(10.0**power for power in range(-9, 2))


@dataclass(frozen=True)
class Trial:
    """A reservoir that was tried: its settings, the best ridge, and the mean squared error on the steps held out."""

    leak: float
    spectral_radius: float
    input_scale: float
    ridge: float
    error: float


def search(
    x: Any,
    y: Any,
    hidden_size: int,
    *,
    trials: int = 30,
    leak: tuple[float, float] = (0.05, 1.0),
    spectral_radius: tuple[float, float] = (0.1, 1.5),
    input_scale: tuple[float, float] = (0.05, 2.0),
    ridges: Sequence[float] = RIDGES,
    washout: int = 100,
    validation: float = 0.2,
    seed: int = 0,
    threads: int | None = None,
    tell: Callable[[Trial], None] = lambda trial: None,
    **options: Any,
) -> tuple[EchoState, list[Trial]]:
    """Try reservoirs drawn at random, each with every ridge, and fit the one that errs least on the steps held out.

    Settings are drawn evenly on a logarithmic scale between two ends (Bergstra and Bengio 2012 on why at random). The
    reservoirs run at once, a thread each.

    Arguments:
        x, y: as `EchoState.fit` takes them.
        hidden_size: H of each.
        trials: V.
        leak, spectral_radius, input_scale: from and to; the same number twice for one that is given.
        ridges: R values, all of which are tried with each reservoir.
        washout, validation: see `EchoState`.
        seed: of the settings; reservoir v has the seed `seed` + v.
        threads: at once; those of torch by default.
        tell: called with each trial when it is done.
        options: further arguments of `Reservoir`.

    Returns:
        the best network, fitted; and all trials, the best first.

    Raises:
        UserError: a range is none, or as `EchoState.fit`.
    """
    for name, (low, high) in {"leak": leak, "spectral_radius": spectral_radius, "input_scale": input_scale}.items():
        if not 0 < low <= high:
            raise UserError(f"`{name}` goes from {low} to {high}; give two numbers above 0, the lower first")
    if trials < 1 or len(ridges) < 2:
        raise UserError(f"{trials} trials of {len(ridges)} ridges; give at least one of two")
    draw = np.random.default_rng(seed)
    settings = [[_between(draw, *ends) for ends in (leak, spectral_radius, input_scale)] for _ in range(trials)]
    inputs = np.asarray(x[0] if isinstance(x, list | tuple) else x)
    size = 1 if inputs.ndim == 1 else inputs.shape[1]

    def network(v: int) -> EchoState:
        a, radius, scale = settings[v]
        drawn: dict[str, Any] = {
            "leak": a,
            "spectral_radius": radius,
            "input_scale": scale,
            "seed": seed + v,
            **options,
        }
        return EchoState(Reservoir(size, hidden_size, **drawn), ridge=ridges, washout=washout, validation=validation)

    def run(v: int) -> tuple[float, int, Trial]:
        fitted = network(v).fit(x, y)
        assert fitted.readout is not None
        error = float(np.nanmin(fitted.errors))
        a, radius, scale = settings[v]
        trial = Trial(a, radius, scale, fitted.readout.ridge, error)
        tell(trial)
        return error, v, trial

    with ThreadPoolExecutor(threads or torch.get_num_threads()) as pool:
        found = sorted(pool.map(run, range(trials)), key=lambda one: one[:2])
    return network(found[0][1]).fit(x, y), [trial for _, _, trial in found]


def _between(draw: np.random.Generator, low: float, high: float) -> float:
    return float(np.exp(draw.uniform(np.log(low), np.log(high)))) if low < high else low
