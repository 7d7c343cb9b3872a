"""The command line: `elman describe | train | evaluate | predict | serve | export | push | inspect | lecture | ...`."""

from __future__ import annotations

import errno
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from cyclopts import App, CycloptsError

import elman
from elman import cli
from elman.cli.hub.addresses import with_local_runs
from elman.cli.messages import as_options, drop_output, one_line, ready_streams, say, shell_words, show_notes
from elman.cli.progress import TerminalDisplay
from elman.cli.suggestions import advice, lone_hyphen
from elman.cli.terminal.help_text import command_help, recipes_help
from elman.errors import UserError
from elman.training.distributed.launcher import ProcessError, first_of_machine, let_the_first_speak, number_of_processes
from elman.training.progress import use_display

USER_MISTAKE = 2
COMMANDS = (
    ("describe", "elman.cli.description.command:describe", "Say what data are, and how to train on them."),
    ("evaluate", "elman.cli.running:evaluate", "Measure a run on its held-out data."),
    ("predict", "elman.cli.predict:predict", "Put questions to a trained run."),
    ("sample", "elman.cli.running:sample", "Let a trained language model write."),
    ("push", "elman.cli.hub.push:push", "Send a run to a hub, with a card made from it."),
    ("serve", "elman.cli.pages.serve:serve", "Serve trained runs over HTTP."),
    ("compare", "elman.cli.compare:compare", "Compare remedies for vanishing gradients."),
    ("export", "elman.cli.export:export", "Take a run elsewhere: to ONNX, or to C."),
    ("features", "elman.cli.features:features", "Turn pictures into features for captioning."),
    ("lecture", "elman.cli.pages.lecture:lecture", "The lecture on recurrent networks, live in a browser."),
    ("info", "elman.cli.info:info", "Versions, threads, and which backend runs the recurrence."),
)
"""Commands beside `train`, `inspect` and `data`: name, function, and what it is for."""
INSPECTIONS = {
    "unroll": "The network unrolled over one input, forward and backward, or its computational graph.",
    "flow": "How far the gradient reaches, what in the recurrence makes it so, and what to try.",
    "units": "What each hidden unit does on a text.",
    "states": "Trajectories of the state, and its fixed and slow points.",
}
EXAMPLE = "Example: elman train parity --out runs/parity, then elman predict runs/parity 1000010101"
HELP_FLAGS = {"--help", "-h"}
UNWRITABLE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF}
"""What the operating system answers where standard output takes no more."""


def build_app(*, helping: bool = True, first_page: bool = False) -> App:
    """The commands, each imported when it is called.

    Arguments:
        helping: whether a command's help may be asked for; what stands at its end is read from files.
        first_page: no command is called: no task is looked for, nothing is filled in from a file, and the few lines
            need no Markdown, whose reader takes a sixth of the time.
    """
    fill: Any = None
    if not first_page:
        from elman.cli.settings_file import fill_options as fill
    app = App(
        name="elman",
        help="Recurrent networks: train them on sequences, look inside, and use them.",
        help_epilogue=EXAMPLE,
        version=elman.__version__,
        config=fill,
        help_format="plaintext" if first_page else None,
    )
    train = App(
        name="train",
        help="Train a model, one command a task.",
        help_epilogue="Example: elman train parity --out runs/parity",
    )
    if not first_page:
        _add_tasks(train, helping=helping)
    app.command(train)
    for name, place, summary in COMMANDS:
        flags = () if name == "predict" else ("--help", "-h")  # predict's help depends on the run
        app.command(place, name=name, help=summary, help_flags=flags, help_epilogue=_example(place) if helping else "")
    inspect = App(name="inspect", help="See inside a run.", help_epilogue="Example: elman inspect flow runs/parity")
    for name, summary in INSPECTIONS.items():
        place = f"elman.cli.inspect.{name}:{name}"
        inspect.command(place, name=name, help=summary, help_epilogue=_example(place) if helping else "")
    app.command(inspect)
    app.command("elman.cli.data:data_app", name="data", help="Public datasets: list them, download them.")
    return app


def _add_tasks(train: App, *, helping: bool) -> None:
    from elman.tasks import task_names, task_summary

    for name in task_names():
        text, example = command_help(task_summary(name))
        epilogue = "\n\n".join(filter(None, [recipes_help(name) if helping else "", example]))
        train.command(f"elman.cli.train:{name}", name=name, help=text, help_epilogue=epilogue)


