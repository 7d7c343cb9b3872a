"""The command `elman`, also as `python -m elman` and `accelerate launch -m elman`."""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType

from elman.errors import MissingPackageError, optional_imports


def main() -> None:
    """Run the command line, or say what is to be installed for it."""
    before = signal.getsignal(signal.SIGINT)
    if before is signal.default_int_handler:  # while modules load, an exception could come out anywhere
        signal.signal(signal.SIGINT, _stop)
    try:
        with optional_imports():
            from elman.cli.main import main as run
    except MissingPackageError as error:
        print(f"elman: {error}", file=sys.stderr)
        sys.exit(2)
    if before is signal.default_int_handler:
        signal.signal(signal.SIGINT, before)
    run()


def _stop(number: int, frame: FrameType | None) -> None:
    """End at once, in a word: nothing has begun yet."""
    os.write(2, b"elman: stopped\n")
    os._exit(128 + number)


if __name__ == "__main__":
    main()
