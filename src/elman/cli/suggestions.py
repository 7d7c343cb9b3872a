"""What was typed wrong, in one line of our own words, with the whole command that was meant where it is known."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from cyclopts import (
    App,
    Argument,
    CoercionError,
    CycloptsError,
    MissingArgumentError,
    RepeatArgumentError,
    UnknownCommandError,
    UnusedCliTokensError,
)

from elman.cli.messages import one_line, shell_words

TASK_OF = {
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
GIVEN_BY = ("--input", "--prompt", "--data")
"""Options that take what a command is about: a word that stands alone is meant for the one that the command has."""


def advice(error: CycloptsError, app: App, words: Sequence[str]) -> str:
    """The error in one line: a misspelt option first, since it hides behind what else is missing."""
    if isinstance(error, UnknownCommandError):
        return unknown_command(app, words)
    if found := unknown_option(app, words):
        return found
    if isinstance(error, MissingArgumentError) and error.argument is not None:
        if error.keyword is not None:
            return _without_value(error.keyword, error.argument, app, words)
        return _missing(error.argument.name, app, words)
    if isinstance(error, CoercionError) and error.token is not None:
        return _wrong_value(error, app, words)
    if isinstance(error, UnusedCliTokensError):
        return _too_many(error.unused_tokens or [], app, words)
    if isinstance(error, RepeatArgumentError):
        name = error.token.keyword or ""
        return f"{name} is given more than once; give it once"
    error.verbose = False
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
    task = next((task for task in tasks if word in recipes(task)[1]), TASK_OF.get(CATALOGUE[word].kind))
    return ["elman", "train", task, "--data", word, *rest, *out] if task else []


def unknown_option(app: App, words: Sequence[str]) -> str:
    """The first option that the command does not have, and the command with the near one; empty if all are known."""
    chain, apps, rest = app.parse_commands(list(words))
    known = {name for argument in apps[-1].assemble_argument_collection() for name in argument.names}
    if not known:
        return ""
    for place, word in enumerate(rest):
        name, equals, value = word.partition("=")
        if name == "--":
            return ""
        if name.startswith("--") and name not in known:
            bare = {option.lstrip("-"): option for option in known}  # dashes, which all have, are no likeness
            near = [bare[one] for one in difflib.get_close_matches(name.lstrip("-"), bare, n=1)]
            if not near:
                batch = ": it looks at the next training batch" if name in ("--input", "--text") else ""
                what = f"{_command(apps)} has no option {name}{batch}" if batch else f"there is no option {name}"
                if name == "--minutes" and "--seeds" in known:
                    what += "; --steps 200 --seeds 0 shorten it (1000 and 0,1,2 if not given)"
                return f"{what}; {_command(apps)} --help lists the options"
            meant = [*rest[:place], near[0] + equals + value, *rest[place + 1 :]]
            return f"there is no option {name}; did you mean: {_whole(app, chain, meant)}"
    return ""


def _missing(name: str, app: App, words: Sequence[str]) -> str:
    """What is required and not given."""
    chain, apps, rest = app.parse_commands(list(words))
    needs = f"{_command(apps)} needs {name}"
    if name != "--out":
        return f"{needs}; {_command(apps)} --help says more"
    return f"{needs}, a folder for what it makes: {_whole(app, chain, [*rest, '--out', f'runs/{chain[-1]}'])}"


def _without_value(keyword: str, argument: Argument, app: App, words: Sequence[str]) -> str:
    """An option that stands there without its value."""
    chain, apps, rest = app.parse_commands(list(words))
    if keyword == "--out" and keyword in rest:
        place = len(rest) - list(reversed(rest)).index(keyword)
        meant = [*rest[:place], f"runs/{chain[-1] if chain else 'new'}", *rest[place:]]
        return f"{keyword} needs a value: {_whole(app, chain, meant)}"
    return f"{keyword} needs a value, {_kind(argument.hint)}; {_command(apps)} --help says more"


def _wrong_value(error: CoercionError, app: App, words: Sequence[str]) -> str:
    """A value that is not of the option's kind."""
    token, argument = error.token, error.argument
    assert token is not None
    hint = argument.hint if argument is not None else error.target_type
    name = token.keyword or (argument.name if argument is not None else "the value")
    source = "" if token.source in ("", "cli") else f" in {token.source}"
    said = f"{name} is {token.value[:80]!r}{source}; give {_kind(hint)}"
    near = difflib.get_close_matches(token.value, _choices(hint), n=1)
    if near and not source:
        chain, _, rest = app.parse_commands(list(words))
        meant = [near[0] if word == token.value else word for word in rest]
        meant = [f"{name}={near[0]}" if word == f"{name}={token.value}" else word for word in meant]
        return f"{said}; did you mean: {_whole(app, chain, meant)}"
    return said


