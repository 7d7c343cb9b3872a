"""The exception that the user at the other end can mend, and what to say where a package is missing; lines of text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

EXTRAS = {
    "cli": ("cyclopts", "rich"),
    "train": ("accelerate", "msgspec", "tomli_w", "torchmetrics", "requests", "platformdirs"),
    "plots": ("matplotlib", "networkx"),
    "text": ("tokenizers", "sacrebleu", "sklearn", "scipy"),
    "audio": ("soundfile", "soxr"),
    "image": ("PIL", "h5py", "pycocoevalcap"),
    "timeseries": ("pandas", "pyarrow"),
    "excel": ("openpyxl",),
    "export": ("onnx", "onnxscript", "onnxruntime"),
    "tensorboard": ("tensorboard",),
    "hub": ("huggingface_hub",),
    "web": ("starlette", "uvicorn", "httptools", "websockets", "python_multipart", "prometheus_client"),
    "sktime": ("sktime",),
    "aeon": ("aeon",),
}
"""The extras of pyproject.toml, and the packages that each brings, by the names they are imported by."""
EXTRA_OF = {package: extra for extra, packages in EXTRAS.items() for package in packages}

_LONGEST_WORD, _LONGEST_MESSAGE = 300, 2000
_LONG_WORD = re.compile(rf"\S{{{_LONGEST_WORD},}}")


_LINE_BREAK = re.compile("[\n\r\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")


def plain_quotes(error: Exception) -> str:
    """A library's message, whose backticks are no settings of ours."""
    return str(error).replace("`", "'")


def one_line_of(text: str) -> str:
    """The same text with every line break written out, `\\n`: what belongs to one line stays on it."""
    return _LINE_BREAK.sub(lambda found: repr(found[0])[1:-1], text)


class UserError(ValueError):
    """A mistake in what was asked for: the message is one line that says what, where, and what to do.

    Settings stand in it in backticks: "`lr` is -1; it must be above 0". The command line writes them as options,
    prints the line on standard error and exits with code 2; in Python it is a `ValueError`.

    Messages quote what stands in files. Whatever that is, the message is one line: line breaks become spaces, and a
    word of more than 300 characters, or a message of more than 2,000, is shortened in its middle.
    """

    def __str__(self) -> str:
        line = " ".join(super().__str__().splitlines())
        return _shortened(_LONG_WORD.sub(lambda word: _shortened(word[0], _LONGEST_WORD), line), _LONGEST_MESSAGE)


def _shortened(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most * 2 // 3]}...{text[-most // 4 :]}"


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
