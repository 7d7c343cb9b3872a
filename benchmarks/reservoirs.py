"""Reservoirs beside those of reservoirpy: `python benchmarks/reservoirs.py`, with reservoirpy installed beside.

Time: states of T = 10,000 steps and a readout by ridge regression, one sequence, one input, density 0.1, float64 on
both sides; one thread of torch, numpy's BLAS with the threads it takes for both; the least of some runs, which take
turns. Making the reservoirs is not counted.

Error: NRMSE on the last quarter, of networks that a random search of the same settings, ridges and number of trials
chose on the steps before; the median of some searches. Each searches over leak, radius, scale of the inputs and ridge.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from reservoirpy.nodes import Reservoir as TheirReservoir
from reservoirpy.nodes import Ridge as TheirRidge

from elman.data.timeseries.systems import lorenz, mackey_glass, narma10
from elman.models.reservoir import EchoState, RidgeStream, search
from elman.nn import Reservoir

Values = NDArray[np.float64]
T, WASHOUT, DENSITY = 10_000, 100, 0.1
RIDGES = tuple(10.0**power for power in range(-9, 2))
RANGES = {"leak": (0.05, 1.0), "spectral_radius": (0.1, 1.5), "input_scale": (0.05, 2.0)}


def least(runs: int, *parts: Callable[[], None]) -> list[float]:
    """The least time of each part, in seconds; they take turns, so that what disturbs one disturbs all."""
    found = [float("inf")] * len(parts)
    for _ in range(runs):
        for number, part in enumerate(parts):
            begun = time.perf_counter()
            part()
            found[number] = min(found[number], time.perf_counter() - begun)
    return found


def times(N: int, runs: int) -> None:
    """Print a row of the table of times."""
    x = np.random.default_rng(0).uniform(-1, 1, (T, 1))
    y = np.roll(x, 3, axis=0)
    ours = Reservoir(1, N, leak=0.3, spectral_radius=0.9, input_scale=0.5, density=DENSITY, seed=0)
    theirs = TheirReservoir(units=N, lr=0.3, sr=0.9, input_scaling=0.5, rc_connectivity=DENSITY, seed=0)
    theirs.initialize(x)
    kept: dict[str, Any] = {}

    def our_states() -> None:
        kept["ours"] = ours(torch.from_numpy(x))[0].numpy()

    def our_readout() -> None:
        stream = RidgeStream(N, 1)
        stream.add(kept["ours"][WASHOUT:], y[WASHOUT:])
        stream.readouts([1e-6])

    def their_states() -> None:
        theirs.reset()
        kept["theirs"] = theirs.run(x)

    def their_readout() -> None:
        TheirRidge(ridge=1e-6).fit(kept["theirs"], y, warmup=WASHOUT)

    a, b, c, d = least(runs, our_states, our_readout, their_states, their_readout)
    print(f"| {N:,} | {a:.3f} + {b:.3f} | {c:.3f} + {d:.3f} | {(c + d) / (a + b):.1f} |")


def nrmse(said: Values, true: Values) -> float:
    """The root of the mean squared error, as a share of the standard deviation."""
    return float(np.sqrt(np.square(said - true).mean(axis=0) / true.var(axis=0)).mean())


def their_search(x: Values, y: Values, N: int, trials: int, seed: int) -> Callable[[Values], Values]:
    """The same search as `elman.models.reservoir.search`, over reservoirpy's networks."""
    draw, best = np.random.default_rng(seed), (np.inf, 0, {}, 0.0)
    begins = len(x) - round((len(x) - WASHOUT) * 0.2)

    def states(v: int, chosen: dict[str, float], of: Values) -> Values:
        made = {"lr": chosen["leak"], "sr": chosen["spectral_radius"], "input_scaling": chosen["input_scale"]}
        bias = np.random.default_rng(seed + v).uniform(-0.2, 0.2, N)
        found = TheirReservoir(units=N, rc_connectivity=DENSITY, bias=bias, seed=seed + v, **made).run(of)
        return np.concatenate([found, of], axis=1)

    def fitted(h: Values, ridge: float, end: int) -> Callable[[Values], Values]:
        readout = TheirRidge(ridge=ridge)
        readout.fit(h[:end], y[:end], warmup=WASHOUT)
        return lambda given: np.asarray(readout.run(given))

    for v in range(trials):
        chosen = {name: float(np.exp(draw.uniform(*np.log(ends)))) for name, ends in RANGES.items()}
        h = states(v, chosen, x)
        for ridge in RIDGES:
            error = float(np.square(fitted(h, ridge, begins)(h[begins:]) - y[begins:]).mean())
            if error < best[0]:
                best = (error, v, chosen, ridge)
    _, v, chosen, ridge = best
    final = fitted(states(v, chosen, x), ridge, len(x))
    return lambda given: final(states(v, chosen, given))


