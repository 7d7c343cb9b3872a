"""The body of a request: bounded in size and time, read as JSON or as files, and checked by schema."""

from __future__ import annotations

import asyncio
import contextlib
import re
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException
from starlette.requests import Request

from elman.errors import optional_imports, plain_quotes
from elman.web.service.requests.limits import Limits
from elman.web.service.requests.problems import Problem

with optional_imports():
    import msgspec

JSON, FORM = "application/json", "multipart/form-data"
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")
_PIECE = 1 << 18


class PredictBody(msgspec.Struct, forbid_unknown_fields=True):
    """The JSON of a request for predictions."""

    inputs: list[Any]
    options: dict[str, Any] = {}


class StreamBody(msgspec.Struct, forbid_unknown_fields=True):
    """The JSON of a request for a stream."""

    input: Any
    options: dict[str, Any] = {}


class PieceBody(msgspec.Struct, forbid_unknown_fields=True):
    """One message of a WebSocket: the options at first, then pieces, and the end."""

    options: dict[str, Any] | None = None
    rate: int | None = None
    piece: Any = None
    finish: bool = False


@dataclass
class Asked:
    """What a request asks.

    Attributes:
        inputs: values of JSON, or the paths of uploaded files.
        options: as they were given.
        folder: where the files lie while the request lasts; None without files.
    """

    inputs: list[Any]
    options: dict[str, Any] = field(default_factory=dict)
    folder: Path | None = None

    def named(self, text: str) -> str:
        """A text with the files as the user called them, not where they lie."""
        return text if self.folder is None else re.sub(re.escape(f"{self.folder}/") + r"\d+/", "", text)


@contextlib.asynccontextmanager
async def asked(request: Request, limits: Limits, kind: type[Any] = PredictBody) -> AsyncIterator[Asked]:
    """What a request asks, as JSON or with files, which are gone afterwards.

    Raises:
        Problem: 400 no such body, 408 too slow, 413 too large, 415 of another type.
    """
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise Problem(415, "the body is packed; send it as it is", closes=True)
    if media == JSON:
        body = read_json(await _read(request, limits.body_bytes, limits), kind)
        inputs = body.inputs if isinstance(body, PredictBody) else [body.input]
        check_inputs(inputs, limits)
        yield Asked(inputs, body.options)
    elif media == FORM:
        with tempfile.TemporaryDirectory(prefix="elman-") as folder:
            yield await _form(request, limits, Path(folder))
    else:
        raise Problem(415, f"the body is {media[:60] or 'of no type'!r}; send {JSON} or {FORM}", closes=True)


async def json_body(request: Request, limits: Limits, kind: type[Any]) -> Any:
    """The object of a body that is JSON; raises as `asked`."""
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media != JSON:
        raise Problem(415, f"the body is {media[:60] or 'of no type'!r}; send {JSON}", closes=True)
    return read_json(await _read(request, limits.body_bytes, limits), kind)


def check_inputs(inputs: list[Any], limits: Limits) -> None:
    """Raise a Problem where there are none, or too many."""
    if not inputs:
        raise Problem(422, "`inputs` is empty; give at least one")
    if len(inputs) > limits.inputs:
        raise Problem(422, f"there are {len(inputs)} inputs, and at most {limits.inputs} are taken at once")


def read_json(raw: bytes, kind: type[Any]) -> Any:
    """The object of a body.

    Raises:
        Problem: 400 no JSON, 422 another form.
    """
    try:
        return msgspec.json.decode(raw, type=kind)
    except msgspec.ValidationError as error:
        raise Problem(422, f"the body is of another form: {plain_quotes(error)[:200]}") from error
    except (msgspec.DecodeError, UnicodeError, RecursionError, OverflowError, ValueError) as error:
        raise Problem(400, f"the body is no JSON: {plain_quotes(error)[:200]}") from error


def _check_length(request: Request, most: int) -> None:
    length = request.headers.get("content-length", "")
    if length.isdecimal() and int(length[:20]) > most:
        raise _too_large(most)


def _too_large(most: int) -> Problem:
    return Problem(413, f"the body has more than {most:,} bytes; send less at once", closes=True)


def _too_slow(limits: Limits) -> Problem:
    return Problem(408, f"the body did not come within {limits.body_seconds:g} s; send it again", closes=True)


async def _read(request: Request, most: int, limits: Limits) -> bytes:
    _check_length(request, most)
    pieces, size = [], 0
    try:
        async with asyncio.timeout(limits.body_seconds):
            async for piece in request.stream():
                size += len(piece)
                if size > most:
                    raise _too_large(most)
                pieces.append(piece)
    except TimeoutError as error:
        raise _too_slow(limits) from error
    return b"".join(pieces)


async def _form(request: Request, limits: Limits, folder: Path) -> Asked:
    _check_length(request, limits.upload_bytes)
    receive, size = request.receive, 0

    async def counted() -> Any:
        nonlocal size
        message = await receive()
        size += len(message.get("body", b""))
        if size > limits.upload_bytes:
            raise _too_large(limits.upload_bytes)
        return message

    request._receive = counted
    try:
        async with asyncio.timeout(limits.body_seconds):
            form = await request.form(max_files=limits.inputs, max_fields=4, max_part_size=limits.body_bytes)
    except TimeoutError as error:
        raise _too_slow(limits) from error
    except (MultiPartException, HTTPException) as error:
        detail = getattr(error, "detail", None) or str(error)
        raise Problem(400, f"the form cannot be read: {plain_quotes(Exception(detail))[:200]}", closes=True) from error
    try:
        return await _saved(form, limits, folder)
    finally:
        await form.close()


async def _saved(form: Any, limits: Limits, folder: Path) -> Asked:
    files: list[Any] = []
    options: dict[str, Any] = {}
    for name, value in form.multi_items():
        if isinstance(value, UploadFile) and name in ("file", "files"):
            path = folder / str(len(files)) / safe_name(value.filename or "")
            path.parent.mkdir()
            with path.open("wb") as file:
                while piece := await value.read(_PIECE):
                    file.write(piece)
            files.append(str(path))
        elif name == "options" and isinstance(value, str):
            options = read_json(value.encode("utf-8", "surrogatepass"), dict[str, Any])
        else:
            raise Problem(422, f"the form has {name[:60]!r}; give files as `files`, and `options` as JSON")
    check_inputs(files, limits)
    return Asked(files, options, folder)


def safe_name(given: str) -> str:
    """The last part of a file's name, in letters that no path can be made of."""
    name = _UNSAFE.sub("_", given.replace("\\", "/").rpartition("/")[2])[-100:].lstrip(".-")
    return name or "file"
