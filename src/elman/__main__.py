"""The command `elman`, also as `python -m elman` and `torchrun -m elman`."""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType

SPINS = "20000"
"""Turns that a waiting thread of torch's takes before it sleeps, some 50 microseconds; libgomp's own are 300,000."""


def main() -> None:
    """Run the command line, or say what is to be installed for it."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _stop)  # first of all
    let_waiting_threads_sleep()
    from elman.errors import MissingPackageError, optional_imports

    try:
        with optional_imports():
            from elman.cli.main import main as run
    except MissingPackageError as error:
        print(f"elman: {error}", file=sys.stderr)
        sys.exit(2)
    run()


def let_waiting_threads_sleep() -> None:
    """Have torch's threads sleep soon where they wait, unless the environment says otherwise: others use the processor.

    It is read when torch is imported, and only by libgomp, which torch has on Linux.
    """
    if not {"OMP_WAIT_POLICY", "GOMP_SPINCOUNT"} & os.environ.keys():
        os.environ["GOMP_SPINCOUNT"] = SPINS


def _stop(number: int, frame: FrameType | None) -> None:
    """Raise KeyboardInterrupt, but inside an import end at once: some packages take it for an error of their own."""
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            os.write(2, b"elman: stopped\n")
            os._exit(128 + number)
        frame = frame.f_back
    raise KeyboardInterrupt


if __name__ == "__main__":
    main()
