"""Make runs_v0_1/: small runs of every task, interrupted on their way, as elman 0.1 (commit e575e38) left them.

The runs prove that a later elman still loads, uses and resumes them, so they are made by version 0.1 alone, once:

    git worktree add --detach old e575e38            # and build its native library there
    cd old && OMP_NUM_THREADS=1 PYTHONPATH=src python ../make_runs_v0_1.py

All data are made up here and lie in runs_v0_1/data; paths in settings.toml are relative to runs_v0_1. Every run is told
to take `steps` steps and is stopped by SIGINT after `stop` of them. expected.json says of each run what version 0.1
predicts and measures with its best and its last weights, and sums over the weights at the end, resumed in a copy.
"""

from __future__ import annotations  # noqa: I001  (modules of 0.1 that are no longer there)

import contextlib
import io
import itertools
import json
import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import torch
from safetensors.torch import load_file

import elman
from elman.cli import main
from elman.data.features import Features
from elman.tasks import task_module
from elman.training.interrupt import Interrupted

OUT = Path(__file__).parent / "runs_v0_1"
COMMON = {"device": "cpu", "threads": 1, "lr": 1e-2, "lr_floor": 0.3, "warmup": 4, "batch_size": 8}
REST = 15
"""Steps that are left when a run is stopped: few, so that other processors' rounding has no time to grow."""


