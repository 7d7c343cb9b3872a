"""From the catalogue to files on disk: look in the cache, download what lacks, trust what hashes right."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from elman.atomic_io import remove_leftovers
from elman.data.datasets.download import Progress, download_all
from elman.data.datasets.registry import Remote, find
from elman.errors import UserError, optional_imports


def cache_folder() -> Path:
    """Where datasets lie: the folder that ELMAN_DATA names, else the operating system's cache for elman."""
    named = os.environ.get("ELMAN_DATA")
    if named:
        return Path(named).expanduser()
    with optional_imports():
        import platformdirs

    return Path(platformdirs.user_cache_dir("elman", appauthor=False))


def cached(name: str) -> bool:
    """Whether every file of a dataset is in the cache, by name and size (`fetch` checks the sums as well)."""
    dataset = find(name)
    folder = cache_folder() / dataset.folder
    return all(_has_size(folder, remote) for remote in dataset.files)


def fetch(name: str, *, progress: Progress | None = None) -> Path:
    """Make sure that a dataset's files are in the cache, and return the folder that holds them.

    Arguments:
        name: a name of the catalogue.
        progress: told of the bytes as they come; not called where nothing has to be downloaded.

    Raises:
        UserError: no such dataset; a file that cannot be downloaded or written; a wrong checksum.
    """
    dataset = find(name)
    folder = cache_folder() / dataset.folder
    for place in sorted({(folder / remote.file).parent for remote in dataset.files}):
        remove_leftovers(place)  # of downloads that were killed
    missing = [remote for remote in dataset.files if _present(folder, remote) is None]
    if missing:
        download_all(name, [(remote, folder / remote.file) for remote in missing], progress)
    return folder


def _present(folder: Path, remote: Remote) -> Path | None:
    """The file, or its stand-in, where one lies in the cache and hashes right."""
    for candidate in _candidates(remote):
        path = folder / candidate.file
        if not path.is_file():
            continue
        found = _sha256(path)
        if found != candidate.sha256:
            raise UserError(
                f"{path} has SHA-256 {found} where the catalogue has {candidate.sha256}:"
                " it is damaged or another file; delete it and it will be downloaded again"
            )
        return path
    return None


def _has_size(folder: Path, remote: Remote) -> bool:
    paths = ((folder / candidate.file, candidate.bytes) for candidate in _candidates(remote))
    return any(path.is_file() and size in (0, path.stat().st_size) for path, size in paths)


def _candidates(remote: Remote) -> tuple[Remote, ...]:
    return (remote, remote.stand_in) if remote.stand_in else (remote,)


def _sha256(path: Path) -> str:
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}; check its permissions") from error
