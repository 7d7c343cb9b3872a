"""Who may ask: Host, Origin and token of every request are looked at first, and headers say what may run in a page.

A page of another site cannot reach a server on 127.0.0.1: its requests have a foreign Origin, and a name that is made
to point here (DNS rebinding) is a foreign Host.
"""

from __future__ import annotations

import hmac
import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from http import HTTPStatus
from http.cookies import CookieError, SimpleCookie

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocketClose

from elman.web.service.requests.problems import Problem

COOKIE = "elman_token"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; media-src blob:;"
    " connect-src 'self'; font-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'none';"
    " frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "microphone=(self), camera=(), geolocation=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
_RAW_HEADERS = [(name.lower().encode(), value.encode()) for name, value in HEADERS.items()]
_NOT_KEPT = (b"cache-control", b"no-store")
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
WILDCARDS = frozenset({"0.0.0.0", "::"})


@dataclass(frozen=True)
class Rules:
    """Who may ask.

    Arguments:
        host: what the server listens on.
        names: by which names it may be called, beside its host.
        token: what a request must show; "" for nothing, on 127.0.0.1 alone.
    """

    host: str
    names: frozenset[str] = frozenset()
    token: str = ""

    @classmethod
    def of(cls, host: str, names: Iterable[str], token: str) -> Rules:
        """Names in small letters."""
        return cls(host.lower(), frozenset(name.lower() for name in names), token)

    def allows_host(self, host: str) -> bool:
        """Whether a request may call the server so: `name` or `name:port`."""
        name = host_name(host)
        if name in self.names or name == self.host:
            return True
        if self.host in LOOPBACK:
            return name in LOOPBACK
        return self.host in WILDCARDS and (name in LOOPBACK or _is_address(name))  # rebinding needs a name

    def allows_token(self, headers: Headers) -> bool:
        """Whether the token is there: as a bearer, or as the page's cookie."""
        if not self.token:
            return True
        scheme, _, given = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and self.same_token(given.strip()):
            return True
        try:
            cookie = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
        except CookieError:
            return False
        return cookie is not None and self.same_token(cookie.value)

    def same_token(self, given: str) -> bool:
        """Whether it is the token; takes as long whatever is wrong with it."""
        return hmac.compare_digest(given.encode(), self.token.encode())


def host_name(host: str) -> str:
    """The name in `name`, `name:port`, `[address]` or `[address]:port`."""
    host = host.strip().lower()
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host if host.count(":") > 1 else host.partition(":")[0]


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


class Guard:
    """Refuses what `Rules` do not allow, before any of the body is read.

    Arguments:
        app: what answers the rest.
        open_paths: paths that need no token.
    """

    def __init__(self, app: ASGIApp, rules: Rules, open_paths: frozenset[str] = frozenset()) -> None:
        self._app = app
        self._rules = rules
        self._open = open_paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or hand on."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        problem = self._problem(Headers(scope=scope), scope)
        if scope["type"] == "websocket":
            if problem is not None:
                await WebSocketClose(1008, problem.detail)(scope, receive, send)
                return
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                given = message.setdefault("headers", [])
                message["headers"] = [*given, *_RAW_HEADERS]
                if not any(name == b"cache-control" for name, _ in given):
                    message["headers"].append(_NOT_KEPT)
            await send(message)

        if problem is None:
            await self._app(scope, receive, send_with_headers)
        elif entered := self._entered(scope, problem):
            await entered(scope, receive, send_with_headers)
        else:
            await problem.response()(scope, receive, send_with_headers)

    def _problem(self, headers: Headers, scope: Scope) -> Problem | None:
        hosts = headers.getlist("host")
        if len(hosts) != 1 or not self._rules.allows_host(hosts[0]):
            called = ", ".join(hosts)[:100] or "nothing"
            return Problem(421, f"this server is not called {called!r}; use its own address", closes=True)
        origin = headers.get("origin")
        own = {f"{scheme}://{hosts[0]}".lower() for scheme in ("http", "https")}
        if origin is not None and origin.lower() not in own:
            return Problem(403, f"pages of {origin[:100]!r} may not use this server", closes=True)
        if headers.get("sec-fetch-site") == "cross-site" and not _is_visit(headers):
            return Problem(403, "pages of other sites may not use this server", closes=True)
        if scope["path"] not in self._open and not self._rules.allows_token(headers):
            return Problem(
                HTTPStatus.UNAUTHORIZED,
                "a token is needed; send the header 'Authorization: Bearer TOKEN'",
                {"WWW-Authenticate": "Bearer"},
                closes=True,
            )
        return None

    def _entered(self, scope: Scope, problem: Problem) -> RedirectResponse | None:
        """Where a page is opened with the token in its address: it becomes a cookie, and leaves the address."""
        request = Request(scope)
        given = request.query_params.get("token", "")
        if problem.status != HTTPStatus.UNAUTHORIZED or request.method != "GET" or not self._rules.same_token(given):
            return None
        response = RedirectResponse(request.url.path or "/", HTTPStatus.SEE_OTHER)
        response.set_cookie(COOKIE, given, httponly=True, samesite="strict", path="/")
        return response


def _is_visit(headers: Headers) -> bool:
    """Whether a person follows a link: the page opens in its own window."""
    return headers.get("sec-fetch-mode") == "navigate" and headers.get("sec-fetch-dest") == "document"
