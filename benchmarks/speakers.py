"""Spoken digits of a voice never heard: six trainings, each leaves one speaker of FSDD out, and their mean accuracy.

Run: python benchmarks/speakers.py --out runs/speakers
To choose settings without looking at the voice that they are then measured on: --choose trains without two speakers at
a time and prints, for each voice to be measured, how its five others are understood by networks that know neither.
"""

from __future__ import annotations

import argparse
import dataclasses
import itertools
import statistics
import time
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from elman.data.datasets.cache import fetch
from elman.run import load
from elman.tasks.speech.settings import Settings
from elman.training_run import train

SPEAKERS = ("george", "jackson", "lucas", "nicolas", "theo", "yweweler")
CHOSEN = Settings(
    normalise="recording",
    floor=35,
    cepstra=14,
    vary_tract=0.12,
    vary_tempo=0.2,
    vary_ends=0.08,
    vary_gain=0,
    vary_hiss=0,
    steps=1500,
    eval_every=300,
    best_by="loss",
    threads=1,
)


def measured(settings: Settings, out: Path, speakers: Sequence[str]) -> Table:
    """Each of these speakers left out once."""
    table = Table("speaker left out", "test accuracy", "validation accuracy", "seconds of processor")
    found = []
    for speaker in speakers:
        start = time.process_time()
        train("speech", dataclasses.replace(settings, speaker=speaker), out / speaker)
        metrics = load(out / speaker).evaluate()
        found.append(metrics["test_accuracy"])
        shown = (f"{metrics['test_accuracy']:.1%}", f"{metrics['validation_accuracy']:.1%}")
        table.add_row(speaker, *shown, f"{time.process_time() - start:.0f}")
    table.add_row("mean", f"{statistics.mean(found):.1%}", "", "")
    return table


def chosen_on(settings: Settings, out: Path, pairs: list[tuple[str, str]]) -> Table:
    """Every pair of speakers left out once: row, the voice to be measured later; column, the voice listened to now."""
    table = Table("to be measured", *SPEAKERS, "mean")
    shares: dict[tuple[str, str], float] = {}
    for first, second in pairs:
        where = out / f"{first}-{second}"
        train("speech", dataclasses.replace(settings, speaker=first, without=second), where)
        run = load(where)
        shares[second, first] = run.evaluate()["test_accuracy"]
        files = sorted((fetch("fsdd") / "recordings").glob(f"*_{second}_*.wav"))
        answers = run.predict([str(path) for path in files])
        right = [answer.label == path.name.split("_")[0] for answer, path in zip(answers, files, strict=True)]
        shares[first, second] = statistics.mean(right)
    for speaker in SPEAKERS:
        row = [shares.get((speaker, other)) for other in SPEAKERS]
        known = [share for share in row if share is not None]
        cells = ["" if share is None else f"{share:.1%}" for share in row]
        table.add_row(speaker, *cells, f"{statistics.mean(known):.1%}" if known else "")
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("runs/speakers"))
    parser.add_argument("--choose", action="store_true", help="print what to choose settings by, and measure nothing")
    parser.add_argument("--few", action="store_true", help="with --choose: three pairs in place of fifteen")
    parser.add_argument("--set", nargs="*", default=[], metavar="NAME=NUMBER", help="settings in place of the chosen")
    parser.add_argument("--speakers", nargs="*", default=SPEAKERS, metavar="NAME", help="leave only these out")
    arguments = parser.parse_args()
    changed = dict(pair.split("=") for pair in arguments.set)
    kinds = {name: type(getattr(CHOSEN, name)) for name in changed}
    settings = dataclasses.replace(CHOSEN, **{name: kinds[name](value) for name, value in changed.items()})
    pairs = (
        list(zip(SPEAKERS[::2], SPEAKERS[1::2], strict=True))
        if arguments.few
        else list(itertools.combinations(SPEAKERS, 2))
    )
    table = (
        chosen_on(settings, arguments.out, pairs)
        if arguments.choose
        else measured(settings, arguments.out, arguments.speakers)
    )
    Console().print(table)


if __name__ == "__main__":
    main()
