"""What goes wrong with a request, as RFC 9457 writes it: status, and one line that says what and what to do."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from starlette.requests import HTTPConnection
from starlette.responses import Response

from elman.web.service.requests.encoding import encode_json

CONTENT_TYPE = "application/problem+json"


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

    def to_json(self) -> dict[str, Any]:
        """The members of the RFC."""
        return {"status": self.status, "title": HTTPStatus(self.status).phrase, "detail": self.detail}

    def response(self) -> Response:
        """The answer."""
        return Response(encode_json(self.to_json()), self.status, self.headers, CONTENT_TYPE)


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
