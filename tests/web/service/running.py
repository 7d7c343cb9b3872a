"""A server of untrained runs, in a thread of this process, to which tests send requests over 127.0.0.1."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np

from elman.data.image.features import Features
from elman.web.service.application import Application
from elman.web.service.guard import Rules
from elman.web.service.requests.limits import Limits
from elman.web.service.served_run import load_runs
from elman.web.service.serving import listen, serving
from tests.cli.quick_runs import make_run, write_data


@dataclass(frozen=True)
class Running:
    """A server that takes requests."""

    application: Application
    port: int

    @property
    def address(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    def client(self, **more: Any) -> httpx.Client:
        """For requests to it."""
        return httpx.Client(base_url=self.address, timeout=30, trust_env=False, **more)


@contextlib.contextmanager
def running(application: Application, limits: Limits) -> Iterator[Running]:
    """Serve in a thread until the block ends."""
    listener, ready = listen("127.0.0.1", 0), threading.Event()
    server = serving(application, limits, ready.set)
    thread = threading.Thread(target=lambda: asyncio.run(server.serve([listener])))
    thread.start()
    assert ready.wait(20)
    try:
        yield Running(application, listener.getsockname()[1])
    finally:
        server.should_exit = True
        thread.join(20)
        listener.close()
        assert not thread.is_alive()


def served(runs: list[Path], limits: Limits | None = None, **rules: Any) -> contextlib.AbstractContextManager[Running]:
    """A server of these runs."""
    limits = limits or Limits()
    how = Rules.of(rules.get("host", "127.0.0.1"), rules.get("names", ()), rules.get("token", ""))
    return running(Application(load_runs(map(str, runs)), how, limits), limits)


def make_runs(folder: Path) -> dict[str, Path]:
    """One of each task, in a folder."""
    write_data(folder)
    table = str(_table(folder))
    return {
        "parity": make_run(folder / "parity", "parity", hidden_size=8),
        "opinions": make_run(folder / "opinions", "sentiment", data=str(folder / "reviews.csv"), hidden_size=8),
        "text": make_run(folder / "text", "language", data=(str(folder / "text.txt"),), hidden_size=16),
        "gestures": make_run(folder / "gestures", "series", data=str(folder / "classes"), hidden_size=4),
        "table": make_run(folder / "table", "forecasting", data=table, horizon=3, window=14, hidden_size=4),
        "digits": make_run(folder / "digits", "speech", data=str(_sounds(folder)), answer="symbols", hidden_size=8),
        "german": make_run(folder / "german", "translation", data=(str(_pairs(folder)),), hidden_size=8),
        "pictures": make_run(
            folder / "pictures",
            "captioning",
            captions=str(_captions(folder)),
            data=str(folder / "seen.npz"),
            hidden_size=8,
        ),
    }


def _table(folder: Path) -> Path:
    days = np.arange("2020-01-01", "2020-05-01", dtype="datetime64[D]")
    rows = [f"{day},{n % 7}.5" for n, day in enumerate(days)]
    (folder / "days.csv").write_text("\n".join(["date,value", *rows]))
    return folder / "days.csv"


def _sounds(folder: Path) -> Path:
    import soundfile

    (folder / "sounds").mkdir()
    rows, times = ["file,transcript"], np.arange(6000) / 8000
    for number in range(12):
        sound = 0.3 * np.sin(2 * np.pi * (300 + 40 * number) * times)
        soundfile.write(folder / "sounds" / f"{number}.wav", sound, 8000)
        rows.append(f"{number}.wav,{'ab' if number % 2 else 'ba'}")
    (folder / "sounds" / "transcripts.csv").write_text("\n".join(rows))
    return folder / "sounds"


def _pairs(folder: Path) -> Path:
    lines = [f"the {a} dog {b}\tder {a} hund {b}" for a in "abcdefgh" for b in "uvwxyz"]
    (folder / "pairs.tsv").write_text("\n".join(lines))
    return folder / "pairs.tsv"


def _captions(folder: Path) -> Path:
    names = [f"{number}.jpg" for number in range(30)]
    (folder / "captions.csv").write_text("\n".join(["image,caption", *(f"{name},a dog runs" for name in names)]))
    vectors = np.random.default_rng(0).normal(size=(30, 6)).astype(np.float32)
    Features(tuple(names), vectors).save(folder / "seen.npz")
    return folder / "captions.csv"
