"""What to suggest for a word that is no command or no option: the near command in full."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from cyclopts import App, CycloptsError, MissingArgumentError, UnknownCommandError

from elman.cli.messages import one_line, shell_words

_TASK_OF = {
    "text": "language",
    "labelled text": "sentiment",
    "parallel text": "translation",
    "captions": "captioning",
    "audio": "speech",
    "table": "forecasting",
    "sequences": "series",
    "pictures": "series",
}
"""The task that trains on a dataset, by the dataset's kind in the registry."""


def advice(error: CycloptsError, app: App, words: Sequence[str]) -> str:
    """The error in one line: a misspelt option first, since it hides behind what else is missing."""
    if isinstance(error, UnknownCommandError):
        return unknown_command(app, words)
    if found := unknown_option(app, words):
        return found
    if isinstance(error, MissingArgumentError) and error.argument is not None:
        return _missing(error.argument.name, app, words)
    return one_line(error)


def unknown_command(app: App, words: Sequence[str]) -> str:
    """A word that is no command, and the command that was meant."""
    _, apps, rest = app.parse_commands(list(words))
    here, word = apps[-1], (rest or list(words))[0]
    before = [name for found in apps for name in found.name][-len(apps) :]
    names = [name for name in here if not name.startswith("-")]
    meant = _train_command(word, rest[1:], exactly=True)
    near = difflib.get_close_matches(word, names, n=1) if not meant else []
    if near:
        return f"there is no command {word!r}; did you mean: {shell_words([*before, near[0], *rest[1:]])}"
    if meant := meant or _train_command(word, rest[1:]):
        return f"there is no command {word!r}; did you mean: {shell_words(meant)}"
    return f"there is no command {word!r}; {' '.join(before)} has {', '.join(names)}"


def _train_command(word: str, rest: Sequence[str], *, exactly: bool = False) -> list[str]:
    """The training that a task's or a dataset's name asks for; a near name will do unless `exactly`."""
    from elman.data.datasets.registry import CATALOGUE
    from elman.tasks import recipes, task_names

    out = [] if "--out" in rest else ["--out", f"runs/{word}"]
    tasks = task_names()
    near = [word] if word in tasks else []
    if not near and not exactly:
        near = difflib.get_close_matches(word, tasks, n=1)
    if near:
        return ["elman", "train", near[0], *rest, *out]
    if word not in CATALOGUE:
        return []
    task = next((task for task in tasks if word in recipes(task)[1]), _TASK_OF.get(CATALOGUE[word].kind))
    return ["elman", "train", task, "--data", word, *rest, *out] if task else []


def unknown_option(app: App, words: Sequence[str]) -> str:
    """The first option that the command does not have, and the near one; empty if all are known."""
    _, apps, rest = app.parse_commands(list(words))
    known = {name for argument in apps[-1].assemble_argument_collection() for name in argument.names}
    if not known:
        return ""
    for word in rest:
        name = word.split("=")[0]
        if name == "--":
            return ""
        if name.startswith("--") and name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]}?" if near else f"{_command(apps)} --help lists its options"
            return f"there is no option {name}; {hint}"
    return ""


def _missing(name: str, app: App, words: Sequence[str]) -> str:
    """What is required and not given, with the whole command for a training."""
    chain, apps, rest = app.parse_commands(list(words))
    needs = f"{_command(apps)} needs {name}"
    if name != "--out" or len(chain) < 2:
        return f"{needs}; {_command(apps)} --help says more"
    return f"{needs}, a folder for what it makes: {shell_words(['elman', *chain, *rest, '--out', f'runs/{chain[-1]}'])}"


def _command(apps: Sequence[App]) -> str:
    return " ".join(found.name[0] for found in apps)
