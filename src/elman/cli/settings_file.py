"""Where options come from when they are not on the command line: a TOML file, the run that is resumed, or a recipe."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any, get_args

from cyclopts import App, ArgumentCollection, CoercionError
from cyclopts.config import Dict

from elman.errors import UserError
from elman.tasks import default_choice, recipes
from elman.training.distributed.launcher import number_of_processes
from elman.training.run_folder import RunFolder, read_toml


def fill_options(app: App, commands: tuple[str, ...], arguments: ArgumentCollection) -> None:
    """Give options of `elman train TASK` that were not typed their values.

    These come from --settings FILE, from the run that is resumed, or from the task's recipe for what was asked. What
    `check_words` refuses, of any command, is refused there too.
    """
    check_words(arguments)
    if len(commands) == 2 and commands[0] == "train":
        _fill_from_source(app, commands, arguments, commands[1])
        check_words(arguments)


def _fill_from_source(app: App, commands: tuple[str, ...], arguments: ArgumentCollection, task: str) -> None:
    given = {argument.name: [token.value for token in argument.tokens] for argument in arguments if argument.tokens}
    source: Path | None = None
    if "--settings" in given:
        source = Path(given["--settings"][-1])
        table = read_toml(source)
    elif "--resume" in given and "--out" in given:
        folder = RunFolder(Path(given["--out"][-1]))
        if folder.exists() or number_of_processes() == 1:  # of several, all must know that one does not see the run
            source = folder.settings
            stored_task, table = folder.read()
            table["task"] = stored_task
    if source is None:
        by, table = recipes(task)
        choice = given.get(f"--{by}") or default_choice(task)
        if len(choice) == 1 and choice[0] in table:
            source, table = Path(f"the recipe for {choice[0]}"), dict(table[choice[0]])
            if "--minutes" in given:  # which say how long
                table.pop("steps", None)
    if source is not None:
        _fill(app, commands, arguments, task, table, source)


def check_words(arguments: ArgumentCollection) -> None:
    """Refuse words that would be taken for something else than what they say.

    Raises:
        UserError: a path that is an empty word, as of a variable that a shell does not have.
        CoercionError: a fraction where a whole number belongs, which cyclopts would round.
    """
    for argument in arguments:
        kinds = _kinds(argument.hint)
        if Path in kinds and any(not token.value for token in argument.tokens):
            raise UserError(f"{argument.name} is an empty word; give a path")
        for token in argument.tokens if int in kinds and float not in kinds else ():
            if "." in token.value and _is_fraction(token.value):
                raise CoercionError(token=token, argument=argument, target_type=int)


def _kinds(hint: Any) -> set[Any]:
    """What an option takes, inside lists and choices of kinds, too."""
    return {hint}.union(*map(_kinds, get_args(hint)))


def _is_fraction(word: str) -> bool:
    """Whether a word is a number and no whole one, or more than floating point can say: 1.5, not 2.0."""
    try:
        number = float(word)
        return not number.is_integer() or Decimal(word) != number
    except (ValueError, ArithmeticError):
        return False


def _fill(
    app: App, commands: tuple[str, ...], arguments: ArgumentCollection, task: str, table: dict[str, Any], source: Path
) -> None:
    stored_task = table.pop("task", task)
    if stored_task != task:
        raise UserError(
            f"{source} holds settings of the task {stored_task}, not {task}; use: elman train {stored_task}"
        )
    options = {
        name.replace("_", "-"): list(value) if isinstance(value, tuple) else value for name, value in table.items()
    }
    Dict({commands[0]: {commands[1]: options}}, source=str(source))(app, commands, arguments)
