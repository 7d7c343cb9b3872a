"""The exception that the user at the other end can mend, and what to say where a package is missing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

EXTRAS = {
    "cli": ("cyclopts", "rich"),
    "train": ("accelerate", "msgspec", "tomli_w", "torchmetrics", "requests", "platformdirs"),
    "plots": ("matplotlib", "networkx"),
    "text": ("tokenizers", "sacrebleu", "sklearn"),
    "audio": ("soundfile", "soxr"),
    "image": ("PIL", "h5py", "pycocoevalcap"),
    "timeseries": ("pandas", "pyarrow"),
    "export": ("onnx", "onnxscript", "onnxruntime"),
    "tensorboard": ("tensorboard",),
}
"""The extras of pyproject.toml, and the packages that each brings, by the names they are imported by."""
EXTRA_OF = {package: extra for extra, packages in EXTRAS.items() for package in packages}


class UserError(ValueError):
    """A mistake in what was asked for: the message is one line that says what, where, and what to do.

    Settings stand in it in backticks: "`lr` is -1; it must be above 0". The command line writes them as options,
    prints the line on standard error and exits with code 2; in Python it is a `ValueError`.
    """


class MissingPackageError(ImportError, UserError):
    """A package is not installed that an extra of elman brings; the message says how to install it."""


@contextmanager
def optional_imports() -> Iterator[None]:
    """Import packages inside that the base install does not bring.

    Raises:
        MissingPackageError: one of them is not installed.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package not in EXTRA_OF:
            raise
        message = f'this needs {package}; pip install "elman[{EXTRA_OF[package]}]"'
        raise MissingPackageError(message, name=error.name) from error
