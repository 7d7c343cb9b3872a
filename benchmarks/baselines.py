"""Cheap baselines beside the many-to-one results: what a network has to beat to be worth its time.

Texts: words and pairs of words weighted by tf-idf, and logistic regression. Series: the nearest neighbour, by dynamic
time warping and, where all have one length, by Euclidean distance; for MNIST logistic regression too, on the pixels.
The data and their parts are those of `elman train`. Settings are chosen on the validation part.

Run: python benchmarks/baselines.py [NAME ...]
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline

from elman.data.text.classification import read_labelled_text
from elman.data.timeseries.classification import LabelledSequences, SequenceClasses, read_sequences

TEXTS = ("sst2", "sst5", "trec", "yelp", "imdb")
SERIES = ("japanese-vowels", "gunpoint", "italy-power-demand")
DIGITS = ("mnist",)
STRENGTHS = (1.0, 3.0, 10.0, 30.0)
NEIGHBOURS_FROM = 10_000  # training digits that the nearest neighbour is sought among

Series = NDArray[np.float32]
Distance = Callable[[Series, Series], float]
Found = tuple[str, float, float]
"""What it is, its accuracy on the validation part, and on the test part."""


def text_baseline(name: str) -> list[Found]:
    """Tf-idf of words and pairs, logistic regression; its strength chosen on the validation part."""
    data = read_labelled_text(name)
    best: tuple[float, float, object] = (-1.0, 0.0, None)
    for strength in STRENGTHS:
        words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, min_df=1, token_pattern=r"[\w']+|[^\w\s]")
        model = make_pipeline(words, LogisticRegression(C=strength, max_iter=1000))
        model.fit(data.train.texts, data.train.labels)
        score = model.score(data.validation.texts, data.validation.labels)
        if score > best[0]:
            best = (score, strength, model)
    score, strength, chosen = best
    test = chosen.score(data.test.texts, data.test.labels)  # type: ignore[attr-defined]
    return [(f"tf-idf of words and pairs, logistic regression, C={strength:g}", score, test)]


def series_baseline(name: str) -> list[Found]:
    """The nearest neighbour of the training part, by both distances."""
    data = read_sequences(name, validation_share=0.3)
    found = [("nearest neighbour, dynamic time warping", *neighbour_scores(data, warped))]
    if len({len(values) for part in (data.train, data.validation, data.test) for values in part.values}) == 1:
        found.append(("nearest neighbour, Euclidean distance", *neighbour_scores(data, straight)))
    return found


def neighbour_scores(data: SequenceClasses, distance: Distance) -> tuple[float, float]:
    """Accuracy on the validation part, and on the test part with the validation part among the neighbours."""
    train = data.train
    validation = neighbour_score(train.values, train.labels, data.validation, distance)
    values = (*train.values, *data.validation.values)
    labels = np.concatenate([train.labels, data.validation.labels])
    return validation, neighbour_score(values, labels, data.test, distance)


def neighbour_score(
    values: Sequence[Series], labels: NDArray[np.int64], part: LabelledSequences, distance: Distance
) -> float:
    """The share of a part whose nearest neighbour among `values` has its class."""
    nearest = [int(np.argmin([distance(one, other) for other in values])) for one in part.values]
    return float((labels[nearest] == part.labels).mean())


def straight(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """Euclidean distance, squared."""
    return float(((one - other) ** 2).sum())


def warped(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """Dynamic time warping of squared distances (Sakoe and Chiba 1978), no window, one antidiagonal at a time."""
    cost = ((one[:, None] - other[None]) ** 2).sum(-1).astype(np.float64)
    rows, columns = cost.shape
    before = np.full(rows + 1, np.inf)
    last = np.full(rows + 1, np.inf)
    before[0] = 0.0
    for diagonal in range(rows + columns - 1):
        now = np.full(rows + 1, np.inf)
        i = np.arange(max(0, diagonal - columns + 1), min(rows, diagonal + 1))
        now[i + 1] = cost[i, diagonal - i] + np.minimum(np.minimum(last[i], last[i + 1]), before[i])
        before, last = last, now
    return float(last[rows])


def digits_baseline(name: str) -> list[Found]:
    """Logistic regression on the pixels, and the nearest neighbour among some of the training digits."""
    data = read_sequences(name)
    parts = (data.train, data.validation, data.test)
    pixels = [np.stack(part.values).reshape(len(part), -1) for part in parts]
    linear = LogisticRegression(C=0.1, max_iter=200).fit(pixels[0], data.train.labels)
    some = slice(0, NEIGHBOURS_FROM)
    nearest = KNeighborsClassifier(1, algorithm="brute").fit(pixels[0][some], data.train.labels[some])
    models = {"logistic regression": linear, f"nearest neighbour of {NEIGHBOURS_FROM:,} digits": nearest}
    return [(what, *(float(model.score(pixels[i], parts[i].labels)) for i in (1, 2))) for what, model in models.items()]


def main() -> None:
    parser = argparse.ArgumentParser(description="Cheap baselines for the many-to-one tasks.")
    parser.add_argument("names", nargs="*", metavar="NAME", help="datasets; all where none is named")
    names = parser.parse_args().names or [*TEXTS, *SERIES, *DIGITS]
    console = Console(highlight=False)
    table = Table("dataset", "baseline", "validation", "test", "seconds", title="baselines", title_justify="left")
    for name in names:
        measure = text_baseline if name in TEXTS else series_baseline if name in SERIES else digits_baseline
        start = time.perf_counter()
        for what, validation, test in measure(name):
            taken = time.perf_counter() - start
            table.add_row(name, what, f"{validation:.1%}", f"{test:.1%}", f"{taken:.0f}")
            console.print(f"{name}: {what}: validation {validation:.2%}, test {test:.2%} ({taken:.0f} s)")
    console.print(table)


if __name__ == "__main__":
    main()
