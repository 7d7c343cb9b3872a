"""The application: the interface behind its guard."""

from __future__ import annotations

from elman.errors import optional_imports
from elman.web.service.guard import Guard, Rules
from elman.web.service.pages import Pages
from elman.web.service.requests.limits import Limits
from elman.web.service.requests.problems import Problem, show_problem
from elman.web.service.routes import Interface
from elman.web.service.served_run import ServedRun

with optional_imports():
    from starlette.applications import Starlette
    from starlette.exceptions import HTTPException
    from starlette.requests import Request
    from starlette.responses import Response

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
        self.asgi = Guard(app, rules, OPEN)

    def stop(self) -> None:
        """End the streams that are open, since the server stops."""
        self.interface.pumps.stop()


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
