"""The run folder: all there is to a run, in files that a person can read."""

from __future__ import annotations

import os
import tomllib
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, TypeVar

from elman.atomic_io import naming_the_file, write_text
from elman.data.io.files import check_file, is_file, path_kind, read_bytes
from elman.data.io.text import decode_utf8
from elman.errors import UserError, optional_imports, plain_quotes
from elman.training.compatibility import current_settings
from elman.training.run_lock import was_begun
from elman.training.settings import TrainingSettings

S = TypeVar("S", bound=TrainingSettings)

LARGEST_SETTINGS = 1 << 20
"""Bytes of a settings file, at most."""
MAY_CHANGE = frozenset(
    {"log_every", "checkpoint_every", "device", "threads", "watch", "tensorboard", "minutes", "tune"}
)
"""Settings that do not decide what the weights become (but for rounding), or have decided it when the run began, so
that a resumed run may change them."""


class RunFolder:
    """Paths and settings of one run.

    `settings.toml` (everything that was asked for, in TOML), `model.safetensors` (best weights),
    `last.safetensors` (the checkpoint to resume from), `metrics.csv`, and what the task adds: vocabulary, plots.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.settings = path / "settings.toml"
        self.weights = path / "model.safetensors"
        self.checkpoint = path / "last.safetensors"
        self.metrics = path / "metrics.csv"

    def inner(self, name: str) -> Path:
        """A folder inside the run's to write into.

        Raises:
            UserError: it is a link, through which files would land elsewhere.
        """
        path = self.path / name
        if path.is_symlink():
            raise UserError(f"{path} is a link to {path.readlink()}; remove it, or name that folder itself as `out`")
        return path

    def exists(self) -> bool:
        """Whether a run is here: its settings are."""
        return is_file(self.settings)

    def has_checkpoint(self) -> bool:
        """Whether there is a state to go on from; False in a run that was stopped before its first checkpoint.

        Raises:
            UserError: it is no regular file, or it is missing though the run went further.
        """
        if path_kind(self.checkpoint) != "nothing":
            check_file(self.checkpoint)
            return True
        if self.weights.exists():
            raise UserError(
                f"{self.checkpoint} is missing, though {self.weights.name} beside it shows that the run had begun;"
                f" restore it from a copy, or remove {self.weights.name} to begin again at step 0"
            )
        return False

    def check_free(self) -> None:
        """Raise a UserError unless a new run may move into the folder."""
        if self.exists() and not (self.weights.exists() or self.checkpoint.exists()):
            return  # a training that stopped before it saved anything: nothing is lost with it
        if self.exists():
            raise UserError(f"{self.path} holds a run already; add `resume` to go on with it, or choose another `out`")
        if self.path.exists() and not self.path.is_dir():
            raise UserError(f"{self.path} is a file; choose a folder for `out`")
        if self.path.is_dir() and any(self.path.iterdir()) and not was_begun(self.path):
            raise UserError(f"{self.path} is not empty and holds no run; choose another `out`")

    def write_settings(self, task: str, settings: TrainingSettings) -> None:
        """Write everything that was asked for, so that the run can be understood and repeated.

        Raises:
            UserError: the folder cannot be written to.
        """
        with optional_imports():
            import tomli_w

        table = {"task": task} | {name: value for name, value in located(settings).items() if value is not None}
        write_text(self.settings, tomli_w.dumps(table, multiline_strings=False))

    def clear_begun(self) -> None:
        """Take away the settings of a training that saved nothing, so that no other training's files join them."""
        with naming_the_file(self.settings):
            self.settings.unlink(missing_ok=True)
            self.metrics.unlink(missing_ok=True)

    def read(self) -> tuple[str, dict[str, Any]]:
        """The task's name and the settings as they stand in the file, lists as tuples.

        Raises:
            UserError: no run here, or the file is damaged.
        """
        if not self.exists():
            raise UserError(f"{self.path} holds no run (no settings.toml in it); train one into it first")
        table = read_toml(self.settings)
        task = table.pop("task", None)
        if not isinstance(task, str):
            raise UserError(f"{self.settings} does not name its task; it is not the settings of a run")
        return task, {name: tuple(value) if isinstance(value, list) else value for name, value in table.items()}

    def check_same(self, asked: S) -> None:
        """Raise a UserError that names the first setting in which `asked` differs from the run's own.

        More steps may be asked for: the run goes on, on the schedule that so many steps have.
        """
        _, table = self.read()
        stored, wanted = located(settings_from(type(asked), table, self.settings)), located(asked)
        for field in fields(asked):
            if field.name in MAY_CHANGE | asked.to_be_found():
                continue
            value = wanted[field.name]
            if field.name == "steps" and value > stored["steps"]:
                continue
            if value != stored[field.name]:
                raise UserError(
                    f"{self.path} was trained with `{field.name}={stored[field.name]}`, not {value}; "
                    "resume without that option, or train into another folder"
                )


def located(settings: TrainingSettings) -> dict[str, Any]:
    """Settings as a dictionary, the user's own files by absolute paths: a run may be used from any folder."""
    table = asdict(settings)
    for name in settings.own_sources():
        value = table[name]
        if isinstance(value, tuple):
            table[name] = tuple(map(_absolute, value))
        elif value:
            table[name] = _absolute(value)
    return table


def _absolute(path: str) -> str:
    return os.path.abspath(os.path.expanduser(path))


def read_toml(path: Path) -> dict[str, Any]:
    """A settings file as a dictionary, by today's names.

    Raises:
        UserError: names the file and what is wrong with it.
    """
    if path_kind(path) == "nothing":
        raise UserError(f"{path} does not exist; name a TOML file of settings, such as a run's settings.toml")
    text = decode_utf8(read_bytes(path, LARGEST_SETTINGS), path)
    try:
        table = tomllib.loads(text)
        _check_numbers(table)
        return current_settings(table)
    except (tomllib.TOMLDecodeError, RecursionError, ValueError) as error:  # ValueError: a number of 5,000 digits
        reason = str(error)[:120] or type(error).__name__
        raise UserError(f"{path} is not valid TOML: {reason}; restore it from a copy") from error


def _check_numbers(value: Any) -> None:
    """Raise a ValueError where a whole number, as one of 5,000 hexadecimal digits, has more than 64 bits."""
    if isinstance(value, int) and not -(1 << 63) <= value < 1 << 64:
        raise ValueError(f"a whole number of {value.bit_length():,} bits")
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for one in inner:
        _check_numbers(one)


def settings_from(kind: type[S], table: dict[str, Any], source: Path) -> S:
    """Settings as they stand in a file, each of its type, checked again.

    Raises:
        UserError: a setting that this version does not know, or of another type or range.
    """
    with optional_imports():
        import msgspec

    known = {field.name for field in fields(kind)}
    if unknown := sorted(table.keys() - known):
        raise UserError(
            f"{source} has the setting {unknown[0]!r}, which this version of elman does not know; remove it"
        )
    try:
        return msgspec.convert(table, kind, strict=True)
    except UserError as error:
        raise UserError(f"{source}: {error}") from error
    except (msgspec.MsgspecError, RecursionError) as error:
        if isinstance(error.__cause__, UserError):  # of the settings themselves, which msgspec wraps
            raise UserError(f"{source}: {error.__cause__}") from error
        raise UserError(f"{source} is damaged: {plain_quotes(error)[:160]}; restore it from a copy") from error