def errors(name: str, x: Values, y: Values, N: int, trials: int, searches: int) -> None:
    """Print a row of the table of errors."""
    split = len(x) * 3 // 4
    ours, theirs, seconds = [], [], [0.0, 0.0]
    for number in range(searches):
        begun = time.perf_counter()
        best, _ = search(
            x[:split], y[:split], N, trials=trials, seed=1000 * number, bias_scale=0.2, ridges=RIDGES, **RANGES
        )
        seconds[0] += time.perf_counter() - begun
        ours.append(nrmse(best.predict(x)[split:], y[split:]))
        begun = time.perf_counter()
        network = their_search(x[:split], y[:split], N, trials, 1000 * number)
        seconds[1] += time.perf_counter() - begun
        theirs.append(nrmse(network(x)[split:], y[split:]))
    spread = [f"{np.median(e):.4g} ({min(e):.3g} to {max(e):.3g})" for e in (ours, theirs)]
    print(f"| {name} | {spread[0]} | {spread[1]} | {seconds[0] / searches:.1f} s, {seconds[1] / searches:.1f} s |")


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=["times", "errors"], help="one of the tables")
    parser.add_argument("--sizes", type=int, nargs="+", default=[100, 500, 2000])
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--units", type=int, default=200)
    parser.add_argument("--trials", type=int, default=20)
    parser.add_argument("--searches", type=int, default=5)
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    if chosen.only != "errors":
        print("| N | elman, states + readout, s | reservoirpy, states + readout, s | times faster |\n|---|---|---|---|")
        for N in chosen.sizes:
            times(N, chosen.runs)
    if chosen.only == "times":
        return
    u, y = narma10(4000)
    mackey = mackey_glass(4001)
    flow = lorenz(4001)
    flow = (flow - flow.mean(0)) / flow.std(0)
    tasks = {
        "NARMA10": (u, y),
        "Mackey-Glass, 1 step": (mackey[:-1], mackey[1:]),
        "Lorenz, 1 step": (flow[:-1], flow[1:]),
    }
    ahead = 84
    mackey = mackey_glass(4000 + ahead)
    tasks["Mackey-Glass, 84 steps"] = (mackey[:-ahead], mackey[ahead:])
    print("| task | elman, NRMSE | reservoirpy, NRMSE | a search |\n|---|---|---|---|")
    for name, (x, wanted) in tasks.items():
        errors(name, x, wanted, chosen.units, chosen.trials, chosen.searches)
    check_stream()


def check_stream() -> None:
    """A readout of a million steps takes the memory of one piece."""
    x, y = narma10(200_000)
    begun = time.perf_counter()
    EchoState(Reservoir(1, 200, bias_scale=0.2, input_scale=0.3, seed=0), ridge=RIDGES).fit(x, y)
    print(f"\n200,000 steps of 200 units and {len(RIDGES)} ridges: {time.perf_counter() - begun:.1f} s")


if __name__ == "__main__":
    main()
