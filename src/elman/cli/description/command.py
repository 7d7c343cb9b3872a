"""`elman describe`: what a file or folder was understood to be, and the command that would train on it."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from elman.cli.messages import as_options, option, shell_words, show, show_json, show_rich
from elman.cli.running import Json
from elman.cli.suggestions import TASK_OF
from elman.cli.train import free_folder
from elman.errors import UserError
from elman.tasks import task_module
from elman.training.progress import display

if TYPE_CHECKING:
    from elman.data.description.facts import Description
    from elman.data.description.kinds import Guess
    from elman.data.io.files import Sample

MOST, MOST_NUMBERS = 64_000_000, 8_000_000
"""Bytes that are read of a file, and of a table of numbers, whose cells are weighed one by one: some seconds."""
_NUMBERS = ("forecasting", "series")
"""Tasks that read tables of numbers."""
FILES = 500
"""Files that are read of each folder of a class."""
TRIED = 8_000_000
"""Bytes of data, at most, that training is made ready on to see that the command given can begin."""
_UNTRIED = ("captioning",)
"""Tasks that would compute for minutes, or download, to make training ready."""

Names = Annotated[tuple[str, ...], Parameter(consume_multiple=True, negative="")]


def describe(
    *data: Annotated[str, Parameter(name="DATA", help="A file, a folder, or the name of a dataset.")],
    task: Annotated[str | None, Parameter(help="What is to be trained, where that cannot be told.")] = None,
    text_column: Annotated[str | None, Parameter(help="The column of texts.")] = None,
    label_column: Annotated[str | None, Parameter(help="The column of labels.")] = None,
    time: Annotated[Names, Parameter(help="The column of times, or several that make one.")] = (),
    target: Annotated[Names, Parameter(help="The columns to forecast.")] = (),
    series_id: Annotated[str, Parameter(help="The column that tells several series apart.")] = "",
    date_order: Annotated[str, Parameter(help="day-first or month-first.")] = "auto",
    frequency: Annotated[str, Parameter(help="The step between rows: h, D, MS.")] = "",
    missing: Annotated[str, Parameter(help="interpolate or previous, where cells or times are missing.")] = "refuse",
    captions: Annotated[str, Parameter(help="The file of captions of a folder of pictures.")] = "",
    json: Json = False,
) -> None:
    """Say what data are understood to be: their form, columns, times, classes, sizes; and how to train on them.

    Of a large file the beginning is read, of large folders some files. What is ambiguous is asked about.

    Example: elman describe sales.csv
    """
    from elman.data.io.files import reading_samples

    if not data:
        raise UserError("nothing to describe; name a file, a folder or a dataset: elman describe FILE")
    asked = {
        "text_column": text_column, "label_column": label_column, "time": time, "target": target,
        "series_id": series_id, "date_order": date_order, "frequency": frequency, "missing": missing,
        "captions": captions,
    }  # fmt: skip
    given = {name: value for name, value in asked.items() if value not in (None, (), "", "auto", "refuse")}
    with display().doing("looking at the data"), reading_samples(MOST, FILES) as sample:
        guess, found, name = _described(data, task, given, sample)
    found = replace(found, notes=(*found.notes, *_sampled(sample)))
    command = _command(name, guess, found, given)
    if command and not (sample.cut or sample.thinned) and (stops := _what_stops(name, guess, found, given)):
        found, command = replace(found, notes=(*found.notes, f"training cannot begin: {stops}")), None
    if json:
        told = {"task": name, "told_by": guess.why, "other_kinds": guess.others, "command": command}
        show_json(found.to_json() | told)
        return
    _show(guess, found, name, command)


def _what_stops(name: str, guess: Guess, found: Description, given: dict[str, Any]) -> str:
    """What training on small data would stop at before its first step; "" where nothing does, or nothing is tried."""
    paths = [Path(one).expanduser() for one in guess.data]
    files = [file for path in paths for file in ([path] if path.is_file() else path.rglob("*")) if file.is_file()]
    if name in _UNTRIED or not files or sum(file.stat().st_size for file in files) > TRIED:
        return ""
    module, chosen = task_module(name), found.settings | given
    if "data" in chosen:
        guess = replace(guess, data=(str(chosen.pop("data")),))
    try:
        with display().doing("trying whether training can begin"), _quiet(logging.CRITICAL):
            module.Task.new(_settings(module, guess, chosen)).check()
    except UserError as error:
        return str(error)
    return ""


def _described(
    data: tuple[str, ...], task: str | None, given: dict[str, Any], sample: Sample
) -> tuple[Guess, Description, str]:
    """What the data are taken for, the description, and the task that trains on them; "" for none."""
    from elman.data.description.kinds import Guess, guess_kind, only_texts
    from elman.data.description.recordings import describe_recording
    from elman.data.io.columns import UnnamedColumnError

    if task is not None:
        guess = Guess("text", data, "the task that was named")
        with contextlib.suppress(UserError):
            guess = replace(guess_kind(data), why="the task that was named", others=())
    else:
        guess = guess_kind(data)
        if guess.kind == "recording":
            return guess, describe_recording(Path(data[0])), ""
    name = task or TASK_OF[guess.kind]
    if name in _NUMBERS:
        sample.most = MOST_NUMBERS
    if name == "sentiment" and "text_column" not in given and (texts := only_texts(Path(data[0]).expanduser())):
        guess = replace(guess, settings={**guess.settings, "text_column": texts})
    module = task_module(name)
    if "data" not in {field.name for field in fields(module.Settings)}:
        raise UserError(f"the task {name} makes its data; there is nothing to describe")
    settings = _settings(module, guess, given)
    try:
        with _quiet():
            found = module.Task.describe(settings)
    except UnnamedColumnError as error:
        _show_form(data)
        if not error.likely or task is not None:
            raise
        options = [word for setting, column in error.likely.items() for word in (option(setting), column)]
        raise UserError(f"{error}: {shell_words(['elman', 'describe', *map(_no_option, data), *options])}") from error
    except UserError:
        _show_form(data)
        raise
    if found is None:
        raise UserError(f"the task {name} does not describe its data; elman train {name} says what it reads")
    return guess, found, name


def _settings(module: Any, guess: Guess, given: dict[str, Any]) -> Any:
    """The task's settings for these data; raises a UserError for an option that the task does not have."""
    known = {field.name: field for field in fields(module.Settings)}
    if unknown := [name for name in given if name not in known]:
        raise UserError(
            f"`{unknown[0]}` is not for {guess.kind} ({guess.why}); leave it out, or say with `task` what it is"
        )
    several = isinstance(module.Settings().data, tuple)
    if len(guess.data) > 1 and not several:
        raise UserError(f"{module.NAME} takes one file or folder, and {len(guess.data)} are named; name one")
    chosen = {name: value for name, value in guess.settings.items() if name in known}
    return module.Settings(data=guess.data if several else guess.data[0], **chosen | given)