def _example(place: str) -> str:
    from elman.cli.terminal.help_text import docstring

    return command_help(docstring(place))[1]


def main(arguments: Sequence[str] | None = None) -> None:
    """The `elman` command."""
    words = sys.argv[1:] if arguments is None else arguments
    if arguments is not None:
        cli.started = time.perf_counter()  # in a process that has run for long
    first = all(word.startswith("-") for word in words)
    run_app(lambda: build_app(helping=asks_for_help(words) and not first, first_page=first), words)


def asks_for_help(words: Sequence[str]) -> bool:
    """Whether the words may end in a page of help."""
    return bool(HELP_FLAGS.intersection(words)) or len(words) < 2


def run_app(build: Callable[[], App], arguments: Sequence[str]) -> None:
    """Run a command and exit: 0 well, 2 for a mistake of the user's (one line on standard error), 130 for Ctrl-C.

    `--debug` anywhere shows the traceback instead of the line.
    """
    debug = "--debug" in arguments
    words = [word for word in arguments if word != "--debug"]
    ready_streams()
    try:
        show_notes()
        use_display(TerminalDisplay())
        _run(build, words, debug=debug)
        sys.stdout.flush()  # a full disk shows itself here at the latest
    except BrokenPipeError:
        drop_output()  # the reader has gone; say nothing more
        sys.exit(1)
    except KeyboardInterrupt:
        if first_of_machine():
            say("stopped")
        sys.exit(130)
    except OSError as error:
        if debug or not (error.filename or error.errno in UNWRITABLE):
            raise
        fail(_system_error(error))
    except Exception as error:
        from elman.training.signals import Interrupted

        if not isinstance(error, Interrupted) or debug:
            raise
        if first_of_machine():
            say(_to_go_on(words, error.step, error.folder) or as_options(str(error)))
        else:
            let_the_first_speak()
        sys.exit(error.code)


def _to_go_on(words: Sequence[str], step: int, folder: Path | None) -> str:
    """Where a training that was stopped is saved, and the command that goes on with it, of the words that were typed.

    "" where that is another: of several processes, or of a command that is no training.
    """
    if folder is None or list(words[:1]) != ["train"] or number_of_processes() > 1:
        return ""
    out = [] if any(word.partition("=")[0] == "--out" for word in words) else ["--out", str(folder)]
    resume = [] if "--resume" in words else ["--resume"]
    command = shell_words(["elman", *words, *out, *resume])
    return f"stopped at step {step}, saved in {folder}; go on with: {command}"


def run_first(words: list[str]) -> list[str]:
    """`evaluate --data A B RUN` with the run before its options: what follows `--data` are all data else."""
    if words[:1] != ["evaluate"] or len(words) < 3 or not words[1].startswith("-"):
        return words
    from elman.export.at_path import holds_run

    runs = [place for place, word in enumerate(words) if place and holds_run(Path(word))]
    if len(runs) != 1:
        return words
    return [words[0], words[runs[0]], *words[1 : runs[0]], *words[runs[0] + 1 :]]


def _run(build: Callable[[], App], words: list[str], *, debug: bool) -> None:
    app = build()
    app.suppress_keyboard_interrupt = False  # it would exit without a word
    if asks_for_help(words):
        from elman.cli.terminal.console import help_console

        app.console = help_console()
    try:
        if wrong := lone_hyphen(app, words):
            raise UserError(wrong)
        words = run_first(with_local_runs(words))
        app(words, exit_on_error=False, print_error=False, result_action="return_value")
    except CycloptsError as error:
        if debug:
            raise
        fail(advice(error, app, words), spoken=first_of_machine())
    except UserError as error:
        if debug:
            raise
        fail(one_line(error), spoken=first_of_machine() or isinstance(error, ProcessError))


def _system_error(error: OSError) -> str:
    """What the operating system refused: a file that is named, or what was written to standard output."""
    reason = (error.strerror or str(error)).lower()
    if error.filename is None:
        drop_output()
        return f"the output cannot be written: {reason}"
    return f"cannot use {error.filename}: {reason}; check the path and its permissions"


def fail(message: str, *, spoken: bool = True) -> None:
    """Say what is wrong and exit.

    Arguments:
        spoken: of several processes on a machine one alone says what all of them meet.
    """
    if spoken:
        say(message)
    else:
        let_the_first_speak()
    sys.exit(USER_MISTAKE)