@dataclass(frozen=True)
class Recipe:
    """A run: its task, settings besides COMMON, after how many steps it is stopped, and what it is asked."""

    task: str
    settings: dict[str, Any]
    inputs: list[str]
    stop: int = 40

    @property
    def all_settings(self) -> dict[str, Any]:
        """With an evaluation and a checkpoint shortly before the stop, so that best and last weights differ."""
        every = {"eval_every": self.stop // 2 - 2, "checkpoint_every": self.stop // 4, "log_every": self.stop // 5 - 1}
        return COMMON | {"steps": self.stop + REST} | every | self.settings


RECIPES = {
    "parity": Recipe(
        "parity",
        {"hidden_size": 6, "max_length": 8, "curriculum": 0.3},
        ["1101", "0", "1000010101"],
        stop=1500,
    ),
    "adding": Recipe(
        "parity",
        {"problem": "adding", "max_length": 8, "hidden_size": 8, "residual": True, "init": "antisymmetric"},
        ["0.1 0.5* 0.3 0.8*", "0.9* 0.2 0.2 0.4 0.7*"],
        stop=400,
    ),
    "copy": Recipe(
        "parity",
        {"problem": "copy", "max_length": 3, "hidden_size": 10, "clip_value": 0.5},
        ["0123456701", "7777777777"],
        stop=1500,
    ),
    "language-characters": Recipe(
        "language",
        {
            "data": ("data/rhyme.txt", "data/more.txt"),
            "hidden_size": 4,
            "embedding_size": 3,
            "layers": 2,
            "layer_norm": True,
            "recurrent_dropout": 0.1,
            "chunk": 16,
            "schedule": "constant",
        },
        ["one for "],
        stop=400,
    ),
    "language-words": Recipe(
        "language",
        {
            "data": ("data/rhyme.txt",),
            "tokens": "words",
            "vocabulary_size": 30,
            "cell": "gru",
            "hidden_size": 5,
            "embedding_size": 3,
            "chunk": 10,
        },
        ["two for "],
        stop=400,
    ),
    "language-bpe": Recipe(
        "language",
        {
            "data": ("data/rhyme.txt",),
            "tokens": "bpe",
            "vocabulary_size": 260,
            "cell": "lstm",
            "tied": True,
            "hidden_size": 2,
            "embedding_size": 2,
            "chunk": 10,
            "carry": False,
            "watch": 10,
        },
        ["three for a "],
        stop=400,
    ),
    "sentiment-words": Recipe(
        "sentiment",
        {
            "data": "data/reviews.csv",
            "vectors": "data/vectors.txt",
            "embedding_size": 3,
            "hidden_size": 5,
            "dropout": 0.2,
            "patience": 9,
        },
        ["The food was good!", "a bad place", "what?"],
    ),
    "sentiment-characters": Recipe(
        "sentiment",
        {
            "data": "data/moods",
            "tokens": "characters",
            "cell": "gru",
            "bidirectional": False,
            "readout": "attention",
            "embedding_size": 4,
            "hidden_size": 6,
            "dropout": 0.0,
            "max_length": 20,
        },
        ["yes yes", "no!"],
    ),
    "series-memory": Recipe(
        "series",
        {
            "data": "data/waves.npz",
            "hidden_size": 8,
            "init": "orthogonal",
            "quiet": True,
            "head": 4,
            "fixed": True,
            "best_by": "loss",
        },
        ["data/two.npz", "data/one.csv"],
    ),
    "speech-class": Recipe(
        "speech",
        {
            "data": "data/tones",
            "rate": 2000,
            "bands": 4,
            "hidden_size": 3,
            "vary_tract": 0.1,
            "vary_tempo": 0.1,
            "vary_ends": 0.1,
        },
        ["data/tones/0.wav", "data/tones/1.wav"],
    ),
    "speech-characters": Recipe(
        "speech",
        {
            "data": "data/tones",
            "answer": "symbols",
            "rate": 2000,
            "bands": 6,
            "stack": 1,
            "hidden_size": 8,
            "layer_norm": True,
            "bidirectional": False,
        },
        ["data/tones/0.wav", "data/tones/2.wav"],
        stop=400,
    ),
    "speech-strings": Recipe(
        "speech",
        {
            "data": "data/tones",
            "answer": "symbols",
            "symbols": "words",
            "join": 2,
            "pause": 0.1,
            "rate": 2000,
            "bands": 6,
            "cepstra": 4,
            "normalise": "recording",
            "floor": 40.0,
            "hidden_size": 6,
            "residual": True,
        },
        ["data/tones/0.wav", "data/tones/1.wav"],
        stop=400,
    ),
    "translation-dot": Recipe(
        "translation",
        {
            "data": ("data/pairs.tsv",),
            "validation_share": 0.2,
            "vocabulary_size": 260,
            "cell": "gru",
            "bidirectional": False,
            "teacher_forcing": 0.5,
            "teacher_forcing_schedule": "sigmoid",
            "hidden_size": 4,
            "embedding_size": 2,
            "dropout": 0.05,
            "lr": 3e-2,
            "eval_every": 1450,
        },
        ["12", "331"],
        stop=1500,
    ),
    "translation-plain": Recipe(
        "translation",
        {
            "data": ("data/pairs.en", "data/pairs.de"),
            "validation_share": 0.2,
            "vocabulary_size": 260,
            "lowercase": True,
            "attention": "none",
            "feed": "mean",
            "hidden_size": 4,
            "embedding_size": 2,
            "dropout": 0.05,
            "lr": 3e-2,
            "eval_every": 1450,
        },
        ["12", "331"],
        stop=1500,
    ),
    "captioning": Recipe(
        "captioning",
        {
            "data": "data/seen.npz",
            "captions": "data/captions.csv",
            "feature_as": "first+state",
            "min_count": 1,
            "cell": "lstm",
            "hidden_size": 4,
            "embedding_size": 3,
            "dropout": 0.0,
            "label_smoothing": 0.1,
            "lr": 3e-2,
        },
        ["data/three.safetensors"],
        stop=1200,
    ),
    "forecasting-direct": Recipe(
        "forecasting",
        {
            "data": "data/shops.csv",
            "series_id": "shop",
            "target": ("sales",),
            "past": ("visitors",),
            "known": ("holiday",),
            "window": 14,
            "horizon": 3,
            "segment": 2,
            "hidden_size": 6,
            "layer_norm": True,
        },
        ["data/next.csv"],
    ),
    "forecasting-recursive": Recipe(
        "forecasting",
        {
            "data": "data/shops.csv",
            "series_id": "shop",
            "known": ("holiday",),
            "window": 14,
            "horizon": 3,
            "mode": "recursive",
            "anchor": "season",
            "cell": "gru",
            "hidden_size": 5,
            "calibrate": "validation",
        },
        ["data/next.csv"],
    ),
    "forecasting-points": Recipe(
        "forecasting",
        {
            "data": "data/shops.csv",
            "series_id": "shop",
            "target": ("visitors", "sales"),
            "calendar": ("month",),
            "window": 10,
            "horizon": 2,
            "transform": "log",
            "anchor": "none",
            "intervals": "none",
            "error": "squared",
            "best_by": "mae",
            "hidden_size": 6,
            "nonlinearity": "relu",
            "calibrate": "none",
        },
        ["data/shops.csv"],
    ),
}


def make_data(folder: Path) -> None:
    """Everything that the runs learn from: texts, tables, arrays, sounds of tones, and features of no pictures."""
    folder.mkdir(parents=True)
    rhyme = "one for sorrow, two for joy,\nthree for a girl, four for a boy.\n"
    write(folder / "rhyme.txt", rhyme * 10)
    write(folder / "more.txt", "five for silver, six for gold.\n" * 10)
    reviews = [f"the {what} was {word},{word}" for what in ("food", "place", "wine") for word in ("good", "bad")]
    write(folder / "reviews.csv", "\n".join(["text,label", *reviews * 4]) + "\n")
    write(folder / "vectors.txt", "good 1 0.5 0\nbad -1 0.5 0\nfood 0 0 1\n")
    for mood, word in (("happy", "yes"), ("sad", "no")):
        for number in range(6):
            write(folder / "moods" / mood / f"{number}.txt", " ".join([word] * (1 + number % 3)))
    make_series(folder)
    make_tones(folder / "tones")
    make_pairs(folder)
    make_captions(folder)
    make_shops(folder)


def make_series(folder: Path) -> None:
    """Rising and falling series: waves.npz in three parts to learn from; two.npz and one.csv to be asked about."""
    generator = np.random.default_rng(1)
    arrays: dict[str, Any] = {}
    for part, count in (("train", 12), ("validation", 6), ("test", 4)):
        rising = np.arange(count) % 2
        x = np.arange(6)[:, None] * np.where(rising, 1.0, -1.0)[:, None, None] * np.array([1.0, 10.0])
        arrays |= {f"x_{part}": (x + generator.normal(size=x.shape)).astype(np.float32)}
        arrays |= {f"y_{part}": np.where(rising, "rising", "falling"), f"lengths_{part}": 4 + np.arange(count) % 3}
    np.savez_compressed(folder / "waves.npz", **arrays)
    np.savez_compressed(folder / "two.npz", x=arrays["x_test"][:2], y=arrays["y_test"][:2])
    np.savetxt(folder / "one.csv", np.arange(6)[:, None] * [0.8, 12.0], delimiter=",", fmt="%.1f")


def make_tones(folder: Path) -> None:
    """Words that are tones, by two speakers: 8-bit WAV files of about 0.2 s at 2,000 samples a second."""
    folder.mkdir()
    generator = np.random.default_rng(2)
    rows = ["file,transcript,speaker,part"]
    for number in range(18):
        word, hertz = (("ab", 250.0), ("cd", 500.0), ("e", 800.0))[number % 3]
        seconds = np.arange(int(2000 * generator.uniform(0.16, 0.24))) / 2000
        tone = 0.5 * np.hanning(len(seconds)) * np.sin(2 * np.pi * hertz * seconds)
        soundfile.write(folder / f"{number}.wav", tone + 0.01 * generator.normal(size=len(tone)), 2000, "PCM_U8")
        rows.append(f"{number}.wav,{word},{'xy'[number // 3 % 2]},{'validation' if number < 6 else 'train'}")
    write(folder / "words.csv", "\n".join(rows) + "\n")


def make_pairs(folder: Path) -> None:
    """Figures and the letters that stand for them: pairs.tsv, and the same in two files."""
    texts = ["".join(figures) for length in (1, 2, 3) for figures in itertools.product("123", repeat=length)]
    pairs = [(text, text.translate(str.maketrans("123", "xyz"))) for text in texts]
    write(folder / "pairs.tsv", "en\tde\n" + "".join(f"{one}\t{other}\n" for one, other in pairs))
    write(folder / "pairs.en", "".join(f"{one}\n" for one, _ in pairs))
    write(folder / "pairs.de", "".join(f"{other}\n" for _, other in pairs))


def make_captions(folder: Path) -> None:
    """Features that say which colour a picture would have, and captions; three of them in another form."""
    colours = ("red", "green", "blue")
    names = tuple(f"{number:02}.png" for number in range(24))
    noise = np.random.default_rng(3).normal(0, 0.05, (24, 3))
    features = Features(names, (np.eye(3)[np.arange(24) % 3] + noise).astype(np.float32))
    features.save(folder / "seen.npz")
    Features(names[:3], features.vectors[:3]).save(folder / "three.safetensors")
    rows = ["image,caption,split"]
    for number, name in enumerate(names):
        part = "test" if number < 3 else "val" if number < 6 else "train"
        texts = f"A {colours[number % 3]} wall.", f"The wall is {colours[number % 3]}!"
        rows += [f"{name},{text},{part}" for text in texts]
    write(folder / "captions.csv", "\n".join(rows) + "\n")


def make_shops(folder: Path) -> None:
    """Two shops by the day: shops.csv to learn from, next.csv to be continued, with the holidays of three more days."""
    generator = np.random.default_rng(4)
    days = np.datetime64("2021-03-01") + np.arange(70)
    rows, later = ["day,shop,holiday,visitors,sales"], ["day,shop,holiday,visitors,sales"]
    for shop, size in (("north", 10), ("south", 100)):
        for n, day in enumerate(days):
            sales = size * (3 + np.sin(2 * np.pi * n / 7) + 2 * (n % 11 == 0) + 0.1 * generator.normal())
            rows.append(f"{day},{shop},{int(n % 11 == 0)},{sales / 4 + generator.normal() * size / 10:.1f},{sales:.1f}")
        later += [row for row in rows if f",{shop}," in row][-20:]
        later += [f"{days[-1] + ahead},{shop},{ahead % 2},," for ahead in (1, 2, 3)]
    write(folder / "shops.csv", "\n".join(rows) + "\n")
    write(folder / "next.csv", "\n".join(later) + "\n")


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


@contextlib.contextmanager
def ctrl_c_in(task: str, settings: Any, stop: int) -> Iterator[None]:
    """As if Ctrl-C were pressed while the batch of step `stop` is made: that step is finished and saved."""
    kind = type(task_module(task).Task(settings, Path("nowhere")))
    batch = kind.batch

    def pressed(self: Any, step: int, rank: int, world: int) -> Any:
        if step == stop - 1:
            os.kill(os.getpid(), signal.SIGINT)
        return batch(self, step, rank, world)

    kind.batch = pressed
    try:
        yield
    finally:
        kind.batch = batch


def make_run(name: str, recipe: Recipe) -> None:
    """An interrupted run in the folder `name`."""
    settings = task_module(recipe.task).Settings(**recipe.all_settings)
    with ctrl_c_in(recipe.task, settings, recipe.stop), contextlib.suppress(Interrupted):
        elman.train(recipe.task, settings, name)
        raise AssertionError(f"{name} was not interrupted")


def printed(*arguments: str) -> list[Any]:
    """The JSON lines that a command prints."""
    with contextlib.redirect_stdout(io.StringIO()) as out:
        main(arguments)
    return [json.loads(line) for line in out.getvalue().splitlines()]


def found_of(name: str, recipe: Recipe) -> dict[str, Any]:
    """What version 0.1 makes of the run; resumes it, and checks that it ends as one that was never interrupted."""
    found: dict[str, Any] = {"task": recipe.task, "steps": recipe.all_settings["steps"], "inputs": recipe.inputs}
    for weights in ("best", "last"):
        predictions = printed("predict", name, *recipe.inputs, "--json", "--weights", weights)
        figures = printed("evaluate", name, "--json", "--weights", weights)[0]
        for prediction in predictions:
            prediction.pop("written", None)
        figures = {key: figures[key] for key in elman.load(name, weights=weights).evaluate()}
        found[weights] = shortened({"predictions": predictions, "figures": figures})
    elman.train(recipe.task, task_module(recipe.task).Settings(**recipe.all_settings), f"{name}-whole")
    main(["train", recipe.task, "--out", name, "--resume"])
    whole, resumed = (load_file(f"{folder}/last.safetensors") for folder in (f"{name}-whole", name))
    assert whole.keys() == resumed.keys(), name
    assert all(torch.equal(tensor, resumed[key]) for key, tensor in whole.items()), name
    state = elman.load(name, weights="last").model.state_dict()
    found["resumed"] = {key: summary(tensor) for key, tensor in state.items()}
    return found


def summary(tensor: torch.Tensor) -> dict[str, float]:
    """Sum, norm, and the product with cos(0), cos(1), ..., which tells apart what stands in another order."""
    values = tensor.double().flatten()
    wave = torch.arange(len(values), dtype=torch.float64).cos()
    return shortened({"sum": float(values.sum()), "norm": float(values.norm()), "wave": float(values @ wave)})


def shortened(found: Any) -> Any:
    """JSON with its numbers to six digits."""
    if isinstance(found, dict):
        return {key: shortened(value) for key, value in found.items()}
    if isinstance(found, list):
        return [shortened(value) for value in found]
    return float(f"{found:.6g}") if isinstance(found, float) else found


def make_all() -> None:
    shutil.rmtree(OUT, ignore_errors=True)
    make_data(OUT / "data")
    os.chdir(OUT)
    for name, recipe in RECIPES.items():
        make_run(name, recipe)
    with tempfile.TemporaryDirectory() as scratch:
        os.chdir(shutil.copytree(OUT, Path(scratch) / "copy"))
        expected = {name: found_of(name, recipe) for name, recipe in RECIPES.items()}
        os.chdir(OUT)
    lines = (f" {json.dumps(name)}: {json.dumps(found, ensure_ascii=False)}" for name, found in expected.items())
    write(OUT / "expected.json", "{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    assert elman.__version__ == "0.1.0"
    make_all()
