"""Files that gzip or zstd has packed: told by their names, read as if they were not packed.

zstd is read by pyarrow (the extra `timeseries`): frames one after the other, checksums where a file has them.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from elman.errors import UserError, optional_imports

PACKED = {".gz": "gzip", ".zst": "zstd"}
"""What has packed a file, by the ending of its name."""


def packed_by(path: Path) -> str:
    """What has packed a file, by its name: "gzip", "zstd", or nothing."""
    return PACKED.get(path.suffix.lower(), "")


def unpacked_name(name: str) -> str:
    """The name of the file that a packed one holds; any other name as it is."""
    ending = next((ending for ending in PACKED if name.lower().endswith(ending)), "")
    return name[: len(name) - len(ending)]


@contextmanager
def unpacking(path: Path) -> Iterator[IO[bytes]]:
    """A file to be read in pieces, unpacked where its name says that it is packed.

    Raises:
        UserError: it cannot be read, or is damaged: cut off, too, which shows at its end; zstd, and pyarrow is missing.
    """
    packer = packed_by(path)
    try:
        with _opened(path, packer) as file:
            yield file
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise _damaged(path, error) from error
    except OSError as error:
        if packer == "zstd" and error.errno is None:  # pyarrow's own
            raise _damaged(path, error) from error
        reason = (error.strerror or str(error)).lower()
        raise UserError(f"cannot read {path}: {reason}; check its permissions") from error


def _damaged(path: Path, error: Exception) -> UserError:
    return UserError(f"{path} is damaged ({error}); get a whole copy")


def _opened(path: Path, packer: str) -> Any:
    if packer == "gzip":
        return gzip.open(path)
    if packer == "zstd":
        with optional_imports():
            import pyarrow as pa

        return pa.input_stream(str(path), compression="zstd")
    return open(path, "rb", buffering=0)
