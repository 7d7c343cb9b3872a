"""Downloads of pinned files: several at a time over shared connections, kept only where they hash right."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from elman.atomic_io import write_whole
from elman.data.datasets.registry import Remote
from elman.errors import UserError, optional_imports

if TYPE_CHECKING:
    import requests

Progress = Callable[[int, int], None]
"""Called with (bytes that have come, bytes to come in all), from any thread, one call at a time."""

_CONNECTIONS = 8
_TIMEOUT = (10.0, 60.0)  # seconds to connect, seconds between two bytes
_PIECE = 1 << 16


def download_all(name: str, wanted: Sequence[tuple[Remote, Path]], progress: Progress | None) -> None:
    """Download the files of the dataset `name`, each to its path, whole or not at all.

    Raises:
        UserError: a file cannot be had or written, or its checksum is wrong; the files before it are kept.
    """
    with optional_imports():
        import requests

    meter = _Meter(sum(remote.bytes for remote, _ in wanted), progress)
    others = f" (and likewise {len(wanted) - 1} more)" if len(wanted) > 1 else ""

    def download(remote: Remote, path: Path) -> None:
        try:
            write_whole(path, lambda part: _receive(session, remote, path, part, meter))
        except UserError as error:
            if isinstance(error.__cause__, requests.RequestException):
                raise UserError(f"{name} is not in the cache: {error}{others}") from error
            if isinstance(error.__cause__, OSError):
                raise UserError(f"{error} (ELMAN_DATA in the environment names the cache folder)") from error
            raise

    with requests.Session() as session, ThreadPoolExecutor(_CONNECTIONS) as pool:
        running = [pool.submit(download, remote, path) for remote, path in wanted]
        try:
            for each in running:
                each.result()
        except BaseException:
            meter.stopped = True  # else the pool would wait for every download under way
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _receive(session: requests.Session, remote: Remote, path: Path, part: Path, meter: _Meter) -> None:
    with optional_imports():
        import requests

    sha256 = hashlib.sha256()
    try:
        with session.get(remote.url, stream=True, timeout=_TIMEOUT) as response, open(part, "wb") as file:
            response.raise_for_status()
            for piece in response.iter_content(_PIECE):
                file.write(piece)
                sha256.update(piece)
                meter.add(len(piece))
    except requests.RequestException as error:
        raise UserError(f"{_reason(error)}; put the file from {remote.url} at {path}") from error
    found = sha256.hexdigest()
    if found != remote.sha256:
        raise UserError(
            f"{remote.url} sent a file with SHA-256 {found} where the catalogue has {remote.sha256};"
            f" nothing was kept: try again, or put the right file at {path}"
        )


def _reason(error: Exception) -> str:
    with optional_imports():
        import requests

    if isinstance(error, requests.HTTPError) and error.response is not None:
        return f"the server answered {error.response.status_code} {error.response.reason}".rstrip()
    if isinstance(error, requests.Timeout) or "timed out" in str(error):
        return "the server did not answer in time"
    return "no connection to the server, or it broke"


class _Meter:
    """Adds up the bytes of all downloads under way, and stops them."""

    def __init__(self, total: int, progress: Progress | None):
        self.stopped = False
        self._total = total
        self._done = 0
        self._progress = progress
        self._lock = threading.Lock()

    def add(self, count: int) -> None:
        if self.stopped:
            raise UserError("the download was stopped")
        with self._lock:
            self._done += count
            if self._progress is not None:
                self._progress(self._done, self._total)
