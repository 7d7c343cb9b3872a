"""`make demo`: the main job from nothing to pictures, in a few minutes."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter
from rich.table import Table

from elman.cli.messages import say, show, show_rich

app = App(help="Train on parity and on text, and show what came out.")


@app.default
def demo(
    *, out: Annotated[Path, Parameter(help="Folder for the two runs; an earlier demo there is replaced.")]
) -> None:
    """Train two small networks and show what they learned."""
    from elman.cli.train import train_and_show
    from elman.run import load
    from elman.tasks import language
    from elman.tasks import memory as parity

    show("1 of 2: is the number of 1s even?")
    fresh(out / "parity")
    train_and_show("parity", parity.Settings(steps=1500), out / "parity")
    run = load(out / "parity")
    show_rich(accuracy_table(run.evaluate(), parity.Settings().max_length))
    questions = ["1000010101", "100011"]
    show(run.task.show(run.predict(questions)))

    source = choose_text()
    show(f"2 of 2: a network that writes, from {source}")
    fresh(out / "writer")
    settings = language.Settings(data=(source,), hidden_size=256, steps=2500, eval_every=250)
    train_and_show("language", settings, out / "writer")
    writer = load(out / "writer")
    choice = language.Options(length=400)
    prompt = "KING LEAR:\n" if source == "shakespeare" else "The "
    show(writer.task.show(writer.predict([prompt], choice)))

    show("what was made")
    for path in sorted(out.rglob("*")):
        if path.is_file():
            show(str(path))


def fresh(folder: Path) -> None:
    """Make room for a run of the demo: only what holds a run is removed."""
    from elman.training.run_folder import RunFolder

    if RunFolder(folder).exists():
        shutil.rmtree(folder)


def choose_text() -> str:
    """Shakespeare where it is in the cache or can be downloaded, else text that every Python carries."""
    from elman.data.datasets.cache import fetch
    from elman.data.text.corpora import BUILTIN
    from elman.errors import UserError

    try:
        fetch("shakespeare")
    except UserError as error:
        say(f"Shakespeare is not available ({error}); taking Python's own documentation instead.")
        return BUILTIN
    return "shakespeare"


def accuracy_table(metrics: dict[str, float], longest: int) -> Table:
    """Accuracy by length as a table."""
    table = Table(title="1,000 new strings of each length", title_justify="left")
    table.add_column("length", justify="right")
    table.add_column("right", justify="right")
    table.add_column("")
    for name, value in metrics.items():
        length = int(name.rsplit("_", 1)[1])
        table.add_row(f"{length:,}", f"{value:.1%}", "as in training" if length <= longest else "longer than any seen")
    return table


if __name__ == "__main__":
    import sys

    from elman.cli.main import run_app

    run_app(lambda: app, sys.argv[1:])