@contextlib.contextmanager
def _quiet(level: int = logging.WARNING) -> Iterator[None]:
    """Readers note what they decide; here the description says it."""
    log = logging.getLogger("elman")
    before = log.level
    log.setLevel(level)
    try:
        yield
    finally:
        log.setLevel(before)


def _sampled(sample: Sample) -> list[str]:
    from elman.data.description.facts import size_of

    notes = [
        f"{path}: the first {size_of(sample.most)} of {size_of(size)} are described"
        for path, size in sample.cut.items()
    ]
    for folder, count in sample.thinned.items():
        notes.append(f"{folder}: {sample.files:,} of {count:,} files were read, evenly spread")
    return notes


def _command(name: str, guess: Guess, found: Description, given: dict[str, Any]) -> list[str] | None:
    """The whole command that trains on the data; None where there is none."""
    if not name:
        return None
    chosen = found.settings | guess.settings | given
    data = [_no_option(one) for one in ((chosen.pop("data"),) if "data" in chosen else guess.data)]
    words = ["elman", "train", name, "--data", *data]
    for setting, value in chosen.items():
        value = _no_option(value) if setting == "captions" else value
        words += [option(setting), *(value if isinstance(value, tuple) else [str(value)])]
    module = task_module(name)
    one = guess.data if isinstance(module.Settings().data, tuple) else guess.data[0]
    return [*words, "--out", str(free_folder(name, module.Settings(data=one)))]


def _no_option(path: str) -> str:
    """A path as the command line takes it: one that begins as an option does is named from here."""
    return f"./{path}" if path.startswith("-") else path


def _show_form(data: tuple[str, ...]) -> None:
    """What is known of a table that cannot be trained on as it is."""
    from elman.data.description.facts import Description
    from elman.data.description.formats import columns_of, table_facts
    from elman.data.io.delimited import read_delimited
    from elman.data.io.files import file_kind, is_file

    path = Path(data[0]).expanduser()
    with contextlib.suppress(UserError):
        if is_file(path) and file_kind(path) in (".csv", ".tsv", ".xlsx"):
            columns = columns_of(read_delimited(path, fill=True))
            show(f"{path}: a table")
            _show_facts(Description(str(path), "", tuple(table_facts(path)), columns))


def _show_facts(found: Description) -> None:
    from rich.table import Table

    facts = Table(show_header=False, box=None, pad_edge=False)
    facts.add_column(no_wrap=True)
    facts.add_column()
    for fact in found.facts:
        facts.add_row("  " + fact.name, fact.shown())
    show_rich(facts)
    if found.columns:
        table = Table("column", "type", "missing", "different", "holds")
        for column in found.columns:
            table.add_row(column.name, column.type, f"{column.missing:,}", f"{column.distinct:,}", column.range)
        show_rich(table)


def _show(guess: Guess, found: Description, name: str, command: list[str] | None) -> None:
    task = f" (task {name})" if name else ""
    show(f"{found.source}: {found.kind}{task}, told by: {guess.why}")
    _show_facts(found)
    for note in found.notes:
        show(f"note: {as_options(note)}")
    for kind in guess.others:
        other = TASK_OF[kind]
        words = ["elman", "describe", *map(_no_option, guess.data), "--task", other]
        show(f"note: this could be {kind} too: {shell_words(words)}")
    for question in found.questions:
        show(f"to decide: {as_options(question)}")
    if command is None and name:
        return
    if command is None:
        show(
            "a recording by itself is put to a trained run: elman predict RUN "
            + shell_words([*map(_no_option, guess.data)])
        )
    else:
        show(("train, if so: " if found.questions else "train: ") + shell_words(command))