def _too_many(unused: Sequence[str], app: App, words: Sequence[str]) -> str:
    """Words that no option and no place takes."""
    chain, apps, rest = app.parse_commands(list(words))
    word = unused[0] if unused else ""
    before = rest[: rest.index(word)] if word in rest else []
    option = next((one for one in reversed(before) if one.startswith("--")), "")
    takes = f"{option} does not take that many values" if option else f"{_command(apps)} takes no such word"
    left = list(rest)
    for one in unused:
        if one in left:
            left.reverse()
            left.remove(one)
            left.reverse()
    if "inspect" in chain and (why := _not_inspected(rest)):
        return f"{word!r} is one word too many: {why}"
    if meant := _given_by(apps[-1], rest, unused):
        what = "is one word" if len(unused) == 1 else "and what follows are words"
        return (
            f"{word!r} {what} too many: {_command(apps)} takes it by {meant[0]}: {_whole(app, chain, [*left, *meant])}"
        )
    return f"{word!r} is one word too many: {takes}; quote what has blanks in it, or: {_whole(app, chain, left)}"


def _given_by(app: App, rest: Sequence[str], unused: Sequence[str]) -> list[str]:
    """Words that stand alone with the option of `GIVEN_BY` that they are meant for; empty for none."""
    known = {name: argument for argument in app.assemble_argument_collection() for name in argument.names}
    by = next((name for name in GIVEN_BY if name in known), "")
    if not by or not unused or any(word.partition("=")[0] == by for word in rest):
        return []
    if by != "--data":
        return [by, " ".join(unused)]  # a text without its quotes
    return [by, *unused] if len(unused) == 1 or get_origin(known[by].hint) is tuple else []


def _not_inspected(rest: Sequence[str]) -> str:
    """Why the run that is named shows no inputs; "" where it does, or no run is named."""
    from elman.export.at_path import holds_run, task_name_of
    from elman.tasks import task_module

    run = next((Path(word) for word in rest if holds_run(Path(word))), None)
    return "" if run is None else task_module(task_name_of(run)).Task.why_not_inspected()


def lone_hyphen(app: App, words: Sequence[str]) -> str:
    """What to say of a hyphen, which stands for standard input, where the command does not read that; "" if it does."""
    before = list(words[: words.index("--")]) if "--" in words else list(words)
    pairs = zip(["", *before], before, strict=False)
    last = next((last for last, word in pairs if word == "-" and last != "--prompt-file"), None)
    if before[:1] == ["predict"] or last is None:
        return ""
    chain = app.parse_commands(list(words))[1]
    known = {name for argument in chain[-1].assemble_argument_collection() for name in argument.names}
    what, how = _command(chain), "name what it is to take"
    if last in known:
        what, how = last, f"{last}=- takes the sign as it is"
    elif before[0] == "sample":
        how = "say --prompt-file -"
    return f"- stands for standard input, which {what} does not read; {how}"


def _kind(hint: Any) -> str:
    """What an option takes, in words."""
    if choices := _choices(hint):
        return "one of " + ", ".join(choices)
    kinds = {int: "a whole number", float: "a number", bool: "true or false", Path: "a path", str: "a text"}
    parts = [hint, *get_args(hint)]
    return next((kinds[part] for part in parts if isinstance(part, type) and part in kinds), "another value")


def _choices(hint: Any) -> list[str]:
    if get_origin(hint) is Literal:
        return [str(choice) for choice in get_args(hint)]
    return [choice for part in get_args(hint) for choice in _choices(part)]


def _command(apps: Sequence[App]) -> str:
    return " ".join(found.name[0] for found in apps)


def _whole(app: App, chain: Sequence[str], rest: Sequence[str]) -> str:
    """A command as it is to be typed; the app's own name may be several words."""
    return f"{app.name[0]} {shell_words([*chain, *rest])}"
