"""What an exported file says of itself, and how damage is seen.

The metadata of the ONNX model, all texts: the task, its settings and what it keeps (vocabulary, classes, scales) as the
files of a run, and a SHA-256 of the whole file in which that sum itself stands as zeros.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from elman.data.io.files import path_kind, read_bytes
from elman.errors import UserError

FORMAT = "1"
"""Of the metadata; a later one says that this version cannot read it."""
SUFFIX = ".onnx"
PREFIX = "elman."
SUM = f"{PREFIX}sha256"
ZEROS = "0" * 64
_MARK = SUM.encode()
_BEFORE = len(_MARK) + 2
"""From where the key begins to where its value does: a protobuf string has a tag and its length before it."""


@dataclass(frozen=True)
class Facts:
    """What a file says of itself.

    Attributes:
        task: its name.
        network: the class of the network.
        settings: the run's.
        header: the step of the weights, and the metrics on the validation part.
        files: what the task keeps, by the name of the file in a run.
        precision: of the weights.
        measured: the run's metric of the run and of the file, where the precision is below float32.
        extra: what the network needs to be asked that is neither in its graph nor in the settings.
    """

    task: str
    network: str
    settings: dict[str, Any]
    header: dict[str, Any]
    files: dict[str, str]
    precision: str
    measured: dict[str, float]
    extra: dict[str, Any]

    def metadata(self, version: str) -> dict[str, str]:
        """As ONNX keeps it, with zeros for the sum."""
        found = {"format": FORMAT, "version": version, "task": self.task, "network": self.network}
        found |= {"precision": self.precision}
        for name in ("settings", "header", "measured", "extra"):
            found[name] = json.dumps(getattr(self, name), ensure_ascii=False)
        found |= {f"file.{name}": text for name, text in self.files.items()}
        return {f"{PREFIX}{name}": text for name, text in found.items()} | {SUM: ZEROS}

    @classmethod
    def read(cls, metadata: dict[str, str], path: Path) -> Facts:
        """The facts in a file's metadata.

        Raises:
            UserError: a later version's, or not such as this version writes.
        """
        own = {name.removeprefix(PREFIX): text for name, text in metadata.items() if name.startswith(PREFIX)}
        if own.get("format") != FORMAT:
            raise UserError(
                f"{path} was exported by elman {own.get('version', '?')[:20]}, not by this version; export"
                " its run again"
            )
        begin = "file."
        files = {name.removeprefix(begin): text for name, text in own.items() if name.startswith(begin)}
        if wrong := [name for name in files if Path(name).name != name or not name.endswith(".json")]:
            raise UserError(f"{path} is damaged: it keeps a file {wrong[0]!r}; export its run again")
        try:
            parts = {name: json.loads(own[name]) for name in ("settings", "header", "measured", "extra")}
            if not all(isinstance(part, dict) for part in parts.values()) or not isinstance(
                parts["header"].get("step"), int
            ):
                raise ValueError("not a table")
            return cls(task=own["task"], network=own["network"], files=files, precision=own["precision"], **parts)
        except (KeyError, ValueError, RecursionError) as error:
            raise UserError(f"{path} is damaged: its metadata cannot be read; export its run again") from error


def stamped(data: bytes) -> bytes:
    """A serialised model with the sum in the place of its zeros."""
    at = _sum_place(data)
    assert at is not None
    return data[:at] + hashlib.sha256(data).hexdigest().encode() + data[at + len(ZEROS) :]


def is_export(path: Path) -> bool:
    """Whether a path names an exported file rather than a run's folder: by its ending."""
    return path.suffix.lower() == SUFFIX and path_kind(path) != "folder"


def read_checked(path: Path) -> bytes:
    """The bytes of a file that elman exported.

    Raises:
        UserError: there is none, another program wrote it, or it has changed since it was written.
    """
    if path_kind(path) == "nothing":
        raise UserError(f"there is no file {path}; export a run into it first: `to=onnx` `out={path}`")
    data = read_bytes(path)
    at = _sum_place(data)
    if at is None:
        raise UserError(f"{path} was not exported by elman, or has lost its end; give a file that elman export wrote")
    zeroed = data[:at] + ZEROS.encode() + data[at + len(ZEROS) :]
    if hashlib.sha256(zeroed).hexdigest().encode() != data[at : at + len(ZEROS)]:
        raise UserError(f"{path} has changed since it was exported: its checksum differs; export its run again")
    return data


def _sum_place(data: bytes) -> int | None:
    """Where the sum's value begins: the last place of its key, for metadata stand at a file's end."""
    at = data.rfind(_MARK)
    return at + _BEFORE if at >= 0 and at + _BEFORE + len(ZEROS) <= len(data) else None
