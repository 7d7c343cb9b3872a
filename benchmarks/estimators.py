"""The estimators on JapaneseVowels, as the archive splits it: `python benchmarks/estimators.py [--seeds 3]`."""

from __future__ import annotations

import argparse
import time
from typing import Any

import torch

from elman.data.timeseries.classification import read_sequences
from elman.sklearn import ReservoirClassifier, RNNClassifier


def main() -> None:
    """Print accuracy on the test part and the time of `fit`, for each estimator and seed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="reservoirs alone")
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    data = read_sequences("japanese-vowels")
    train = data.train.joined(data.validation)
    kinds: list[Any] = [ReservoirClassifier] if chosen.quick else [ReservoirClassifier, RNNClassifier]
    print("| estimator | seed | test accuracy | fit |\n|---|---|---|---|")
    for kind in kinds:
        for seed in range(chosen.seeds):
            begun = time.perf_counter()
            fitted = kind(random_state=seed).fit(list(train.values), train.labels)
            seconds = time.perf_counter() - begun
            accuracy = fitted.score(list(data.test.values), data.test.labels)
            print(f"| {kind.__name__} | {seed} | {accuracy:.1%} | {seconds:.1f} s |", flush=True)


if __name__ == "__main__":
    main()
