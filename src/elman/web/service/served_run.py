"""A run that is served: its name in addresses, what it takes, and its options as a request may give them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any

from elman.errors import UserError, optional_imports, plain_quotes
from elman.run import Run, load
from elman.web.service.requests.limits import LARGEST_OPTIONS
from elman.web.service.requests.problems import Problem

with optional_imports():
    import msgspec

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_PATHS = frozenset({"data", "vectors", "features", "captions"})
"""Settings that may name files of this computer."""


@dataclass(frozen=True)
class ServedRun:
    """A run and its name in addresses."""

    name: str
    run: Run

    @property
    def takes(self) -> str:
        """What one input is: "texts", "files" or "arrays"."""
        return self.run.task.takes

    @cached_property
    def streams(self) -> str | None:
        """What pieces a stream takes; None where inputs are taken whole."""
        try:
            return self.run.open_stream().takes
        except UserError:
            return None

    def options(self, given: dict[str, Any]) -> Any:
        """The task's `Options` from the object of a request.

        Raises:
            Problem: an option that there is not, or of another type or range.
        """
        task = self.run.task
        if not given:
            return self._defaults
        known = self.option_names
        if unknown := sorted(given.keys() - set(known)):
            choice = ", ".join(known) or "none"
            raise Problem(422, f"there is no option {unknown[0][:60]!r} of a {task.name} run; there are: {choice}")
        for name, most in LARGEST_OPTIONS.items():
            if isinstance(given.get(name), int | float) and given[name] > most:
                raise Problem(422, f"`{name}` is {given[name]}; this server takes at most {most:,}")
        try:
            return msgspec.convert(given, task.options_type, strict=True)
        except msgspec.MsgspecError as error:
            if isinstance(error.__cause__, UserError):
                raise Problem(422, str(error.__cause__)) from error
            raise Problem(422, f"`options`: {plain_quotes(error)[:200]}") from error

    @cached_property
    def _defaults(self) -> Any:
        return self.run.task.options_type()

    @cached_property
    def option_names(self) -> tuple[str, ...]:
        """The options that a request may give."""
        task = self.run.task
        return tuple(field.name for field in fields(task.options_type) if field.name not in task.local_options)

    def describe(self) -> dict[str, Any]:
        """What `GET /v1/runs` says of it."""
        task, header = self.run.task, self.run.header
        return {
            "name": self.name,
            "task": task.name,
            "inputs": task.inputs,
            "takes": task.takes,
            "streams": self.streams,
            "step": header["step"],
            "metrics": {name: value for name, value in header.items() if name != "step"},
            "options": list(self.option_names),
        }

    def settings(self) -> dict[str, Any]:
        """The settings, but for those that name files of this computer."""
        settings = self.run.task.settings
        hidden = {*settings.own_sources(), *_PATHS}
        return {name: value for name, value in asdict(settings).items() if name not in hidden}


def load_runs(given: Iterable[str], device: str = "cpu") -> dict[str, ServedRun]:
    """Runs by the names of their folders, or by NAME where NAME=FOLDER is given.

    Raises:
        UserError: a folder that holds no run, or names files outside itself; a name that no address can have, or that
            two runs have.
    """
    found: dict[str, ServedRun] = {}
    for word in given:
        name, sign, place = word.partition("=")
        folder = Path(place if sign and _NAME.fullmatch(name) else word)
        name = name if sign and _NAME.fullmatch(name) else folder.resolve().name
        if not _NAME.fullmatch(name):
            raise UserError(
                f"{folder} has a name that no address can have; give NAME={folder}, with letters, digits, - and _ alone"
            )
        if name in found:
            raise UserError(f"two runs are called {name}; give one of them another name: NAME={folder}")
        check_inside(folder)
        found[name] = ServedRun(name, load(folder, device=device))
    return found


def check_inside(folder: Path) -> None:
    """Raise a UserError where a file of a run's folder is a link to somewhere else."""
    inside = folder.resolve()
    for path in folder.iterdir() if folder.is_dir() else ():
        if path.is_symlink() and inside not in path.resolve().parents:
            raise UserError(f"{path} is a link to a file outside of the run, which is not served; put the file there")
