"""The application: the interface behind its guard."""

from __future__ import annotations

import asyncio

from elman.errors import optional_imports
from elman.web.service.guard import Guard, Rules
from elman.web.service.pages import Pages
from elman.web.service.requests.limits import Limits
from elman.web.service.requests.problems import Problem, Unavailable, show_problem
from elman.web.service.routes import Interface
from elman.web.service.served_run import ServedRun

with optional_imports():
    from starlette.applications import Starlette
    from starlette.exceptions import HTTPException
    from starlette.requests import ClientDisconnect, Request
    from starlette.responses import Response
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

OPEN = frozenset({"/healthz"})
"""What is answered without a token."""


class Application:
    """What an ASGI server calls.

    Arguments:
        runs: by the names in their addresses.
        rules: who may ask.
        limits: what is taken at most.
    """

    def __init__(self, runs: dict[str, ServedRun], rules: Rules, limits: Limits | None = None) -> None:
        limits = limits or Limits()
        self.interface = Interface(runs, limits, token=bool(rules.token))
        routes = [*self.interface.routes(), *Pages(runs, limits).routes()]
        handlers = {Problem: show_problem, HTTPException: _plain, Exception: _failed}
        app = Starlette(routes=routes, exception_handlers=handlers)
        self._answering = Answering(app)
        self.asgi = Guard(self._answering, rules, OPEN)

    def stop(self) -> None:
        """End the streams that are open, since the server stops; what is cancelled from now on is answered with 503."""
        self._answering.stops = True
        self.interface.pumps.stop()


class Answering:
    """Answers a request whose task is cancelled when the server stops; one whose client has gone needs no answer.

    Attributes:
        stops: whether it does; what is cancelled before is cancelled.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self.stops = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand on."""
        begun = False

        async def send_on(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._app(scope, receive, send_on)
        except ClientDisconnect:
            return
        except asyncio.CancelledError:
            if not self.stops:
                raise
            if scope["type"] == "http" and not begun:
                await Unavailable("the server stops; send it again", 5).response()(scope, receive, send)


async def _plain(request: Request, error: Exception) -> Response:
    """No such path, or no such method."""
    assert isinstance(error, HTTPException)
    return Problem(
        error.status_code,
        f"{request.method} {request.url.path[:100]}: {error.detail.lower()}",
        dict(error.headers or {}),
    ).response()


async def _failed(request: Request, error: Exception) -> Response:
    return Problem(500, f"{type(error).__name__}; the server's log has more").response()
