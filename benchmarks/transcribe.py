"""How fast a run writes down what it hears, and in what memory: an hour of spoken digits, from a file.

Run: python benchmarks/transcribe.py runs/digits   (a run of elman train speech --answer symbols)
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from pathlib import Path

import numpy as np
import soundfile

from elman.data.audio.io import read_sound
from elman.data.datasets.cache import fetch
from elman.run import load

RATE = 8000


def write_digits(path: Path, seconds: float) -> None:
    """Test recordings one after the other, a fifth of a second apart, again and again."""
    files = sorted((fetch("fsdd") / "recordings").glob("*_[0-4].wav"))
    pause = np.zeros(RATE // 5, np.float32)
    once = np.concatenate([part for file in files for part in (read_sound(file, RATE), pause)])
    with soundfile.SoundFile(path, "w", RATE, 1) as file:
        for _ in range(round(seconds * RATE / len(once))):
            file.write(once)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("--minutes", type=float, nargs="*", default=[6.0, 60.0])
    arguments = parser.parse_args()
    run = load(arguments.run)
    options = run.options()
    for minutes in arguments.minutes:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "long.wav"
            write_digits(path, 60 * minutes)
            wall, processor = time.perf_counter(), time.process_time()
            (prediction,) = run.predict([str(path)], options)
            wall, processor = time.perf_counter() - wall, time.process_time() - processor
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        length = prediction["seconds"]
        print(
            f"{length / 60:.1f} min of sound, {len(prediction['heard']):,} symbols: {wall:.1f} s ({length / wall:,.0f}"
            f" times real time), {processor:.1f} s of processor ({length / processor:,.0f} times); peak {peak:.0f} MiB"
        )


if __name__ == "__main__":
    main()
