"""What goes wrong with a request, as RFC 9457 writes it: status, and one line that says what and what to do."""

from __future__ import annotations

import asyncio
import contextlib
from http import HTTPStatus
from typing import Any

from starlette.requests import HTTPConnection
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from elman.web.service.requests.encoding import encode_json

CONTENT_TYPE = "application/problem+json"
LINGER_SECONDS = 1.0
"""How long what still comes of a refused body is read and dropped."""
LINGER_BYTES = 1 << 26
"""And how much of it."""


class Problem(Exception):  # noqa: N818  (the RFC's word)
    """A request that is not answered.

    Arguments:
        status: of HTTP.
        detail: one line: what is wrong, and what to do.
        headers: sent with it.
        closes: whether the connection ends with it, since what follows on it is not read.
    """

    def __init__(
        self, status: int, detail: str, headers: dict[str, str] | None = None, *, closes: bool = False
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.headers = dict(headers or {}) | ({"Connection": "close"} if closes else {})
        self.closes = closes

    def to_json(self) -> dict[str, Any]:
        """The members of the RFC."""
        return {"status": self.status, "title": HTTPStatus(self.status).phrase, "detail": self.detail}

    def response(self) -> Response:
        """The answer."""
        kind = _Lingering if self.closes else Response
        return kind(encode_json(self.to_json()), self.status, self.headers, CONTENT_TYPE)


class _Lingering(Response):
    """An answer before the end of the body; the connection closes after it.

    A connection closed while data still come is reset, and a reset takes the answer away from a client that has not
    read it yet: so the rest of the body is read and dropped first, within bounds (RFC 9112, section 9.6).
    """

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        await send({"type": "http.response.body", "body": self.body, "more_body": True})
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LINGER_SECONDS):
                dropped = 0
                while dropped < LINGER_BYTES:
                    message = await receive()
                    dropped += len(message.get("body", b""))
                    if not message.get("more_body"):
                        break
        await send({"type": "http.response.body", "body": b""})


async def show_problem(request: HTTPConnection, error: Exception) -> Response:
    """The answer to a `Problem`, for Starlette."""
    assert isinstance(error, Problem)
    return error.response()


class Unavailable(Problem):
    """The server is busy, or stops: the same request may be sent again.

    Arguments:
        after: seconds until then.
    """

    def __init__(self, detail: str, after: int = 1) -> None:
        super().__init__(HTTPStatus.SERVICE_UNAVAILABLE, detail, {"Retry-After": str(after)})
