"""The command line: `elman train | evaluate | sample | predict | inspect | compare | data | info`."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Sequence

from cyclopts import App, CycloptsError

import elman
from elman.cli.messages import as_options, one_line, say, show_notes, survive_any_encoding
from elman.cli.progress import TerminalDisplay
from elman.cli.suggestions import advice
from elman.errors import UserError
from elman.training.progress import use_display

USER_MISTAKE = 2
INSPECTIONS = {
    "unroll": "The network unrolled over one input, forward and backward, or its computational graph.",
    "flow": "How far the gradient reaches, what in the recurrence makes it so, and what to try.",
    "units": "What each hidden unit does on a text.",
    "states": "Trajectories of the state, and its fixed and slow points.",
}


def build_app() -> App:
    """The commands, each imported when it is called."""
    from elman.cli.settings_file import fill_options
    from elman.tasks import task_names, task_summary

    app = App(
        name="elman",
        help="Recurrent networks: train them on sequences, look inside, and use them.",
        version=elman.__version__,
        config=fill_options,
    )
    train = App(name="train", help="Train a model, one command a task. Example: elman train parity --out runs/parity")
    for name in task_names():
        train.command(f"elman.cli.train:{name}", name=name, help=task_summary(name))
    app.command(train)
    app.command("elman.cli.running:evaluate", name="evaluate", help="Measure a run on its held-out data.")
    app.command("elman.cli.predict:predict", name="predict", help="Put questions to a trained run.", help_flags=())
    app.command("elman.cli.running:sample", name="sample", help="Let a trained language model write.")
    inspect = App(name="inspect", help="See inside a run. Example: elman inspect flow runs/parity")
    for name, summary in INSPECTIONS.items():
        inspect.command(f"elman.cli.inspect.{name}:{name}", name=name, help=summary)
    app.command(inspect)
    app.command("elman.cli.compare:compare", name="compare", help="Compare remedies for vanishing gradients.")
    app.command("elman.cli.features:features", name="features", help="Turn pictures into features for captioning.")
    app.command("elman.cli.data:data_app", name="data", help="Public datasets: list them, download them.")
    app.command("elman.cli.info:info", name="info", help="Versions, threads, and which backend runs the recurrence.")
    return app


def main(arguments: Sequence[str] | None = None) -> None:
    """The `elman` command."""
    run_app(build_app(), arguments)


def run_app(app: App, arguments: Sequence[str] | None) -> None:
    """Run a command and exit: 0 well, 2 for a mistake of the user's (one line on standard error), 130 for Ctrl-C.

    `--debug` anywhere shows the traceback instead of the line.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in words
    words = [word for word in words if word != "--debug"]
    app.suppress_keyboard_interrupt = False  # it would exit without a word
    survive_any_encoding()
    show_notes()
    use_display(TerminalDisplay())
    try:
        app(words, exit_on_error=False, print_error=False, result_action="return_value")
        sys.stdout.flush()  # a full disk shows itself here at the latest
    except CycloptsError as error:
        if debug:
            raise
        fail(advice(error, app, words))
    except UserError as error:
        if debug:
            raise
        fail(one_line(error))
    except BrokenPipeError:
        sys.stderr.close()  # the reader has gone; say nothing more
        sys.exit(1)
    except KeyboardInterrupt:
        say("stopped")
        sys.exit(130)
    except OSError as error:
        if debug or error.errno != errno.ENOSPC:
            raise
        _drop_output()
        fail("the output cannot be written: no space is left on its device")
    except Exception as error:
        from elman.training.signals import Interrupted

        if not isinstance(error, Interrupted) or debug:
            raise
        say(as_options(str(error)))
        sys.exit(error.code)


def fail(message: str) -> None:
    """Say what is wrong and exit."""
    say(message)
    sys.exit(USER_MISTAKE)


def _drop_output() -> None:
    """Let Python end without trying once more to write what could not be written."""
    sys.stdout = open(os.devnull, "w")  # noqa: SIM115  (for the rest of the process)
