"""The command `elman`, also as `python -m elman` and `torchrun -m elman`."""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType


def main() -> None:
    """Run the command line, or say what is to be installed for it."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _stop)  # first of all
    from elman.errors import MissingPackageError, optional_imports

    try:
        with optional_imports():
            from elman.cli.main import main as run
    except MissingPackageError as error:
        print(f"elman: {error}", file=sys.stderr)
        sys.exit(2)
    run()


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
