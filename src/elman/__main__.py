"""The command `elman`, also as `python -m elman` and `accelerate launch -m elman`."""

from __future__ import annotations

import sys

from elman.errors import MissingPackageError, optional_imports


def main() -> None:
    """Run the command line, or say what is to be installed for it."""
    try:
        with optional_imports():
            from elman.cli.main import main as run
    except MissingPackageError as error:
        print(f"elman: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)
    run()


if __name__ == "__main__":
    main()
