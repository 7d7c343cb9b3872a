"""Tensors with a JSON header as one safetensors file: written whole, never unpickled, damage seen when it is read."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from elman.atomic_io import write_bytes
from elman.data.io.files import check_file, path_kind
from elman.errors import UserError

SUM = "sha256"
"""The key of the checksum in the header."""


def write_tensors(path: Path, tensors: dict[str, Tensor], header: dict[str, Any]) -> None:
    """Write tensors, a JSON header, and a checksum of both into one safetensors file, whole or not at all."""
    owned = {name: tensor.detach().cpu().clone().contiguous() for name, tensor in tensors.items()}
    written = {**header, SUM: checksum(owned, json.dumps(header))}
    data = save(
        owned, metadata={"elman": json.dumps(written)}
    )  # as bytes: a full disk is then an OSError, which names the file
    write_bytes(path, data)


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The tensors and the header of a file that `write_tensors` wrote.

    Raises:
        UserError: the file is missing, damaged, cut short, changed since it was written, or not elman's.
    """
    if path_kind(path) == "nothing":
        raise UserError(f"{path} is missing; the run was not trained far enough to have it, or it was moved")
    check_file(path)
    with naming_damage(path), safe_open(path, framework="pt") as file:
        metadata = file.metadata() or {}
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  (not a dict)
    if "elman" not in metadata:
        raise UserError(f"{path} was not written by elman; put the run's own file in its place")
    with naming_damage(path):
        header = json.loads(metadata["elman"])
    if not isinstance(header, dict) or not isinstance(header.get("step"), int):
        raise UserError(f"{path} is damaged: its header names no step; restore it from a copy or train again")
    found = header.pop(SUM, None)  # none in version 0.1
    if found is not None and found != checksum(tensors, json.dumps(header)):
        raise UserError(f"{path} has changed since it was written: its checksum differs; restore it from a copy")
    return tensors, header


def checksum(tensors: dict[str, Tensor], header: str) -> str:
    """SHA-256 over names, types, shapes and bytes of tensors in order of name, and over the header."""
    found = hashlib.sha256(header.encode())
    for name in sorted(tensors):
        tensor = tensors[name].contiguous()
        found.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        if tensor.numel():
            found.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
    return found.hexdigest()


@contextlib.contextmanager
def naming_damage(path: Path) -> Iterator[None]:
    """Turn what goes wrong inside with a file's contents into one line that names the file."""
    try:
        yield
    except (SafetensorError, OSError, ValueError, RecursionError, TypeError, RuntimeError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0][:160]
        raise UserError(f"{path} is damaged ({reason}); restore it from a copy or train again") from error
